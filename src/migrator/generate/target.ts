import { Client } from 'pg';
import { DataSource, QueryFailedError } from 'typeorm';
import { isDatabaseUnavailable } from '../connection/connection-errors.js';
import { migrationDataSourceOptions, patientClientConfig } from '../connection/connection-options.js';
import { MigrationError } from '../migrator-errors.js';
import type { Query } from '../history/migration-history.js';
import type { DatabaseOptions, MigratorOptions } from '../migrator-options.js';
import { readCatalog } from '../verify/catalog.js';
import { readSnapshot, type Snapshot } from './snapshot.js';

const CHECK = `
  SELECT pg_get_expr(conbin, conrelid) AS definition FROM pg_constraint
   WHERE conrelid = to_regclass($1) AND conname = $2 AND contype = 'c'`;

/** The schema that the entities describe. */
export interface Target {
  readonly snapshot: Snapshot;
  /** The same schema in the form of `readCatalog`. */
  readonly catalog: readonly string[];
  /** Tables and views that an entity describes, without quotes. */
  readonly described: ReadonlySet<string>;
  /** The statements that TypeORM would run. */
  readonly proposal: readonly string[];
}

/** Runs `work` on a connection of its own, without a time limit for statements. */
export async function withClient<T>(
  database: DatabaseOptions,
  work: (query: Query) => Promise<T>,
): Promise<T> {
  const client = new Client(patientClientConfig(database, 'migrations'));
  client.on('error', () => {});
  await client.connect();
  try {
    return await work(async (text, values) => (await client.query(text, values)).rows as unknown);
  } finally {
    await client.end().catch(() => {});
  }
}

/**
 * Reads the schema that the entities describe. Only the result of TypeORM's proposal counts, not its statements: it drops
 * columns that could be altered, and proposes statements without effect.
 *
 * @param config with the database in which the proposal is run
 * @throws {MigrationError} if the proposal fails
 */
export async function readTarget(config: MigratorOptions): Promise<Target> {
  const { database, entities } = config;
  const before = await withClient(database, readSnapshot);
  const dataSource = new DataSource({ ...migrationDataSourceOptions(config), entities: [...entities] });
  try {
    await dataSource.initialize().catch(refuseEntities);
    if (dataSource.entityMetadatas.length === 0) {
      throw new MigrationError(
        'No entity was found beside the program: the build is not whole, run npm run build',
      );
    }
    await dropChangedChecks(dataSource);
    const { upQueries } = await dataSource.driver.createSchemaBuilder().log();
    for (const { query, parameters } of upQueries) await dataSource.query(query, parameters as unknown[]);
    // TypeORM creates it for gen_random_uuid(), which is built into PostgreSQL since version 13.
    if (!before.extensions.includes('pgcrypto')) await dataSource.query('DROP EXTENSION IF EXISTS pgcrypto');
    const described = new Set(
      dataSource.entityMetadatas.map(({ schema, tableName }) =>
        schema === undefined || schema === 'public' ? tableName : `${schema}.${tableName}`,
      ),
    );
    const proposal = upQueries.map(({ query }) => query);
    return await withClient(database, async (query) => ({
      snapshot: await readSnapshot(query),
      catalog: await readCatalog(query),
      described,
      proposal,
    }));
  } catch (error) {
    if (!(error instanceof QueryFailedError) || isDatabaseUnavailable(error)) throw error;
    throw new MigrationError(
      `The entities cannot be compared with the schema: ${error.message} in: ${error.query.replace(/\s+/g, ' ').trim()}`,
      { cause: error },
    );
  } finally {
    if (dataSource.isInitialized) await dataSource.destroy();
  }
}

/** An entity cannot be imported, or TypeORM refuses it. */
function refuseEntities(error: Error): never {
  if (error instanceof QueryFailedError || isDatabaseUnavailable(error)) throw error;
  throw new MigrationError(`The entities cannot be read: ${error.message}`, { cause: error });
}

/** TypeORM compares checks by name alone, and proposes those that are missing. */
async function dropChangedChecks(dataSource: DataSource): Promise<void> {
  for (const { tablePath, checks } of dataSource.entityMetadatas) {
    const table = tablePath.replace(/[^.]+/g, '"$&"');
    const definitionOf = async (name: string): Promise<string | undefined> => {
      const rows: { definition: string }[] = await dataSource.query(CHECK, [table, name]);
      return rows[0]?.definition;
    };
    for (const { name, expression } of checks) {
      const present = await definitionOf(name);
      if (present === undefined) continue;
      const wanted = await dataSource
        .query(`ALTER TABLE ${table} ADD CONSTRAINT migrator_probe CHECK (${expression}) NOT VALID`)
        .then(() => definitionOf('migrator_probe'))
        // A column that is new, or no SQL: the proposal tells.
        .catch(() => undefined);
      await dataSource.query(`ALTER TABLE ${table} DROP CONSTRAINT IF EXISTS migrator_probe`);
      if (wanted !== present) await dataSource.query(`ALTER TABLE ${table} DROP CONSTRAINT "${name}"`);
    }
  }
}
