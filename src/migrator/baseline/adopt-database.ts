import { DataSource, MigrationExecutor } from 'typeorm';
import { applyMigrations, noMigrationFound } from '../apply/apply-migrations.js';
import { MigrationError } from '../migrator-errors.js';
import { withMigrationLock, type MigrationLock } from '../apply/migration-lock.js';
import { migrationDataSourceOptions } from '../connection/connection-options.js';
import { withClient } from '../generate/target.js';
import { findMigrations, type MigrationFile } from '../history/migration-files.js';
import { createHistory, readApplied, recordApplied, type Query } from '../history/migration-history.js';
import type { MigrationLog } from '../migration-log.js';
import type { MigratorOptions } from '../migrator-options.js';
import { differences, readCatalog } from '../verify/catalog.js';
import { withScratchDatabase } from '../verify/scratch-database.js';
import { BOOKKEEPING_OF_OTHER_TOOLS } from './other-tools.js';

/** SQLSTATE */
const INSUFFICIENT_PRIVILEGE = '42501';

/** These do not affect migrations: `synchronize` creates an extension, administrators create the others. */
const HARMLESS = /^\+ (?:extension|privilege|default privilege|comment|publication|event trigger) /;

export interface Adoption {
  /** Names of the migrations recorded as applied, oldest first. Empty if the database was not adopted. */
  readonly recorded: readonly string[];
  /** The migration that the database is compared with: the named one, or the newest, or the most similar. */
  readonly comparedWith: string;
  /** What the database lacks (`- `) and has in addition (`+ `). After an adoption, only harmless differences. */
  readonly differences: readonly string[];
  /** All migrations whose schema equals that of the database, oldest first. */
  readonly matches: readonly string[];
  /** Recorded migrations that do not change the schema, so the comparison cannot show whether they were applied. */
  readonly unproven: readonly string[];
}

/** A migration, and the schema after it. */
interface Version {
  readonly file: MigrationFile;
  readonly catalog: readonly string[];
  /** Rows of `typeorm_metadata`, where TypeORM stores the text of views and generated columns. */
  readonly metadata: readonly Readonly<Record<string, string | null>>[];
  /** Between this schema and that of the database. */
  readonly differences: readonly string[];
}

const ADD_METADATA = `
  INSERT INTO typeorm_metadata
  SELECT made.* FROM jsonb_populate_recordset(NULL::typeorm_metadata, $1::jsonb) made
   WHERE NOT EXISTS (
     SELECT FROM typeorm_metadata present
      WHERE (present.type, present."table", present.name) IS NOT DISTINCT FROM (made.type, made."table", made.name))`;

/**
 * Records migrations as applied in a database that something else created: `synchronize`, a person or another migration
 * tool. The migrations are first applied in a scratch database. If the catalogs differ, nothing is recorded. The schema
 * and the rows of the database do not change.
 *
 * @param migration the last one that the database has, with or without the timestamp. Default: the newest
 * @param ignore tables, views, types, functions, schemas and extensions that the migrations do not create
 * @throws {MigrationError} if the database has a history or no table, the migration is unknown, or the role may not
 *   create a scratch database
 * @throws {MigrationLockTimeoutError}
 * @throws {MigrationLockError}
 */
export async function adoptDatabase(
  config: MigratorOptions,
  log: MigrationLog,
  {
    migration,
    ignore = [],
  }: { readonly migration?: string | undefined; readonly ignore?: readonly string[] },
): Promise<Adoption> {
  const files = await findMigrations(config.migrations);
  const newest = files.at(-1);
  if (!newest) throw noMigrationFound();
  const asked = migration === undefined ? undefined : named(migration, files);
  const ignored = [...BOOKKEEPING_OF_OTHER_TOOLS, ...ignore.flatMap(spellings)];
  return withMigrationLock(
    config,
    (line) => log.info(line),
    async (lock) => {
      const catalog = await withClient(config.database, async (query) => {
        await checkAdoptable(query, files);
        return readCatalog(query, ignored);
      });
      if (!catalog.some((line) => line.startsWith('table '))) {
        throw new MigrationError(
          'The database has no table to adopt: start normally, which applies all migrations',
        );
      }
      const versions = await compare(config, files, catalog, log);
      const matching = versions.filter(isMatch);
      const wanted = asked ?? (matching.length > 0 ? newest : nearest(versions).file);
      const index = files.indexOf(wanted);
      // Migrations that only change rows have the same schema. Without a name, it is unclear which of them were applied.
      const isAdoptable = matching.some(({ file }) => file === wanted) && (asked ?? matching.length === 1);
      const adopted = isAdoptable ? versions.slice(0, index + 1) : [];
      if (isAdoptable) await record(config, lock, adopted);
      return {
        recorded: adopted.map(({ file }) => file.name),
        comparedWith: wanted.name,
        differences: versions[index]?.differences ?? [],
        matches: matching.map(({ file }) => file.name),
        unproven: adopted
          .filter((version, at) => differences(adopted[at - 1]?.catalog ?? [], version.catalog).length === 0)
          .map(({ file }) => file.name),
      };
    },
  );
}

