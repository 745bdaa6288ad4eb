import { Client } from 'pg';
import {
  DataSource,
  QueryFailedError,
  TableCheck,
  TableExclusion,
  TableIndex,
  TableUnique,
  type QueryRunner,
} from 'typeorm';
import { isDatabaseUnavailable } from '../connection/connection-errors.js';
import { migrationDataSourceOptions, patientClientConfig } from '../connection/connection-options.js';
import { MigrationError } from '../migrator-errors.js';
import type { Query } from '../history/migration-history.js';
import type { DatabaseOptions, MigratorOptions } from '../migrator-options.js';
import { readCatalog } from '../verify/catalog.js';
import { readSnapshot, type Snapshot } from './snapshot.js';

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
    const { upQueries } = await dataSource.driver.createSchemaBuilder().log();
    for (const { query, parameters } of upQueries) await dataSource.query(query, parameters as unknown[]);
    await makeNamedAnew(dataSource);
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

/**
 * Makes checks, unique and exclusion constraints and indexes anew, as the entities describe them. TypeORM compares them by
 * name alone, so its proposal leaves one that was edited under its name as it was.
 */
async function makeNamedAnew(dataSource: DataSource): Promise<void> {
  const runner = dataSource.createQueryRunner();
  try {
    for (const { tablePath, schema, checks, uniques, exclusions, indices } of dataSource.entityMetadatas) {
      const table = tablePath.replace(/[^.]+/g, '"$&"');
      const drop = (name: string) => `ALTER TABLE ${table} DROP CONSTRAINT "${name}"`;
      for (const check of checks)
        await replace(runner, drop(check.name), () =>
          runner.createCheckConstraint(tablePath, TableCheck.create(check)),
        );
      for (const unique of uniques) {
        // To TypeORM, one of a single column is a property of the column.
        if (unique.columns.length === 1) continue;
        await replace(runner, drop(unique.name), () =>
          runner.createUniqueConstraint(tablePath, TableUnique.create(unique)),
        );
      }
      for (const exclusion of exclusions)
        await replace(runner, drop(exclusion.name), () =>
          runner.createExclusionConstraint(tablePath, TableExclusion.create(exclusion)),
        );
      for (const index of indices) {
        if (!index.synchronize) continue;
        const name = schema === undefined ? `"${index.name}"` : `"${schema}"."${index.name}"`;
        const created = Object.assign(TableIndex.create(index), { isConcurrent: false });
        await replace(runner, `DROP INDEX ${name}`, () => runner.createIndex(tablePath, created));
      }
    }
  } finally {
    await runner.release();
  }
}

/** Leaves what cannot be replaced as it is: a foreign key may need it, or its expression name what is renamed. */
async function replace(runner: QueryRunner, drop: string, create: () => Promise<void>): Promise<void> {
  await runner.startTransaction();
  try {
    await runner.query(drop);
    await create();
    await runner.commitTransaction();
  } catch {
    await runner.rollbackTransaction();
  }
}
