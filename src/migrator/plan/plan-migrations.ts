import { DataSource, type QueryRunner } from 'typeorm';
import { appliedIn } from '../apply/apply-migrations.js';
import { MigrationError } from '../migrator-errors.js';
import { migrationDataSourceOptions } from '../connection/connection-options.js';
import { worksWith } from '../generate/compatibility.js';
import { readSnapshot, type Snapshot } from '../generate/snapshot.js';
import { withClient } from '../generate/target.js';
import { findMigrations, type MigrationFile } from '../history/migration-files.js';
import { createHistory, type Query } from '../history/migration-history.js';
import { planMigrations } from '../history/migration-plan.js';
import type { MigrationLog } from '../migration-log.js';
import type { DatabaseOptions, MigratorOptions } from '../migrator-options.js';
import { runMigration } from '../verify/run-migration.js';
import { withScratchDatabase } from '../verify/scratch-database.js';

/** What a statement does to a table that the database has. */
export interface TableEffect {
  readonly table: string;
  /** The strongest lock that the transaction did not hold before; undefined if there is none. */
  readonly lock: string | undefined;
  readonly rewrites: boolean;
  readonly scans: boolean;
  /** PostgreSQL's estimate; undefined if the table was never analyzed. */
  readonly rows: number | undefined;
  readonly bytes: number;
}

interface PlannedStatement {
  readonly sql: string;
  readonly tables: readonly TableEffect[];
}

export interface PlannedMigration {
  readonly name: string;
  readonly transaction: boolean;
  /** Whether the release that runs now can use the schema after it. */
  readonly compatible: boolean;
  readonly statements: readonly PlannedStatement[];
}

/** As `pg_locks` names them, weakest first. https://www.postgresql.org/docs/current/explicit-locking.html */
const LOCKS = [
  'AccessShareLock',
  'RowShareLock',
  'RowExclusiveLock',
  'ShareUpdateExclusiveLock',
  'ShareLock',
  'ShareRowExclusiveLock',
  'ExclusiveLock',
  'AccessExclusiveLock',
];

const EFFECTS = `
  SELECT c.oid::regclass::text AS table, relfilenode::text AS file,
         coalesce((SELECT array_agg(mode) FROM pg_locks
                    WHERE locktype = 'relation' AND relation = c.oid AND pid = pg_backend_pid() AND granted), '{}') AS locks,
         coalesce((SELECT seq_scan FROM pg_stat_xact_user_tables WHERE relid = c.oid), 0)::int AS scans
    FROM pg_class c WHERE c.oid = ANY ($1::oid[])`;

const SIZES = `
  SELECT oid::regclass::text AS table, nullif(reltuples, -1)::float8 AS rows, pg_total_relation_size(oid)::float8 AS bytes
    FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)`;

type Sizes = ReadonlyMap<string, { readonly rows: number | undefined; readonly bytes: number }>;

interface Effect {
  readonly table: string;
  readonly file: string;
  readonly locks: readonly string[];
  readonly scans: number;
}

/**
 * What the next start would do. Runs the applied migrations in a scratch database, then the pending ones statement by
 * statement, and reads from PostgreSQL what each locks, scans and rewrites. The database itself is only read, for sizes.
 *
 * @throws {MigrationError} if the scratch database cannot be created, or a migration fails in it
 */
export async function planPending(config: MigratorOptions, log: MigrationLog): Promise<PlannedMigration[]> {
  const available = await findMigrations(config.migrations);
  const { pending } = planMigrations(available, await appliedIn(config));
  if (pending.length === 0) return [];
  const applied = available.filter((file) => !pending.includes(file));
  const sizes = await withClient(config.database, readSizes);
  return withScratchDatabase(config.database, log, async ({ database }) => {
    await withClient(database, createHistory);
    const dataSource = new DataSource(migrationDataSourceOptions({ ...config, database }));
    await dataSource.initialize();
    try {
      for (const file of applied) await runUp(dataSource, file);
      const before = await withClient(database, readSnapshot);
      const planned: PlannedMigration[] = [];
      for (const file of pending) planned.push(await plan(dataSource, file, before, database, sizes));
      return planned;
    } finally {
      await dataSource.destroy();
    }
  });
}

