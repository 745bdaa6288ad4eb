import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import type { BuildCopy, MigrationSources } from '../harness/programs/build-copy.js';
import { createDatabase, createMigratedDatabase, type TestDatabase } from '../harness/database/database.js';
import { errorsOf, Releases } from '../harness/programs/releases.js';
import { TcpProxy } from '../harness/servers/tcp-proxy.js';
import { until } from '../harness/until.js';

const REPLICAS = 8;

/** Takes 2 s, in several statements. */
const SLOW: MigrationSources = {
  '9000000000001-Slow': `
    async up(runner) {
      await runner.query('ALTER TABLE entries ADD COLUMN slow_a integer NOT NULL DEFAULT 1');
      await runner.query('SELECT pg_sleep(2)');
      await runner.query('ALTER TABLE entries ADD COLUMN slow_b integer NOT NULL DEFAULT 2');
    }
    async down(runner) {
      await runner.query('ALTER TABLE entries DROP COLUMN slow_b');
      await runner.query('ALTER TABLE entries DROP COLUMN slow_a');
    }`,
};

let migrated: TestDatabase;
let releases: Releases;

beforeAll(async () => {
  migrated = await createMigratedDatabase();
});
afterAll(() => migrated.drop());
beforeEach(async () => {
  releases = await Releases.create(migrated);
});
afterEach(() => releases.remove());

/** Continues on a database without a schema. */
async function useEmptyDatabase(): Promise<void> {
  await releases.remove();
  releases = await Releases.create();
}

describe('eight replicas booted at the same instant', () => {
  async function expectOneToMigrate(build: BuildCopy): Promise<void> {
    const replicas = Array.from({ length: REPLICAS }, () => releases.boot(build));
    await Promise.all(replicas.map((replica) => replica.said(/listening on/, 60_000)));
    const applied = replicas.filter(({ stdout }) => stdout.includes('migrations applied'));
    expect(applied).toHaveLength(1);
    for (const replica of replicas) {
      expect(errorsOf(replica)).toEqual([]);
      const waited = replica.lines.filter(({ msg }) => msg?.startsWith('migrations: waiting'));
      // One that came late finds nothing pending, and waits for nobody.
      expect(waited.length).toBeLessThanOrEqual(1);
      for (const { msg } of waited) {
        expect(msg).toMatch(/lock of "release \S+ migrating on .*" \(backend \d+ from \S+, since \d+ s\)/);
      }
    }
    const names = await releases.migrationNames();
    expect(new Set(names).size).toBe(names.length);
    expect(names.at(-1)).toBe('Slow9000000000001');
    expect(await releases.columnsOf('entries')).toEqual(expect.arrayContaining(['slow_a', 'slow_b']));
    // Most were there while the slow migration ran.
    const waiting = replicas.filter(({ stdout }) => stdout.includes('migrations: waiting'));
    expect(waiting.length).toBeGreaterThan(0);
    // Of this database: other suites hold theirs.
    expect(
      await releases.database.query(
        `SELECT 1 FROM pg_locks WHERE locktype = 'advisory'
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
      ),
    ).toEqual([]);
  }

  it('on an empty database: one migrates, the others wait and say so, all become ready', async () => {
    await useEmptyDatabase();
    await expectOneToMigrate(releases.build(SLOW));
  }, 90_000);

  it('on a database that is one migration behind: the same', async () => {
    await expectOneToMigrate(releases.build(SLOW));
  }, 90_000);
});

describe('the migration lock', () => {
  it('is of one database: another database of the server migrates meanwhile', async () => {
    const other = await createDatabase();
    try {
      const build = releases.build(SLOW);
      const slow = releases.boot(build);
      await until('the first migrates', async () => (await lockHolders()) === 1);
      const unhindered = releases.boot(undefined, { DATABASE_URL: other.url });
      await unhindered.listening();
      expect(unhindered.stdout).not.toContain('waiting');
      await slow.listening();
    } finally {
      await other.drop();
    }
  });

  it('is not waited for at a server that hangs', async () => {
    await useEmptyDatabase();
    const { hostname, port } = new URL(releases.database.url);
    const proxy = await TcpProxy.to(hostname, Number(port));
    const holder = new Client({ connectionString: releases.database.url });
    await holder.connect();
    await holder.query('SELECT pg_advisory_lock(28550419062547827)');
    try {
      const program = releases.boot(undefined, {
        DATABASE_URL: Object.assign(new URL(releases.database.url), { host: `127.0.0.1:${proxy.port}` }).href,
        DB_STATEMENT_TIMEOUT_MS: '500',
      });
      await program.said(/migrations: waiting/);
      proxy.hold();
      expect(await program.exited).toEqual({ code: 1, signal: null });
      expect(program.lines.at(-1)).toMatchObject({
        level: 'fatal',
        msg: 'Lost the database connection while reading the applied migrations: Query read timeout',
      });
    } finally {
      await holder.end();
      await proxy.close();
    }
  });

  it('times out after MIGRATIONS_LOCK_TIMEOUT_MS', async () => {
    await useEmptyDatabase();
    const holder = new Client({ connectionString: releases.database.url, application_name: 'somebody' });
    await holder.connect();
    await holder.query('SELECT pg_advisory_lock(28550419062547827)');
    try {
      const program = releases.boot(undefined, { MIGRATIONS_LOCK_TIMEOUT_MS: '400' });
      expect(await program.exited).toEqual({ code: 1, signal: null });
      expect(program.lines.at(-1)).toMatchObject({
        level: 'fatal',
        msg: expect.stringMatching(/not free within 400 ms: it is held by "somebody"/),
      });
    } finally {
      await holder.end();
    }
  });

  it('lost in the midst of a migration: nothing of the migration is committed', async () => {
    const program = releases.boot(releases.build(SLOW));
    await until('it migrates', async () => (await lockHolders()) === 1);
    await releases.database.query(
      `SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'
          AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
    );
    expect((await program.exited).code).toBe(1);
    expect(program.lines.at(-1)?.msg).toContain('Lost the connection that holds the migration lock');
    expect(await releases.migrationNames()).not.toContain('Slow9000000000001');
    expect(await releases.columnsOf('entries')).not.toContain('slow_a');
  });

  async function lockHolders(): Promise<number> {
    const rows = await releases.database.query(
      `SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND granted
          AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
          AND EXISTS (SELECT FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(2)' AND datname = current_database())`,
    );
    return rows.length;
  }
});

