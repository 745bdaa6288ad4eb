export interface MigrationLog {
  info(line: string): void;
  warn(line: string): void;
  /** How long the migration lock was waited for, ms, with the connection that holds it. */
  locked?(ms: number): void;
}