async function plan(
  dataSource: DataSource,
  file: MigrationFile,
  before: Snapshot,
  database: DatabaseOptions,
  sizes: Sizes,
): Promise<PlannedMigration> {
  const statements: PlannedStatement[] = [];
  const transaction = await runUp(dataSource, file, (runner) => observed(runner, before, sizes, statements));
  const after = await withClient(database, readSnapshot);
  return { name: file.name, transaction, compatible: worksWith(before, after), statements };
}

/** @throws {MigrationError} */
async function runUp(
  dataSource: DataSource,
  file: MigrationFile,
  wrap?: (runner: QueryRunner) => QueryRunner,
): Promise<boolean> {
  try {
    return await runMigration(dataSource, file, 'up', wrap);
  } catch (error) {
    throw new MigrationError(`${file.name} cannot be planned: ${(error as Error).message}`, { cause: error });
  }
}

/** A query runner that records what each statement does. */
function observed(
  runner: QueryRunner,
  { tables }: Snapshot,
  sizes: Sizes,
  statements: PlannedStatement[],
): QueryRunner {
  const effects = async () => {
    const oids = (await runner.query(`SELECT to_regclass(name)::oid AS oid FROM unnest($1::text[]) name`, [
      Object.keys(tables),
    ])) as { oid: string | null }[];
    return (await runner.query(EFFECTS, [oids.flatMap(({ oid }) => oid ?? [])])) as Effect[];
  };
  const query = async (sql: string, parameters?: unknown[]): Promise<unknown> => {
    const isTransaction = runner.isTransactionActive;
    // In a transaction, so that its locks can be read after it. These two statements allow none.
    const isOwn = !isTransaction && !/\bCONCURRENTLY\b|^\s*DO\b/i.test(sql);
    if (isOwn) await runner.startTransaction();
    const old = await effects();
    const result: unknown = await runner.query(sql, parameters);
    const now = await effects();
    if (isOwn) await runner.commitTransaction();
    const found =
      isTransaction || isOwn ? changesBetween(old, now, sizes) : announced(sql, Object.keys(tables), sizes);
    statements.push({ sql, tables: found });
    return result;
  };
  return new Proxy(runner, {
    get(target, property) {
      if (property === 'query') return query;
      const value: unknown = Reflect.get(target, property);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}

function changesBetween(old: readonly Effect[], now: readonly Effect[], sizes: Sizes): TableEffect[] {
  return now.flatMap(({ table, file, locks, scans }) => {
    const before = old.find((effect) => effect.table === table);
    const lock = strongest(locks.filter((mode) => !before?.locks.includes(mode)));
    const rewrites = before !== undefined && before.file !== file;
    if (lock === undefined && !rewrites) return [];
    return [{ table, lock, rewrites, scans: scans > (before?.scans ?? 0), ...sizeOf(table, sizes) }];
  });
}

/** The effects of a statement outside a transaction, as PostgreSQL's documentation describes them. */
function announced(sql: string, tables: readonly string[], sizes: Sizes): TableEffect[] {
  const isIndex = /\bCONCURRENTLY\b/i.test(sql);
  return tables
    .filter((table) => new RegExp(`(?:^|[\\s".(])${table.replace(/\W/g, '\\$&')}(?:$|[\\s".(])`).test(sql))
    .map((table) => ({
      table,
      lock: isIndex ? 'SHARE UPDATE EXCLUSIVE' : 'ROW EXCLUSIVE',
      rewrites: false,
      scans: !/^\s*DROP\b/i.test(sql),
      ...sizeOf(table, sizes),
    }));
}

function strongest(modes: readonly string[]): string | undefined {
  const [mode] = [...modes].sort((a, b) => LOCKS.indexOf(b) - LOCKS.indexOf(a));
  // Reading the catalogs takes the weakest lock too.
  if (mode === undefined || mode === 'AccessShareLock') return undefined;
  return mode
    .replace(/Lock$/, '')
    .replace(/(?<=[a-z])(?=[A-Z])/g, ' ')
    .toUpperCase();
}

function sizeOf(table: string, sizes: Sizes) {
  return sizes.get(table) ?? { rows: undefined, bytes: 0 };
}

async function readSizes(query: Query): Promise<Sizes> {
  const rows = (await query(SIZES)) as { table: string; rows: number | null; bytes: number }[];
  return new Map(rows.map(({ table, rows: count, bytes }) => [table, { rows: count ?? undefined, bytes }]));
}
