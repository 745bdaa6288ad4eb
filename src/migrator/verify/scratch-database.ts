import { randomBytes } from 'node:crypto';
import { Client } from 'pg';
import type { DatabaseOptions } from '../migrator-options.js';
import { MigrationError } from '../migrator-errors.js';
import type { MigrationLog } from '../migration-log.js';
import { patientClientConfig } from '../connection/connection-options.js';
import { isDatabaseUnavailable } from '../connection/connection-errors.js';

/** SQLSTATE */
const INSUFFICIENT_PRIVILEGE = '42501';

export interface ScratchDatabase {
  readonly database: DatabaseOptions;
  readonly clear: () => Promise<void>;
}

/**
 * Creates a database `migrator_scratch_<random>` on the server of `database` and drops it when `work` ends, also after
 * SIGINT and SIGTERM. After a SIGKILL it remains.
 *
 * @param template database to copy, which must have no connections
 * @throws {MigrationError} if the user may not create databases, the connection is lost, or a signal arrives
 */
export async function withScratchDatabase<T>(
  database: DatabaseOptions,
  log: MigrationLog,
  work: (scratch: ScratchDatabase) => Promise<T>,
  template?: string,
): Promise<T> {
  const name = `migrator_scratch_${randomBytes(6).toString('hex')}`;
  const ended = new AbortController();
  const end = (signal: NodeJS.Signals) => ended.abort(new MigrationError(`Ended by ${signal}`));
  process.on('SIGINT', end).on('SIGTERM', end);

  const create = async () => {
    ended.signal.throwIfAborted();
    await onServer(
      database,
      `CREATE DATABASE ${name}${template === undefined ? '' : ` TEMPLATE ${template}`}`,
    );
    ended.signal.throwIfAborted();
  };
  // WITH (FORCE) needs a superuser while an autovacuum worker is in the database. Without it, the worker is ended.
  const drop = () =>
    onServer(
      database,
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${name}' AND usename = current_user`,
      `DROP DATABASE IF EXISTS ${name}`,
    );
  const clear = async () => {
    await drop();
    await create();
  };
  try {
    await create();
    return await Promise.race([work({ database: { ...database, name }, clear }), rejection(ended.signal)]);
  } catch (error) {
    if (isDatabaseUnavailable(error)) {
      throw new MigrationError(`Lost the connection to the scratch database: ${(error as Error).message}`, {
        cause: error,
      });
    }
    if ((error as { code?: string } | undefined)?.code !== INSUFFICIENT_PRIVILEGE) throw error;
    throw new MigrationError(
      `This needs a scratch database, and ${database.user} may not create one on ${database.host}:${database.port}: ` +
        `run ALTER ROLE "${database.user}" CREATEDB, or use another server, which may be empty`,
      { cause: error },
    );
  } finally {
    await drop().catch((error: unknown) =>
      log.warn(`cannot drop the scratch database ${name}: ${(error as Error).message}`),
    );
    process.off('SIGINT', end).off('SIGTERM', end);
  }
}

function rejection(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });
}

async function onServer(database: DatabaseOptions, ...statements: readonly string[]): Promise<void> {
  const client = new Client(patientClientConfig(database, 'migrations'));
  client.on('error', () => {});
  await client.connect();
  try {
    for (const statement of statements) await client.query(statement);
  } finally {
    await client.end().catch(() => {});
  }
}
