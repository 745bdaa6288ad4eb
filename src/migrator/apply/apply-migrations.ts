import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { DataSource, type Logger, type QueryRunner } from 'typeorm';
import { MigrationError } from '../migrator-errors.js';
import type { MigratorOptions } from '../migrator-options.js';
import { resumable } from './concurrent-index.js';
import { clientConfig, migrationDataSourceOptions } from '../connection/connection-options.js';
import type { Migration, MigrationClass, MigrationDescription } from '../migration.js';
import { findMigrations, type MigrationFile } from '../history/migration-files.js';
import {
  createHistory,
  readApplied,
  recordApplied,
  recordReverted,
  type AppliedMigration,
  type Query,
} from '../history/migration-history.js';
import type { MigrationLog } from '../migration-log.js';
import { withMigrationLock, type MigrationLock } from './migration-lock.js';
import { planMigrations, type MigrationPlan } from '../history/migration-plan.js';

/**
 * How long a migration waits for a table lock, ms. Other statements queue behind it, reads too, so it gives up soon and
 * retries.
 * https://www.postgresql.org/docs/current/explicit-locking.html#LOCKING-TABLES
 */
const LOCK_TIMEOUT_MS = 2000;

const FIRST_RETRY_MS = 500;
const LONGEST_RETRY_MS = 10_000;

/** SQLSTATE: a lock was not granted within `lock_timeout`. */
const LOCK_NOT_AVAILABLE = '55P03';

/** SQLSTATE: the table exists already, so another tool has created the schema. */
const DUPLICATE_TABLE = '42P07';

export function noMigrationFound(): MigrationError {
  return new MigrationError('No migrations found: the build is incomplete, run npm run build');
}

/**
 * Applies pending migrations, each in its own transaction, under the migration lock. Takes no lock if none is pending.
 *
 * @param applied migrations in the database, if the caller has read them
 * @param files the migrations, instead of those of the folder
 * @returns the names of the applied migrations, oldest first
 * @throws {MigrationError} if a migration or the backup fails, the build has no migrations, or the database has newer
 *   migrations that are not marked compatible
 * @throws {MigrationLockTimeoutError}
 * @throws {MigrationLockError}
 */
export async function applyMigrations(
  config: MigratorOptions,
  log: MigrationLog,
  applied?: readonly AppliedMigration[],
  files?: readonly MigrationFile[],
): Promise<string[]> {
  const available = files ?? (await findMigrations(config.migrations));
  if (available.length === 0) throw noMigrationFound();
  const plan = planMigrations(available, applied ?? (await appliedIn(config)));
  checkPlan(plan, config.release, log);
  if (plan.pending.length === 0) return [];
  const requestedAt = performance.now();
  return withMigrationLock(
    config,
    (line) => log.info(line),
    async (lock) => {
      log.locked?.(performance.now() - requestedAt);
      // Another process may have migrated meanwhile.
      const applied = await appliedIn(config, prepareHistory(available));
      const now = planMigrations(available, applied);
      if (now.pending.length === 0) return [];
      for (const { name } of now.late) {
        log.warn(`migration ${name} is older than the newest applied migration: applying it anyway`);
      }
      if (applied.length > 0) await backUp(config, log);
      return run(config, now.pending, lock, log);
    },
  );
}

/**
 * Reverts the newest migration.
 *
 * @param describeLosses lists the data that the revert deletes; called under the lock
 * @returns the migration and its losses; undefined if none is applied
 * @throws {MigrationError} if `down` or the backup fails, or the migration is not in this build
 */
