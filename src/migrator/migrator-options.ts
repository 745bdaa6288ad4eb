import type { EntitySchema } from 'typeorm';
import type { MigrationLog } from './migration-log.js';

/** Where the database is, and how a client of its own connects to it. */
export interface DatabaseOptions {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly name: string;
  readonly ssl: 'off' | 'require' | 'verify-full';
  /** ms, for the statements that are no migration's. */
  readonly statementTimeoutMs: number;
}

export interface MigratorOptions {
  /** The folder of the compiled migrations. */
  readonly migrations: string;
  /** Glob patterns of the compiled entities, or entity schemas. */
  readonly entities: readonly (string | EntitySchema)[];
  readonly database: DatabaseOptions;
  /** ms. */
  readonly lockTimeoutMs: number;
  /** Whether `database` is known to be reached without a pooler. */
  readonly direct: boolean;
  /** Recorded with each migration, and named in messages. */
  readonly release: string;
  /**
   * Called under the lock before anything is changed in a database that has been migrated before; nothing is changed
   * where it throws.
   *
   * @returns what was backed up, for the log
   */
  readonly backUp?: ((log: MigrationLog) => Promise<string>) | undefined;
}
