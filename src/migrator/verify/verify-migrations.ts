import { Client } from 'pg';
import { DataSource, QueryFailedError } from 'typeorm';
import type { MigratorOptions } from '../migrator-options.js';
import { noMigrationFound } from '../apply/apply-migrations.js';
import { MigrationError } from '../migrator-errors.js';
import type { MigrationLog } from '../migration-log.js';
import { differences, readCatalog } from './catalog.js';
import { resumable } from '../apply/concurrent-index.js';
import { clientConfig, migrationDataSourceOptions } from '../connection/connection-options.js';
import { isDatabaseUnavailable } from '../connection/connection-errors.js';
import { missingStatements } from '../generate/generate-migration.js';
import { readSnapshot, type Snapshot } from '../generate/snapshot.js';
import { createHistory, type Query } from '../history/migration-history.js';
import { findMigrations, type MigrationFile } from '../history/migration-files.js';
import { runMigration } from './run-migration.js';
import { insertSampleRows } from './sample-rows.js';
import { withScratchDatabase } from './scratch-database.js';
import { lostValues, readValues, type Losses } from './values.js';

export interface Verification {
  readonly verified: number;
  /** Each fault with the lines of the catalog, the SQL or the columns that show it. */
  readonly faults: readonly string[];
  /** How many values were compared after `up` and after `down`. */
  readonly compared: number;
  /** Tables without sample rows, because their constraints refused all of them: nothing was compared. */
  readonly empty: readonly string[];
}

/**
 * Verifies each migration in a scratch database with rows of edge values:
 * - `up` and `down` lose no values except those that `// lossy: table.column: reason` names;
 * - `down` restores the schema from before `up`, and a second `up` creates the same schema again.
 *
 * After all migrations, the schema must be the one that the entities describe. After a fault, verification continues from
 * the schema after `up`; only a failed `up` ends it.
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
    const scratch = { ...config, database };
    let session = await Session.open(scratch, log);
    try {
      const faults: string[] = [];
      const empty = new Set<string>();
      let verified = 0;
      let compared = 0;
      for (const [index, file] of files.entries()) {
        log.info(`verifying ${file.name}`);
        const accepted = [...file.lossy, ...(config.accepted?.[file.name] ?? [])];
        const own = await faultsOf(file, session, empty, accepted);
        compared += own.compared;
        faults.push(...own.faults.map((fault) => `${file.name}: ${fault}`));
        if (own.isBroken) {
          faults.push(`not verified: ${files.length - index - 1} later migration(s), and the entities`);
          return { verified, faults, compared, empty: [...empty] };
        }
        if (own.faults.length === 0) verified += 1;
        else {
          await session.close();
          await clear();
          session = await Session.open(scratch, log);
          await session.runAll(files.slice(0, index + 1));
        }
      }
      faults.push(...(await missingIn(scratch)));
      return { verified, faults, compared, empty: [...empty] };
    } finally {
      await session.close();
    }
  });
}

interface Findings {
  readonly faults: readonly string[];
  readonly compared: number;
  /** Whether the migrations after it cannot be verified. */
  readonly isBroken?: boolean;
}

/**
 * Finds the faults of a migration. When it returns, `up` is applied, unless it is broken.
 *
 * @param accepted tables and columns whose values may be lost; `*` verifies without rows
 */