export async function revertNewest(
  config: MigratorOptions,
  log: MigrationLog,
  describeLosses: (name: string) => Promise<string[]> = () => Promise.resolve([]),
): Promise<{ readonly name: string; readonly losses: string[] } | undefined> {
  const available = await findMigrations(config.migrations);
  return withMigrationLock(
    config,
    (line) => log.info(line),
    async (lock) => {
      const newest = (await appliedIn(config, prepareHistory(available))).at(-1);
      if (!newest) return undefined;
      const file = available.find(({ name }) => name === newest.name);
      if (!file) {
        throw new MigrationError(
          `The newest migration, ${newest.name}, is not in this build: revert it with ${releaseOf(newest)}`,
        );
      }
      await backUp(config, log);
      const losses = await describeLosses(newest.name);
      const type = await file.load();
      const context = { release: config.release, lock, log, journal: new MigrationJournal() };
      const dataSource = new DataSource({
        ...migrationDataSourceOptions(config),
        migrations: [tracked(file, type, context)],
        logger: context.journal,
      });
      try {
        await dataSource.initialize();
        // By default TypeORM reverts in a transaction even if the migration forbids one.
        await dataSource.undoLastMigration({
          transaction: new type().transaction === false ? 'none' : 'each',
        });
      } catch (error) {
        throw failure(context.journal, error, newest.name);
      } finally {
        if (dataSource.isInitialized) await dataSource.destroy();
      }
      return { name: newest.name, losses };
    },
  );
}

/** Migrations of the database, in the order in which they were applied. */
export async function appliedIn(
  { database }: MigratorOptions,
  before?: (query: Query) => Promise<void>,
): Promise<AppliedMigration[]> {
  const client = new Client(clientConfig(database, 'migrations'));
  client.on('error', () => {});
  await client.connect();
  const query = statementsOf(client);
  try {
    await before?.(query);
    return await readApplied(query);
  } finally {
    await client.end().catch(() => {});
  }
}

export function statementsOf(client: Client): Query {
  return async (text, values) => (await client.query(text, values)).rows as unknown;
}

/** Creates the history table and adds migrations that TypeORM's CLI applied. */
function prepareHistory(available: readonly MigrationDescription[]) {
  return async (query: Query) => {
    await createHistory(query);
    for (const { name, checksum } of await readApplied(query)) {
      const description =
        checksum === null ? available.find((migration) => migration.name === name) : undefined;
      if (description) await recordApplied(query, description, 'unknown', 0);
    }
  };
}

/** @throws {MigrationError} if the database has newer migrations that are not marked compatible */
function checkPlan({ edited, ahead, incompatible }: MigrationPlan, release: string, log: MigrationLog): void {
  for (const { name } of edited) {
    log.warn(`migration ${name} was edited after it was applied: the schema may differ from the file`);
  }
  const newest = incompatible.at(-1);
  if (newest) {
    throw new MigrationError(
      `The database is ahead of this release (${release}), by ${incompatible.map(({ name }) => name).join(', ')}, ` +
        `which are not marked compatible: use ${releaseOf(newest)} or later`,
    );
  }
  if (ahead.length > 0) {
    log.warn(
      `the database is ahead of this release (${release}), by ${ahead.map(({ name }) => name).join(', ')}, ` +
        'which are marked compatible',
    );
  }
}

async function backUp({ backUp: make }: MigratorOptions, log: MigrationLog): Promise<void> {
  if (make) log.info(`migrations: ${await make(log)}`);
}

function releaseOf({ release }: AppliedMigration): string {
  return release === null ? 'the release that applied it' : `release ${release}`;
}

interface Context {
  readonly release: string;
  readonly lock: MigrationLock;
  readonly log: MigrationLog;
  readonly journal: MigrationJournal;
}

async function run(
  config: MigratorOptions,
  pending: readonly MigrationFile[],
  lock: MigrationLock,
  log: MigrationLog,
): Promise<string[]> {
  const { release } = config;
  const journal = new MigrationJournal();
  const types: MigrationClass[] = [];
  for (const file of pending) types.push(tracked(file, await file.load(), { release, lock, log, journal }));
  const deadline = Date.now() + config.lockTimeoutMs;
  /** By earlier attempts, which stopped at a locked table. */
  const applied: string[] = [];
  for (let pause = FIRST_RETRY_MS; ; pause = Math.min(pause * 2, LONGEST_RETRY_MS)) {
    const dataSource = new DataSource({
      ...migrationDataSourceOptions(config),
      migrations: types,
      logger: journal,
    });
    try {
      await dataSource.initialize();
      const run = await dataSource.runMigrations();
      return [...applied, ...run.map(({ name }) => name)];
    } catch (error) {
      const isBusy = (error as { code?: string } | undefined)?.code === LOCK_NOT_AVAILABLE;
      if (!isBusy || Date.now() + pause > deadline) throw failure(journal, error);
      log.warn(
        `migration ${journal.running ?? ''} needs a table that is in use and gave up waiting after ` +
          `${LOCK_TIMEOUT_MS} ms; next try in ${pause} ms`,
      );
      applied.push(...journal.completed.splice(0));
      journal.running = journal.failedQuery = undefined;
    } finally {
      if (dataSource.isInitialized) await dataSource.destroy();
    }
    await sleep(pause);
  }
}

