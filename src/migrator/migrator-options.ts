import type { EntitySchema, NamingStrategyInterface } from 'typeorm';
import type { MigrationLog } from './migration-log.js';

export interface DatabaseOptions {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly name: string;
  readonly ssl: 'off' | 'require' | 'verify-full';
  /** ms, for statements other than those of migrations. */
  readonly statementTimeoutMs: number;
}

export interface MigratorOptions {
  readonly migrations: string;
  /** Glob patterns of the compiled entities, or entity schemas. */
  readonly entities: readonly (string | EntitySchema)[];
  /** As in the data source of the app. Default: TypeORM's. */
  readonly namingStrategy?: NamingStrategyInterface;
  readonly database: DatabaseOptions;
  /** ms. */
  readonly lockTimeoutMs: number;
  /** Whether `database` is known to be connected without a pooler. */
  readonly direct: boolean;
  /** Recorded with each migration and used in messages. */
  readonly release: string;
  /**
   * Called under the lock before the first change to a database that is not empty. If it throws, nothing is changed.
   *
   * @returns a line for the log
   */
  readonly backUp?: ((log: MigrationLog) => Promise<string>) | undefined;
  /**
   * Of migrations that landed before values were compared, by name: the tables and columns whose values they may lose, and `*` where
   * they refuse rows that the schema allows.
   */
  readonly accepted?: Readonly<Record<string, readonly string[]>>;
}
