import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import type { MigrationSources } from '../harness/programs/build-copy.js';
import { ApiClient } from '../harness/http/client.js';
import { createMigratedDatabase, type TestDatabase } from '../harness/database/database.js';
import { errorsOf, Releases } from '../harness/programs/releases.js';
import { until } from '../harness/until.js';

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

/** Holds `table` as a transaction does that has read it and goes on for long. */
async function holdTable(table: string): Promise<Client> {
  const client = new Client({ connectionString: releases.database.url });
  client.on('error', () => {});
  await client.connect();
  await client.query(`BEGIN; SELECT count(*) FROM ${table}`);
  return client;
}

describe('a migration that fails', () => {
  const FAILING: MigrationSources = {
    '9000000000001-Failing': `
      async up(runner) {
        await runner.query('CREATE TABLE half_done (id integer)');
        await runner.query('UPDATE entries SET mood = 11');
      }
      async down() {}`,
  };

  it('leaves nothing, is named with statement and reason, and the old replica keeps serving', async () => {
    const old = releases.boot();
    const client = await new ApiClient(await old.listening()).signUp();
    const { body } = await client.post('/entries', { text: 'a secret thought', mood: 7 });
    const failed = releases.boot(releases.build(FAILING));
    let served = 0;
    const progress = { isOver: false };
    void failed.exited.then(() => (progress.isOver = true));
    while (!progress.isOver) {
      expect((await client.get(`/entries/${body.id}`)).status).toBe(200);
      expect((await client.post('/entries', { text: 'more', mood: 7 })).status).toBe(201);
      served += 1;
    }
    expect(served).toBeGreaterThan(1);
    expect(await failed.exited).toEqual({ code: 1, signal: null });
    const last = failed.lines.at(-1);
    expect(last).toMatchObject({ level: 'fatal' });
    for (const part of [
      'Failing9000000000001',
      'UPDATE entries SET mood = 11',
      'entries_mood_check',
      '23514',
    ]) {
      expect(last?.msg).toContain(part);
    }
    // The row in PostgreSQL's detail is somebody's diary.
    expect(last?.msg).not.toContain('a secret thought');
    expect(await releases.database.query(`SELECT to_regclass('half_done') AS half`)).toEqual([
      { half: null },
    ]);
    expect((await new ApiClient(await old.listening()).get('/health')).status).toBe(200);
  });
});

describe('a migration that meets a value it cannot take', () => {
  const CAST: MigrationSources = {
    '9000000000001-Cast': `
      async up(runner) { await runner.query('UPDATE entries SET mood = text::smallint'); }
      async down() {}`,
  };

  it('is logged with statement and SQLSTATE, without the value, which is user data', async () => {
    const client = await new ApiClient(await releases.boot().listening()).signUp();
    await client.post('/entries', { text: 'a secret thought', mood: 7 });
    const failed = releases.boot(releases.build(CAST));
    expect((await failed.exited).code).toBe(1);
    const last = failed.lines.at(-1);
    for (const part of ['Cast9000000000001', 'UPDATE entries SET mood', '22P02'])
      expect(last?.msg).toContain(part);
    expect(failed.stdout + failed.stderr).not.toContain('secret');
  });
});

describe('a migration that wants a table in use', () => {
  const BUSY: MigrationSources = {
    '9000000000001-Busy': `
      async up(runner) { await runner.query('ALTER TABLE entries ADD COLUMN busy integer'); }
      async down(runner) { await runner.query('ALTER TABLE entries DROP COLUMN busy'); }`,
  };

  it('lets the readers behind it pass after 2 s, tries again, and gets its turn', async () => {
    const old = releases.boot();
    const client = await new ApiClient(await old.listening()).signUp();
    await client.post('/entries', { text: 'read meanwhile', mood: 5 });
    const holder = await holdTable('entries');
    const migrating = releases.boot(releases.build(BUSY));
    let longestMs = 0;
    let reads = 0;
    const progress = { isReady: false };
    const ready = migrating.said(/listening on/, 60_000).finally(() => (progress.isReady = true));
    let freed: Promise<void> | undefined;
    while (!progress.isReady) {
      const started = performance.now();
      expect((await client.get('/entries')).status).toBe(200);
      longestMs = Math.max(longestMs, performance.now() - started);
      reads += 1;
      if (migrating.stdout.includes('next try in 1000 ms')) freed ??= holder.end();
      await sleep(20);
    }
    await ready;
    await freed;
    expect(freed).toBeDefined();
    expect(errorsOf(migrating)).toEqual([]);
    expect(migrating.stdout).toContain('Busy9000000000001 needs a table that is in use');
    expect(await releases.columnsOf('entries')).toContain('busy');
    expect(reads).toBeGreaterThan(10);
    // Promised to the readers, and not a matter of this machine's speed: lock_timeout is 2 s.
    expect(longestMs).toBeLessThan(2500);
  }, 90_000);

  it('gives up after MIGRATIONS_LOCK_TIMEOUT_MS, with the reason', async () => {
    const holder = await holdTable('entries');
    const failed = releases.boot(releases.build(BUSY), { MIGRATIONS_LOCK_TIMEOUT_MS: '1000' });
    expect(await failed.exited).toEqual({ code: 1, signal: null });
    expect(failed.lines.at(-1)?.msg).toMatch(/Busy9000000000001 failed.*lock timeout.*55P03/);
    await holder.end();
  });
});

