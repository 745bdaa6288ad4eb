import type { MigrationInterface } from 'typeorm';

/** A migration as `migration:generate` writes it, with options that its author may add. */
export interface Migration extends MigrationInterface {
  /**
   * False if a statement cannot run in a transaction (`CREATE INDEX CONCURRENTLY`). An interrupted migration is then
   * run again from its beginning, so each statement must be idempotent. Concurrent index builds and drops are.
   */
  transaction?: boolean;

  /** True if the previous release works with the new schema, so that a release can be rolled back. */
  compatible?: boolean;
}

export type MigrationClass = new () => Migration;

/** Metadata of a migration, available without loading its code. */
export interface MigrationDescription {
  /** Class name: name and timestamp, as in the `migrations` table. */
  readonly name: string;
  /** ms since the epoch; determines the order. */
  readonly timestamp: number;
  readonly checksum: string;
  readonly compatible: boolean;
  /** `table` or `table.column` whose values it is to lose, as its `// lossy` lines say. */
  readonly lossy: readonly string[];
}
