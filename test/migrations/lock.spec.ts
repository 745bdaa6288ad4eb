import { hostname } from 'node:os';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import { loadCommandConfig } from '../../src/config/config.js';
import {
  LOCK_KEY,
  MigrationLockError,
  MigrationLockTimeoutError,
  withMigrationLock,
  type MigrationLock,
} from '../../src/migrator/apply/migration-lock.js';
import { createDatabase, type TestDatabase } from '../harness/database/database.js';
import { describeWithPgBouncer, startPgBouncer } from '../harness/servers/pgbouncer.js';
import { until } from '../harness/until.js';

let database: TestDatabase;
beforeAll(async () => {
  database = await createDatabase();
});
afterAll(() => database.drop());

let lines: string[];
let other: Client;
beforeEach(async () => {
  lines = [];
  other = new Client({ connectionString: database.url, application_name: 'somebody' });
  await other.connect();
});
afterEach(() => other.end());

function underLock<T>(
  work: (lock: MigrationLock) => Promise<T>,
  { lockTimeoutMs = 60_000, url = database.url, direct = false } = {},
): Promise<T> {
  const options = loadCommandConfig({ DATABASE_URL: url });
  return withMigrationLock(
    { database: options.database, migrations: '', entities: [], lockTimeoutMs, direct, release: '7' },
    (line) => lines.push(line),
    work,
  );
}

/** Of this database: other suites migrate theirs on the same server. */
async function holders(): Promise<string[]> {
  const rows = await database.query<{ name: string }>(
    `SELECT application_name AS name FROM pg_locks JOIN pg_stat_activity USING (pid)
      WHERE datname = current_database() AND locktype = 'advisory' AND granted AND (classid::bigint << 32) + objid::bigint = $1`,
    [LOCK_KEY],
  );
  return rows.map(({ name }) => name);
}

describe('withMigrationLock', () => {
  it('holds the lock while the work runs, and returns its result', async () => {
    const held = await underLock(async (lock) => {
      await lock.assertHeld();
      return holders();
    });
    expect(held).toEqual([`release 7 migrating on ${hostname()}`.slice(0, 63)]);
    expect(await holders()).toEqual([]);
    expect(lines).toEqual([]);
  });

  it('releases the lock when the work fails', async () => {
    await expect(underLock(() => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(await holders()).toEqual([]);
  });

  it('waits for another holder, and says once for which', async () => {
    await other.query('SELECT pg_advisory_lock($1)', [LOCK_KEY]);
    const { pid } = (await other.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')).rows[0]!;
    const work = underLock(holders);
    await until('it says that it waits', () => lines.length > 0);
    await other.query('SELECT pg_advisory_unlock($1)', [LOCK_KEY]);
    expect(await work).toHaveLength(1);
    expect(lines).toEqual([
      expect.stringMatching(
        `^migrations: waiting for the migration lock of "somebody" \\(backend ${pid} from \\S+, since \\d+ s\\)$`,
      ),
    ]);
  });

  it('gives up when the time is over, without the work', async () => {
    await other.query('SELECT pg_advisory_lock($1)', [LOCK_KEY]);
    let ran = false;
    const work = underLock(() => Promise.resolve((ran = true)), { lockTimeoutMs: 200 });
    const error: unknown = await work.catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(MigrationLockTimeoutError);
    expect(error).toMatchObject({
      name: 'MigrationLockTimeoutError',
      message: expect.stringMatching(
        /^The migration lock was not free within 200 ms: it is held by "somebody"/,
      ),
    });
    expect(ran).toBe(false);
    expect(lines).toHaveLength(1);
  });

  it('reports in the midst of the work that the connection of the lock is lost', async () => {
    const error: unknown = await underLock(async (lock) => {
      await other.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'release 7%'`,
      );
      await until('its backend has ended', async () => (await holders()).length === 0);
      await lock.assertHeld();
    }).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(MigrationLockError);
    expect(error).toMatchObject({
      name: 'MigrationLockError',
      message: 'Lost the connection that holds the migration lock',
      cause: expect.any(Error),
    });
  });
});

describeWithPgBouncer('withMigrationLock behind a pooler in transaction mode', () => {
  it('refuses to work, unless the connection is said to be direct', async () => {
    const pooler = await startPgBouncer(database, 'transaction');
    try {
      const { url } = pooler;
      const { host, pathname } = new URL(url);
      let ran = false;
      const work = () => Promise.resolve((ran = true));
      await expect(underLock(work, { url })).rejects.toThrow(
        `The database ${host}${pathname} is behind a pooler in transaction mode, which cannot hold the migration lock: ` +
          'set MIGRATIONS_DATABASE_URL to the direct address of PostgreSQL',
      );
      expect(ran).toBe(false);
      await underLock(work, { url, direct: true });
      expect(ran).toBe(true);
    } finally {
      await pooler.stop();
    }
  });
});
