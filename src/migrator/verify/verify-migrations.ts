import { Client } from 'pg';
import { DataSource, QueryFailedError } from 'typeorm';
import type { DatabaseOptions, MigratorOptions } from '../migrator-options.js';
import { MigrationError, noMigrationFound } from '../apply/apply-migrations.js';
import type { MigrationLog } from '../migration-log.js';
import { differences, readCatalog } from './catalog.js';
import { resumable } from '../apply/concurrent-index.js';
import { clientConfig, migrationDataSourceOptions } from '../connection/connection-options.js';
import { isDatabaseUnavailable } from '../connection/connection-errors.js';
import type { Migration } from '../migration.js';
import { missingStatements } from '../generate/generate-migration.js';
import { createHistory } from '../history/migration-history.js';
import { findMigrations, type MigrationFile } from '../history/migration-files.js';
import { withScratchDatabase } from './scratch-database.js';

export interface Verification {
  readonly verified: number;
  /** The first fault of each migration, with the catalog lines or the SQL that show it. */
  readonly faults: readonly string[];
}

/**
 * Checks each migration in an empty scratch database: `down` must restore the schema from before `up`, and a second
 * `up` must give the same schema as the first. Then checks that the schema matches the entities.
 *
 * After a fault it continues from the schema of `up`. Only a failed `up` ends it.
 *
 * @throws {MigrationError} if there are no migrations, or the scratch database cannot be created
 */
export async function verifyMigrations(
  config: MigratorOptions,
  log: MigrationLog,
  migrations?: readonly MigrationFile[],
): Promise<Verification> {
  const files = migrations ?? (await findMigrations(config.migrations));
  if (files.length === 0) throw noMigrationFound();
  return withScratchDatabase(config.database, log, async ({ database, clear }) => {
    let session = await Session.open(database, log);
    try {
      const faults: string[] = [];
      let verified = 0;
      let before = await session.catalog();
      for (const [index, file] of files.entries()) {
        log.info(`verifying ${file.name}`);
        const failure = await session.run(file, 'up');
        if (failure !== undefined) {
          const unverified = `not verified: ${files.length - index - 1} later migration(s), and the entities`;
          return { verified, faults: [...faults, `${file.name}: up failed: ${failure}\n  ${unverified}`] };
        }
        const after = await session.catalog();
        const fault = await faultOf(file, session, before, after);
        if (fault === undefined) verified += 1;
        else {
          faults.push(`${file.name}: ${fault}`);
          await session.close();
          await clear();
          session = await Session.open(database, log);
          await session.runAll(files.slice(0, index + 1));
        }
        before = after;
      }
      faults.push(...(await missingIn(database, config.entities)));
      return { verified, faults };
    } finally {
      await session.close();
    }
  });
}

async function faultOf(
  file: MigrationFile,
  session: Session,
  before: readonly string[],
  after: readonly string[],
): Promise<string | undefined> {
  const downFailure = await session.run(file, 'down');
  if (downFailure !== undefined) return `down failed: ${downFailure}`;
  const unrestored = differences(before, await session.catalog());
  // Would also explain a different second `up`.
  if (unrestored.length > 0) return block('down does not restore', unrestored);
  const upFailure = await session.run(file, 'up');
  if (upFailure !== undefined) return `up again failed: ${upFailure}`;
  const changed = differences(after, await session.catalog());
  return changed.length > 0 ? block('up again differs', changed) : undefined;
}

/** The SQL that would change the schema of the migrations to that of the entities. */
async function missingIn(
  database: DatabaseOptions,
  entities: MigratorOptions['entities'],
): Promise<string[]> {
  try {
    const statements = await missingStatements(database, entities);
    return statements.map((sql) => `missing for the entities: ${oneLine(sql)}`);
  } catch (error) {
    if (error instanceof QueryFailedError && !isDatabaseUnavailable(error))
      return [`the entities cannot be compared: ${reasonOf(error)}`];
    throw error;
  }
}

/** Connections to the scratch database: a pool that migrates and a client that reads the catalog. */
class Session {
  private constructor(
    private readonly dataSource: DataSource,
    private readonly inspector: Client,
    private readonly log: MigrationLog,
  ) {}

  static async open(database: DatabaseOptions, log: MigrationLog): Promise<Session> {
    const inspector = new Client(clientConfig(database, 'migrations'));
    inspector.on('error', () => {});
    const dataSource = new DataSource(migrationDataSourceOptions(database));
    await dataSource.initialize();
    await inspector.connect();
    await createHistory((text) => inspector.query(text));
    return new Session(dataSource, inspector, log);
  }

  catalog(): Promise<string[]> {
    return readCatalog(async (text) => (await this.inspector.query(text)).rows as unknown);
  }

  /** @returns the reason of a failure; undefined on success */
  async run({ name, load }: MigrationFile, direction: 'up' | 'down'): Promise<string | undefined> {
    const migration: Migration = new (await load())();
    const runner = this.dataSource.createQueryRunner();
    try {
      if (migration.transaction === false) {
        await migration[direction](resumable(runner, (line) => this.log.info(`migration ${name}: ${line}`)));
      } else {
        await runner.startTransaction();
        await migration[direction](runner);
        await runner.commitTransaction();
      }
      return undefined;
    } catch (error) {
      if (isDatabaseUnavailable(error)) throw error;
      if (runner.isTransactionActive) await runner.rollbackTransaction().catch(() => {});
      return reasonOf(error);
    } finally {
      await runner.release();
    }
  }

  async runAll(files: readonly MigrationFile[]): Promise<void> {
    for (const file of files) {
      const failure = await this.run(file, 'up');
      // The same statements have succeeded before.
      if (failure !== undefined)
        throw new MigrationError(`${file.name}: up does not always succeed: ${failure}`);
    }
  }

  async close(): Promise<void> {
    await this.inspector.end().catch(() => {});
    if (this.dataSource.isInitialized) await this.dataSource.destroy();
  }
}

function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return error instanceof QueryFailedError ? `${message} in: ${oneLine(error.query)}` : message;
}

function block(title: string, lines: readonly string[]): string {
  return [`${title}:`, ...lines].join('\n  ');
}

function oneLine(sql: string): string {
  return sql.replace(/\s+/g, ' ').trim();
}