async function faultsOf(
  file: MigrationFile,
  session: Session,
  empty: Set<string>,
  accepted: readonly string[],
): Promise<Findings> {
  const { query } = session;
  const catalog = await session.catalog();
  const snapshot = await readSnapshot(query);
  if (accepted.includes('*')) await truncate(query, snapshot);
  else for (const table of await insertSampleRows(query, snapshot)) empty.add(table);
  const values = await readValues(query, snapshot);
  const faults: string[] = [];

  const upFailure = await session.run(file, 'up');
  if (upFailure !== undefined) {
    await truncate(query, await readSnapshot(query));
    const again = await session.run(file, 'up');
    if (again !== undefined) return { faults: [`up failed: ${again}`], compared: 0, isBroken: true };
    return { faults: [`up fails on rows that the schema before allows: ${upFailure}`], compared: 0 };
  }
  const after = await session.catalog();
  const up = await lostValues(query, values, await readValues(query, await readSnapshot(query)));
  faults.push(...lossFaults('up', up.lost, accepted));

  const downFailure = await session.run(file, 'down');
  if (downFailure !== undefined)
    return { faults: [...faults, `down failed: ${downFailure}`], compared: up.compared };
  const unrestored = differences(catalog, await session.catalog());
  // A second `up` would only fail for the same reason.
  if (unrestored.length > 0) {
    return { faults: [...faults, block('down does not restore', unrestored)], compared: up.compared };
  }
  const down = await lostValues(query, values, await readValues(query, snapshot), up.lost);
  faults.push(...lossFaults('down', down.lost, accepted));
  const compared = up.compared + down.compared;

  const secondFailure = await session.run(file, 'up');
  if (secondFailure !== undefined)
    return { faults: [...faults, `up again failed: ${secondFailure}`], compared };
  const changed = differences(after, await session.catalog());
  if (changed.length > 0) faults.push(block('up again differs', changed));
  return { faults, compared };
}

function lossFaults(direction: 'up' | 'down', lost: Losses, accepted: readonly string[]): string[] {
  const lines = [...lost]
    .filter(([what]) => !accepted.includes(what) && !accepted.includes(what.replace(/\.[^.]*$/, '')))
    .map(([what, count]) => `${what}: ${count} values`);
  return lines.length === 0
    ? []
    : [block(`${direction} loses values, without "// lossy: <table.column>: <reason>" in its file`, lines)];
}

async function truncate(query: Query, { tables }: Snapshot): Promise<void> {
  const names = Object.keys(tables);
  if (names.length > 0) await query(`TRUNCATE ${names.join(', ')}`);
}

/** Faults for the SQL that would turn the schema of the migrations into that of the entities. */
async function missingIn(config: MigratorOptions): Promise<string[]> {
  try {
    const statements = await missingStatements(config);
    return statements.map((sql) => `missing for the entities: ${oneLine(sql)}`);
  } catch (error) {
    if (error instanceof QueryFailedError && !isDatabaseUnavailable(error))
      return [`the entities cannot be compared: ${reasonOf(error)}`];
    throw error;
  }
}

/** Connections to the scratch database: a pool that migrates, and a client that reads the catalog. */
class Session {
  private constructor(
    private readonly dataSource: DataSource,
    private readonly inspector: Client,
    private readonly log: MigrationLog,
  ) {}

  static async open(config: MigratorOptions, log: MigrationLog): Promise<Session> {
    const inspector = new Client(clientConfig(config.database, 'migrations'));
    inspector.on('error', () => {});
    const dataSource = new DataSource(migrationDataSourceOptions(config));
    await dataSource.initialize();
    await inspector.connect();
    await createHistory((text) => inspector.query(text));
    return new Session(dataSource, inspector, log);
  }

  readonly query: Query = async (text, values) => (await this.inspector.query(text, values)).rows as unknown;

  catalog(): Promise<string[]> {
    return readCatalog(this.query);
  }

  /** @returns the reason for a failure; undefined on success */
  async run(file: MigrationFile, direction: 'up' | 'down'): Promise<string | undefined> {
    const log = (line: string) => this.log.info(`migration ${file.name}: ${line}`);
    try {
      await runMigration(this.dataSource, file, direction, (runner) =>
        runner.isTransactionActive ? runner : resumable(runner, log),
      );
      return undefined;
    } catch (error) {
      if (isDatabaseUnavailable(error)) throw error;
      return reasonOf(error);
    }
  }

  async runAll(files: readonly MigrationFile[]): Promise<void> {
    for (const file of files) {
      const failure = await this.run(file, 'up');
      // The same statements succeeded before.
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