describe('a migration outside of a transaction', () => {
  const INDEX: MigrationSources = {
    '9000000000001-IndexMood': `
      transaction = false;
      async up(runner) { await runner.query('CREATE INDEX CONCURRENTLY "entries_mood_idx" ON "entries" ("mood")'); }
      async down(runner) { await runner.query('DROP INDEX CONCURRENTLY "entries_mood_idx"'); }`,
  };
  const indexState = () =>
    releases.database.query(
      `SELECT indisvalid AS valid FROM pg_index WHERE indexrelid = to_regclass('entries_mood_idx')`,
    );

  it('builds its index, once, while three replicas boot', async () => {
    const build = releases.build(INDEX);
    const replicas = Array.from({ length: 3 }, () => releases.boot(build));
    await Promise.all(replicas.map((replica) => replica.said(/listening on/, 60_000)));
    expect(replicas.flatMap(errorsOf)).toEqual([]);
    expect(await indexState()).toEqual([{ valid: true }]);
  });

  it('killed during the build: the invalid index is dropped and rebuilt', async () => {
    const build = releases.build(INDEX);
    // An open transaction that has written keeps a concurrent build waiting.
    const writer = new Client({ connectionString: releases.database.url });
    await writer.connect();
    await writer.query(
      `BEGIN; INSERT INTO users (id, email, password_hash) VALUES (gen_random_uuid(), 'w@example.org', 'x');
       LOCK TABLE entries IN ROW EXCLUSIVE MODE`,
    );
    const killed = releases.boot(build);
    await until('the index is there, and not valid', async () => {
      const [index] = (await indexState()) as { valid: boolean }[];
      return index?.valid === false;
    });
    await killed.stop('SIGKILL');
    // The server process notices that its client is gone only when it is done: as an operator would, end it.
    await releases.database.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND query LIKE '%CREATE INDEX CONC%' AND pid <> pg_backend_pid()`,
    );
    await writer.end();
    expect(await indexState()).toEqual([{ valid: false }]);
    const next = releases.boot(build);
    await next.listening();
    expect(next.stdout).toContain('was left invalid when the migration was interrupted: rebuilding it');
    expect(errorsOf(next)).toEqual([]);
    expect(await indexState()).toEqual([{ valid: true }]);
  });

  it('that fails: reports that its changes remain, and runs again at the next start', async () => {
    const twoSteps = (second: string) => ({
      '9000000000001-TwoSteps': `
        transaction = false;
        async up(runner) {
          await runner.query('CREATE INDEX CONCURRENTLY "entries_mood_idx" ON "entries" ("mood")');
          await runner.query('${second}');
        }
        async down(runner) {}`,
    });
    const failed = releases.boot(
      releases.build(twoSteps('CREATE INDEX CONCURRENTLY "nowhere_idx" ON "nowhere" ("id")')),
    );
    expect((await failed.exited).code).toBe(1);
    expect(failed.lines.at(-1)?.msg).toMatch(
      /TwoSteps9000000000001 failed, its changes outside a transaction remain.*42P01/,
    );
    expect(await indexState()).toEqual([{ valid: true }]);
    const repaired = releases.boot(
      releases.build(twoSteps('CREATE INDEX CONCURRENTLY "entries_version_idx" ON "entries" ("version")')),
    );
    await repaired.listening();
    expect(repaired.stdout).toContain('keeping it');
  });

  it('killed after the build and before the history was written: the index is kept', async () => {
    await releases.database.query('CREATE INDEX "entries_mood_idx" ON "entries" ("mood")');
    const next = releases.boot(releases.build(INDEX));
    await next.listening();
    expect(next.stdout).toContain('was completed before the migration was interrupted: keeping it');
    expect(await releases.migrationNames()).toContain('IndexMood9000000000001');
  });
});
