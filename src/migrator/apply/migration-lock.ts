import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import type { MigratorOptions } from '../migrator-options.js';
import { clientConfig } from '../connection/connection-options.js';
import { isTransactionPooler } from '../connection/transaction-pooler.js';

/** Must never change. Advisory locks are per database, so databases of one server do not block each other. */
export const LOCK_KEY = '28550419062547827';

const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 1000;

/** Another process held the migration lock for longer than MIGRATIONS_LOCK_TIMEOUT_MS. */
export class MigrationLockTimeoutError extends Error {
  override readonly name = 'MigrationLockTimeoutError';
}

/** The connection cannot hold the lock, or has lost it. */
export class MigrationLockError extends Error {
  override readonly name = 'MigrationLockError';
}

export interface MigrationLock {
  /** @throws {MigrationLockError} if the connection of the lock, and so the lock, is lost */
  assertHeld(): Promise<void>;
}

/**
 * Runs `work` under the PostgreSQL advisory lock of migrations, on a connection of its own. PostgreSQL releases the
 * lock when that connection ends, even if the process crashes.
 *
 * The lock is polled: a session that blocks in `pg_advisory_lock` keeps a transaction open, for which a `CREATE INDEX
 * CONCURRENTLY` under the lock would wait forever.
 *
 * @throws {MigrationLockTimeoutError} after `lockTimeoutMs`
 * @throws {MigrationLockError} behind a pooler in transaction mode
 */
export async function withMigrationLock<T>(
  { database, lockTimeoutMs, direct, release }: MigratorOptions,
  log: (line: string) => void,
  work: (lock: MigrationLock) => Promise<T>,
): Promise<T> {
  // Waiting processes log this name.
  const name = `release ${release} migrating on ${hostname()}`.slice(0, 63);
  const client = new Client(clientConfig(database, name));
  // The next query reports a lost connection. Without a listener, the event would end the process.
  client.on('error', () => {});
  await client.connect();
  try {
    if (!direct && (await isTransactionPooler(client, database))) {
      throw new MigrationLockError(
        `The database ${database.host}:${database.port}/${database.name} is behind a pooler in transaction mode, ` +
          'which cannot hold the migration lock: set MIGRATIONS_DATABASE_URL to the direct address of PostgreSQL',
      );
    }
    await acquire(client, lockTimeoutMs, log);
    return await work({ assertHeld: () => assertHeld(client) });
  } finally {
    await client.end().catch(() => {});
  }
}

/**
 * Not with p-retry: it retries what throws, and a lock that another process holds is no error. It would
 * also be one more dependency of the migrator.
 */
async function acquire(client: Client, timeoutMs: number, log: (line: string) => void): Promise<void> {
  const started = Date.now();
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
    const { rows } = await client.query<{ locked: boolean }>('SELECT pg_try_advisory_lock($1) AS locked', [
      LOCK_KEY,
    ]);
    if (rows[0]?.locked) return;
    if (pause === FIRST_PAUSE_MS)
      log(`migrations: waiting for the migration lock of ${await describeHolder(client)}`);
    if (Date.now() - started + pause > timeoutMs) {
      throw new MigrationLockTimeoutError(
        `The migration lock was not free within ${timeoutMs} ms: it is held by ${await describeHolder(client)}`,
      );
    }
    await sleep(pause);
  }
}

async function assertHeld(client: Client): Promise<void> {
  try {
    // Succeeds if this session holds the lock already, and fails if another session does.
    const { rows } = await client.query<{ locked: boolean }>('SELECT pg_try_advisory_lock($1) AS locked', [
      LOCK_KEY,
    ]);
    if (rows[0]?.locked) return;
  } catch (error) {
    throw new MigrationLockError('Lost the connection that holds the migration lock', { cause: error });
  }
  throw new MigrationLockError('Another process holds the migration lock');
}

async function describeHolder(client: Client): Promise<string> {
  const { rows } = await client.query<{ pid: number; name: string; address: string; seconds: number }>(
    `SELECT a.pid, a.application_name AS name, coalesce(host(a.client_addr), 'a local socket') AS address,
            round(extract(epoch FROM clock_timestamp() - a.backend_start))::int AS seconds
       FROM pg_locks l JOIN pg_stat_activity a USING (pid)
      WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
        AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND (l.classid::bigint << 32) + l.objid::bigint = $1`,
    [LOCK_KEY],
  );
  const [holder] = rows;
  if (!holder) return 'another process';
  return `"${holder.name}" (backend ${holder.pid} from ${holder.address}, since ${holder.seconds} s)`;
}
