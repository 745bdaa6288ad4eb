import type { MigrationInterface } from 'typeorm';

/** A migration class: what `migration:generate` writes, and what its author may add to it. */
export interface Migration extends MigrationInterface {
  /**
   * False where a statement cannot run in a transaction (`CREATE INDEX CONCURRENTLY`). Such a migration may be broken
   * off half-way and is run again from its beginning: each of its statements must bear that. Building and dropping an
   * index concurrently does.
   */
  transaction?: boolean;

  /** True where the release before this one can run on the schema after it, so that a release can be taken back. */
  compatible?: boolean;
}

export type MigrationClass = new () => Migration;

/** What is known of a migration without loading its code. */
export interface MigrationDescription {
  /** Of its class: name and timestamp, as in the `migrations` table. */
  readonly name: string;
  /** ms since the epoch; the order. */
  readonly timestamp: number;
  /** Of the statements that it sends: see `checksumOf`. */
  readonly checksum: string;
  readonly compatible: boolean;
}