/** The ways in which the catalog may write a name: with its schema, and quoted if necessary. */
function spellings(name: string): string[] {
  return [name, `"${name}"`, `public.${name}`, `public."${name}"`];
}

function named(migration: string, files: readonly MigrationFile[]): MigrationFile {
  const found = files.filter(
    ({ name, timestamp }) => name === migration || name === `${migration}${timestamp}`,
  );
  const [file] = found;
  if (file && found.length === 1) return file;
  const names = (file ? found : files).map(({ name }) => name).join(', ');
  throw new MigrationError(
    `There ${file ? 'are several migrations' : 'is no migration'} ${migration}: ${names}`,
  );
}

/** @throws {MigrationError} if migrations are already recorded, or cannot be recorded */
async function checkAdoptable(query: Query, files: readonly MigrationFile[]): Promise<void> {
  const columns = (await query(
    `SELECT attname AS name FROM pg_attribute WHERE attrelid = to_regclass('migrations') AND attnum > 0`,
  )) as { name: string }[];
  if (columns.length === 0) return;
  if (!['id', 'timestamp', 'name'].every((name) => columns.some((column) => column.name === name))) {
    throw new MigrationError(
      'The table migrations belongs to another tool, and TypeORM needs this name: rename that table first',
    );
  }
  const applied = await readApplied(query);
  const newest = applied.at(-1)?.name;
  if (newest === undefined) return;
  if (applied.some(({ name }) => files.some((file) => file.name === name))) {
    throw new MigrationError(`The database has a history already, up to ${newest}: start normally`);
  }
  throw new MigrationError(
    `The database has a history of migrations that are not in this build, up to ${newest}: to adopt it, rename its ` +
      'tables migrations and migration_history first',
  );
}

async function compare(
  config: MigratorOptions,
  files: readonly MigrationFile[],
  catalog: readonly string[],
  log: MigrationLog,
): Promise<Version[]> {
  try {
    return await withScratchDatabase(config.database, log, async ({ database }) => {
      const scratch = { ...config, database, direct: true, backUp: undefined };
      const quiet = { info: () => {}, warn: (line: string) => log.warn(line) };
      const versions: Version[] = [];
      for (const [index, file] of files.entries()) {
        await applyMigrations(scratch, quiet, undefined, files.slice(0, index + 1));
        await withClient(database, async (query) => {
          const metadata = (await query('SELECT * FROM typeorm_metadata')) as Version['metadata'];
          const made = await readCatalog(query);
          versions.push({ file, catalog: made, metadata, differences: differences(made, catalog) });
        });
      }
      return versions;
    });
  } catch (error) {
    const { cause } = error as { cause?: { code?: string } };
    if (!(error instanceof MigrationError) || cause?.code !== INSUFFICIENT_PRIVILEGE) throw error;
    const { user, host, port } = config.database;
    throw new MigrationError(
      `This compares with a scratch database, and ${user} may not create one on ${host}:${port}: ` +
        `ALTER ROLE "${user}" CREATEDB, and NOCREATEDB afterwards`,
      { cause: error },
    );
  }
}

function isMatch(version: Version): boolean {
  return version.differences.every((line) => HARMLESS.test(line));
}

function nearest(versions: readonly Version[]): Version {
  return versions.reduce((best, version) =>
    version.differences.length <= best.differences.length ? version : best,
  );
}

/** In one transaction: all or nothing. */
async function record(
  config: MigratorOptions,
  lock: MigrationLock,
  versions: readonly Version[],
): Promise<void> {
  const { database, release } = config;
  const migrations = [];
  for (const { file } of versions) migrations.push(await file.load());
  const dataSource = new DataSource({ ...migrationDataSourceOptions(config), migrations });
  await dataSource.initialize();
  try {
    const runner = dataSource.createQueryRunner();
    const query: Query = (text, values) => runner.query(text, values) as Promise<unknown>;
    await runner.startTransaction();
    await createHistory(query);
    const executor = new MigrationExecutor(dataSource, runner);
    executor.transaction = 'none';
    executor.fake = true;
    await executor.executePendingMigrations();
    for (const { file } of versions) await recordApplied(query, file, release, 0);
    const metadata = (versions.at(-1)?.metadata ?? []).map((row) =>
      row['database'] === null ? row : { ...row, database: database.name },
    );
    await query(ADD_METADATA, [JSON.stringify(metadata)]);
    await lock.assertHeld();
    await runner.commitTransaction();
  } finally {
    await dataSource.destroy();
  }
}
