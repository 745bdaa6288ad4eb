import type { MigrationDescription } from '../migration.js';

/** An applied migration, from TypeORM's `migrations` table and our `migration_history`. */
export interface AppliedMigration {
  readonly name: string;
  readonly timestamp: number;
  /** Null, like the fields below, if TypeORM's CLI applied it. */
  readonly checksum: string | null;
  readonly compatible: boolean | null;
  readonly release: string | null;
  readonly appliedAt: Date | null;
  readonly durationMs: number | null;
}

/** Runs a statement on a `pg` client or a TypeORM query runner. */
export type Query = (text: string, values?: unknown[]) => Promise<unknown>;

/** Extends TypeORM's table. Not an entity, because it must exist before the first migration. */
const CREATE_HISTORY = `
  CREATE TABLE IF NOT EXISTS migration_history (
    name text PRIMARY KEY,
    checksum text NOT NULL,
    compatible boolean NOT NULL,
    release text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    duration_ms integer NOT NULL
  )`;

/** In the order in which they were applied; empty for an empty database. */
export async function readApplied(query: Query): Promise<AppliedMigration[]> {
  const tables = (await query(
    `SELECT to_regclass('migrations') IS NOT NULL AS migrations,
            to_regclass('migration_history') IS NOT NULL AS history`,
  )) as [{ migrations: boolean; history: boolean }];
  if (!tables[0].migrations) return [];
  const history = tables[0].history
    ? 'h.checksum, h.compatible, h.release, h.applied_at AS "appliedAt", h.duration_ms AS "durationMs" ' +
      'FROM migrations m LEFT JOIN migration_history h USING (name)'
    : `NULL AS checksum, NULL AS compatible, NULL AS release, NULL AS "appliedAt", NULL AS "durationMs" FROM migrations m`;
  return (await query(
    `SELECT m.name, m.timestamp::float8 AS timestamp, ${history} ORDER BY m.id`,
  )) as AppliedMigration[];
}

/**
 * TypeORM's table for expressions of generated columns. Migrations write to it, but TypeORM creates it only if entities
 * are loaded, which is not the case while migrating.
 */
const CREATE_TYPEORM_METADATA = `
  CREATE TABLE IF NOT EXISTS typeorm_metadata (
    type varchar NOT NULL, database varchar, schema varchar, "table" varchar, name varchar, value text
  )`;

/** Creates the tables that migrating itself needs. */
export async function createHistory(query: Query): Promise<void> {
  await query(CREATE_HISTORY);
  await query(CREATE_TYPEORM_METADATA);
}

/** Must run in the transaction of the migration, if it has one. */
export async function recordApplied(
  query: Query,
  { name, checksum, compatible }: MigrationDescription,
  release: string,
  durationMs: number,
): Promise<void> {
  await query(
    `INSERT INTO migration_history (name, checksum, compatible, release, duration_ms) VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT (name) DO UPDATE SET checksum = excluded.checksum, compatible = excluded.compatible,
       release = excluded.release, applied_at = excluded.applied_at, duration_ms = excluded.duration_ms`,
    [name, checksum, compatible, release, Math.round(durationMs)],
  );
}

export async function recordReverted(query: Query, name: string): Promise<void> {
  await query('DELETE FROM migration_history WHERE name = $1', [name]);
}
