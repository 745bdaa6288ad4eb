import type { MigrationDescription } from '../migration.js';

/** What TypeORM's `migrations` table and ours say of a migration that was applied. */
export interface AppliedMigration {
  readonly name: string;
  readonly timestamp: number;
  /** Null where TypeORM's own CLI applied it, which keeps no more than the name. */
  readonly checksum: string | null;
  readonly compatible: boolean | null;
  readonly release: string | null;
  readonly appliedAt: Date | null;
  readonly durationMs: number | null;
}

/** What both a `pg` client and a TypeORM query runner can be made to do. */
export type Query = (text: string, values?: unknown[]) => Promise<unknown>;

/**
 * Beside TypeORM's table, which it reads and writes itself: what is to be known of each migration afterwards. Not an
 * entity, since it has to be there before the first migration is.
 */
const CREATE_HISTORY = `
  CREATE TABLE IF NOT EXISTS migration_history (
    name text PRIMARY KEY,
    checksum text NOT NULL,
    compatible boolean NOT NULL,
    release text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    duration_ms integer NOT NULL
  )`;

/** In the order in which they were applied; none on an empty database. */
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
 * Where TypeORM keeps the expressions of generated columns. The migrations that it generates for such columns write to
 * it, and it makes the table itself only where entities are loaded, which a migration runs without.
 */
const CREATE_TYPEORM_METADATA = `
  CREATE TABLE IF NOT EXISTS typeorm_metadata (
    type varchar NOT NULL, database varchar, schema varchar, "table" varchar, name varchar, value text
  )`;

/** Makes what migrations write to beside the schema itself. */
export async function createHistory(query: Query): Promise<void> {
  await query(CREATE_HISTORY);
  await query(CREATE_TYPEORM_METADATA);
}

/** To be called in the transaction that applies the migration, where it has one. */
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
