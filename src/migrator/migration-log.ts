export interface MigrationLog {
  info(line: string): void;
  warn(line: string): void;
  /** Called when the migration lock is acquired, with the time from the request, ms. */
  locked?(ms: number): void;
}