/** Wraps a migration: sets the lock timeout and writes the history row in its transaction. */
function tracked(
  description: MigrationDescription,
  type: MigrationClass,
  { release, lock, log, journal }: Context,
): MigrationClass {
  class Tracked implements Migration {
    readonly name = description.name;
    readonly transaction?: boolean;
    private readonly migration = new type();

    constructor() {
      if (this.migration.transaction !== undefined) this.transaction = this.migration.transaction;
      if (this.transaction === false) journal.outside.add(this.name);
    }

    async up(runner: QueryRunner): Promise<void> {
      const started = performance.now();
      journal.running = this.name;
      await this.migration.up(await this.prepare(runner));
      // If the lock is lost, another process may run the same migration, so this one must not commit.
      await lock.assertHeld();
      await recordApplied(queryOf(runner), description, release, performance.now() - started);
      journal.completed.push(this.name);
    }

    async down(runner: QueryRunner): Promise<void> {
      await this.migration.down(await this.prepare(runner));
      await lock.assertHeld();
      await recordReverted(queryOf(runner), description.name);
    }

    private async prepare(runner: QueryRunner): Promise<QueryRunner> {
      // Concurrent index builds do not block other statements while they wait, so they need no lock timeout.
      if (!runner.isTransactionActive)
        return resumable(runner, (line) => log.info(`migration ${this.name}: ${line}`));
      await runner.query(`SET LOCAL lock_timeout = ${LOCK_TIMEOUT_MS}`);
      return runner;
    }
  }
  return Tracked;
}

function queryOf(runner: QueryRunner): Query {
  return (text, values) => runner.query(text, values) as Promise<unknown>;
}

function failure(journal: MigrationJournal, error: unknown, name = journal.running): MigrationError {
  const { code, detail, hint } = (error ?? {}) as { code?: string; detail?: string; hint?: string };
  const ofClass = (classes: RegExp) => code !== undefined && classes.test(code);
  const reason = [
    // Messages of class 22 (data exception) quote the value, which may be user data.
    ofClass(/^22/) ? 'PostgreSQL rejected a value' : error instanceof Error ? error.message : String(error),
    code && `(SQLSTATE ${code})`,
    // The detail of classes 22 and 23 (constraint violation) quotes the row.
    ofClass(/^2[23]/) ? undefined : detail,
    hint ??
      (code === DUPLICATE_TABLE
        ? 'Was this schema made by another tool? migrate.js baseline adopts it'
        : undefined),
    journal.failedQuery && `in: ${journal.failedQuery.replace(/\s+/g, ' ').trim()}`,
  ];
  const kept = journal.outside.has(name ?? '')
    ? 'its changes outside a transaction remain, and the next start resumes it'
    : 'and was rolled back';
  return new MigrationError(
    `Migration ${name ?? 'set-up'} failed, ${kept}: ${reason.filter(Boolean).join(' ')}`,
    { cause: error },
  );
}

/** State for the description of a failure. TypeORM reports the failed statement only to its logger. */
class MigrationJournal implements Logger {
  running: string | undefined;
  readonly completed: string[] = [];
  failedQuery: string | undefined;
  /** Migrations that run outside a transaction, whose changes are not rolled back. */
  readonly outside = new Set<string>();

  logQueryError(_error: string | Error, query: string): void {
    this.failedQuery ??= query;
  }

  logQuery(): void {}
  logQuerySlow(): void {}
  logSchemaBuild(): void {}
  logMigration(): void {}
  log(): void {}
}