describe('SIGKILL in the midst of a migration', () => {
  /** Stops at each of its statements for as long as the advisory lock 1, 2 or 3 is held by somebody else. */
  const STEPS: MigrationSources = {
    '9000000000001-Steps': `
      async up(runner) {
        await runner.query('SELECT pg_advisory_xact_lock_shared(1)');
        await runner.query('CREATE TABLE step_one (id integer PRIMARY KEY)');
        await runner.query('SELECT pg_advisory_xact_lock_shared(2)');
        await runner.query('ALTER TABLE entries ADD COLUMN step_two integer NOT NULL DEFAULT 2');
        await runner.query('SELECT pg_advisory_xact_lock_shared(3)');
        await runner.query("INSERT INTO step_one VALUES (3)");
        await runner.query('SELECT pg_advisory_xact_lock_shared(4)');
      }
      async down(runner) {
        await runner.query('ALTER TABLE entries DROP COLUMN step_two');
        await runner.query('DROP TABLE step_one');
      }`,
  };

  it.each([1, 2, 3, 4])('at point %i: the next boot applies it whole, and once', async (point) => {
    const build = releases.build(STEPS);
    const gate = new Client({ connectionString: releases.database.url });
    gate.on('error', () => {});
    await gate.connect();
    await gate.query('SELECT pg_advisory_lock($1)', [point]);
    const killed = releases.boot(build, { MIGRATIONS_LOCK_TIMEOUT_MS: '60000' });
    await until(
      'it waits at that point',
      async () =>
        (
          await releases.database.query(
            `SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND objid = $1
                AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
            [point],
          )
        ).length === 1,
    );
    await killed.stop('SIGKILL');
    await gate.end();
    const next = releases.boot(build);
    await next.listening();
    expect(errorsOf(next)).toEqual([]);
    expect(await releases.database.query('SELECT id FROM step_one')).toEqual([{ id: 3 }]);
    expect(await releases.columnsOf('entries')).toContain('step_two');
    expect((await releases.migrationNames()).filter((name) => name.startsWith('Steps'))).toHaveLength(1);
  });
});
