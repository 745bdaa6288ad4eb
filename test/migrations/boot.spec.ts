import { spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import { copyBuild, type BuildCopy, type MigrationSources } from '../harness/programs/build-copy.js';
import { ApiClient } from '../harness/http/client.js';
import { createDatabase, type TestDatabase } from '../harness/database/database.js';
import { Program } from '../harness/programs/program.js';
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

/** With the schema of this release, to copy. */
let migrated: TestDatabase;
let database: TestDatabase;
const builds: BuildCopy[] = [];
const programs: Program[] = [];

beforeAll(async () => {
  migrated = await createDatabase();
  await migrateTo(undefined, migrated.url);
});
afterAll(() => migrated.drop());
beforeEach(async () => {
  database = await createDatabase();
});
afterEach(async () => {
  await Promise.all(programs.splice(0).map((program) => program.stop('SIGKILL')));
  for (const build of builds.splice(0)) build.remove();
  await database.drop();
});

function release(add: MigrationSources = {}, without?: RegExp): BuildCopy {
  const build = copyBuild(add, without);
  builds.push(build);
  return build;
}

function boot(build: BuildCopy | undefined, environment: Readonly<Record<string, string>> = {}): Program {
  const program = Program.start(
    { DATABASE_URL: database.url, DB_POOL_SIZE: '2', ...environment },
    build?.program,
  );
  programs.push(program);
  return program;
}

/** Brings the database to the schema of a release, without starting the service. */
async function migrateTo(build: BuildCopy | undefined, url = database.url): Promise<void> {
  const program = join(dirname(build?.program ?? process.env['TEST_PROGRAM']!), 'database/migrate.js');
  const { exited } = new Program(
    spawn(process.execPath, [program, 'up'], {
      env: { PATH: process.env['PATH'], NODE_ENV: 'test', DATABASE_URL: url },
      stdio: 'ignore',
    }),
  );
  expect(await exited).toEqual({ code: 0, signal: null });
}

/** Continues on a database with the schema of this release. */
async function useMigratedDatabase(): Promise<void> {
  await database.drop();
  database = await createDatabase(migrated.name);
}

const complaints = ({ lines, stderr }: Program) => [
  ...lines.filter(({ level }) => level === 'error' || level === 'fatal'),
  ...(stderr === '' ? [] : [stderr]),
];

const migrationNames = async () =>
  (await database.query<{ name: string }>('SELECT name FROM migrations ORDER BY id')).map(({ name }) => name);

async function columnsOf(table: string): Promise<string[]> {
  const rows = await database.query<{ name: string }>(
    `SELECT attname AS name FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped`,
    [table],
  );
  return rows.map(({ name }) => name);
}

/** Holds `table` as a transaction does that has read it and goes on for long. */
async function holdTable(table: string): Promise<Client> {
  const client = new Client({ connectionString: database.url });
  client.on('error', () => {});
  await client.connect();
  await client.query(`BEGIN; SELECT count(*) FROM ${table}`);
  return client;
}

describe('eight replicas booted at the same instant', () => {
  async function expectOneToMigrate(build: BuildCopy): Promise<void> {
    const replicas = Array.from({ length: REPLICAS }, () => boot(build));
    await Promise.all(replicas.map((replica) => replica.said(/listening on/, 60_000)));
    const applied = replicas.filter(({ stdout }) => stdout.includes('migrations applied'));
    expect(applied).toHaveLength(1);
    for (const replica of replicas) {
      expect(complaints(replica)).toEqual([]);
      const waited = replica.lines.filter(({ msg }) => msg?.startsWith('migrations: waiting'));
      // One that came late finds nothing pending, and waits for nobody.
      expect(waited.length).toBeLessThanOrEqual(1);
      for (const { msg } of waited) {
        expect(msg).toMatch(/lock of "release \S+ migrating on .*" \(backend \d+ from \S+, since \d+ s\)/);
      }
    }
    const names = await migrationNames();
    expect(new Set(names).size).toBe(names.length);
    expect(names.at(-1)).toBe('Slow9000000000001');
    expect(await columnsOf('entries')).toEqual(expect.arrayContaining(['slow_a', 'slow_b']));
    // Most were there while the slow migration ran.
    const waiting = replicas.filter(({ stdout }) => stdout.includes('migrations: waiting'));
    expect(waiting.length).toBeGreaterThan(0);
    // Of this database: other suites hold theirs.
    expect(
      await database.query(
        `SELECT 1 FROM pg_locks WHERE locktype = 'advisory'
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
      ),
    ).toEqual([]);
  }

  it('on an empty database: one migrates, the others wait and say so, all become ready', async () => {
    await expectOneToMigrate(release(SLOW));
  }, 90_000);

  it('on a database that is one migration behind: the same', async () => {
    await useMigratedDatabase();
    await expectOneToMigrate(release(SLOW));
  }, 90_000);
});

describe('the migration lock', () => {
  it('is of one database: another database of the server migrates meanwhile', async () => {
    const other = await createDatabase();
    try {
      const build = release(SLOW);
      const slow = boot(build);
      await until('the first migrates', async () => (await lockHolders()) === 1);
      const unhindered = boot(undefined, { DATABASE_URL: other.url });
      await unhindered.listening();
      expect(unhindered.stdout).not.toContain('waiting');
      await slow.listening();
    } finally {
      await other.drop();
    }
  });

  it('is not waited for at a server that hangs', async () => {
    const { hostname, port } = new URL(database.url);
    const proxy = await TcpProxy.to(hostname, Number(port));
    const holder = new Client({ connectionString: database.url });
    await holder.connect();
    await holder.query('SELECT pg_advisory_lock(28550419062547827)');
    try {
      const program = boot(undefined, {
        DATABASE_URL: Object.assign(new URL(database.url), { host: `127.0.0.1:${proxy.port}` }).href,
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
    const holder = new Client({ connectionString: database.url, application_name: 'somebody' });
    await holder.connect();
    await holder.query('SELECT pg_advisory_lock(28550419062547827)');
    try {
      const program = boot(undefined, { MIGRATIONS_LOCK_TIMEOUT_MS: '400' });
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
    const program = boot(release(SLOW));
    await until('it migrates', async () => (await lockHolders()) === 1);
    await database.query(
      `SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'
          AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
    );
    expect((await program.exited).code).toBe(1);
    expect(program.lines.at(-1)?.msg).toContain('Lost the connection that holds the migration lock');
    expect(await migrationNames()).not.toContain('Slow9000000000001');
    expect(await columnsOf('entries')).not.toContain('slow_a');
  });

  async function lockHolders(): Promise<number> {
    const rows = await database.query(
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
    const build = release(STEPS);
    const gate = new Client({ connectionString: database.url });
    gate.on('error', () => {});
    await gate.connect();
    await gate.query('SELECT pg_advisory_lock($1)', [point]);
    const killed = boot(build, { MIGRATIONS_LOCK_TIMEOUT_MS: '60000' });
    await until(
      'it waits at that point',
      async () =>
        (
          await database.query(
            `SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND objid = $1
                AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
            [point],
          )
        ).length === 1,
    );
    await killed.stop('SIGKILL');
    await gate.end();
    const next = boot(build);
    await next.listening();
    expect(complaints(next)).toEqual([]);
    expect(await database.query('SELECT id FROM step_one')).toEqual([{ id: 3 }]);
    expect(await columnsOf('entries')).toContain('step_two');
    expect((await migrationNames()).filter((name) => name.startsWith('Steps'))).toHaveLength(1);
  });
});

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
    const old = boot(undefined);
    const client = await new ApiClient(await old.listening()).signUp();
    const { body } = await client.post('/entries', { text: 'a secret thought', mood: 7 });
    const failed = boot(release(FAILING));
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
    expect(await database.query(`SELECT to_regclass('half_done') AS half`)).toEqual([{ half: null }]);
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
    const client = await new ApiClient(await boot(undefined).listening()).signUp();
    await client.post('/entries', { text: 'a secret thought', mood: 7 });
    const failed = boot(release(CAST));
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
    const old = boot(undefined);
    const client = await new ApiClient(await old.listening()).signUp();
    await client.post('/entries', { text: 'read meanwhile', mood: 5 });
    const holder = await holdTable('entries');
    const migrating = boot(release(BUSY));
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
    expect(complaints(migrating)).toEqual([]);
    expect(migrating.stdout).toContain('Busy9000000000001 needs a table that is in use');
    expect(await columnsOf('entries')).toContain('busy');
    expect(reads).toBeGreaterThan(10);
    // Promised to the readers, and not a matter of this machine's speed: lock_timeout is 2 s.
    expect(longestMs).toBeLessThan(2500);
  }, 90_000);

  it('gives up after MIGRATIONS_LOCK_TIMEOUT_MS, with the reason', async () => {
    await useMigratedDatabase();
    const holder = await holdTable('entries');
    const failed = boot(release(BUSY), { MIGRATIONS_LOCK_TIMEOUT_MS: '1000' });
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
    database.query(
      `SELECT indisvalid AS valid FROM pg_index WHERE indexrelid = to_regclass('entries_mood_idx')`,
    );

  it('builds its index, once, while three replicas boot', async () => {
    await useMigratedDatabase();
    const build = release(INDEX);
    const replicas = Array.from({ length: 3 }, () => boot(build));
    await Promise.all(replicas.map((replica) => replica.said(/listening on/, 60_000)));
    expect(replicas.flatMap(complaints)).toEqual([]);
    expect(await indexState()).toEqual([{ valid: true }]);
  });

  it('killed during the build: the invalid index is dropped and rebuilt', async () => {
    await useMigratedDatabase();
    const build = release(INDEX);
    // An open transaction that has written keeps a concurrent build waiting.
    const writer = new Client({ connectionString: database.url });
    await writer.connect();
    await writer.query(
      `BEGIN; INSERT INTO users (id, email, password_hash) VALUES (gen_random_uuid(), 'w@example.org', 'x');
       LOCK TABLE entries IN ROW EXCLUSIVE MODE`,
    );
    const killed = boot(build);
    await until('the index is there, and not valid', async () => {
      const [index] = (await indexState()) as { valid: boolean }[];
      return index?.valid === false;
    });
    await killed.stop('SIGKILL');
    // The server process notices that its client is gone only when it is done: as an operator would, end it.
    await database.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND query LIKE '%CREATE INDEX CONC%' AND pid <> pg_backend_pid()`,
    );
    await writer.end();
    expect(await indexState()).toEqual([{ valid: false }]);
    const next = boot(build);
    await next.listening();
    expect(next.stdout).toContain('was left invalid when the migration was interrupted: rebuilding it');
    expect(complaints(next)).toEqual([]);
    expect(await indexState()).toEqual([{ valid: true }]);
  });

  it('that fails: reports that its changes remain, and runs again at the next start', async () => {
    await useMigratedDatabase();
    const twoSteps = (second: string) => ({
      '9000000000001-TwoSteps': `
        transaction = false;
        async up(runner) {
          await runner.query('CREATE INDEX CONCURRENTLY "entries_mood_idx" ON "entries" ("mood")');
          await runner.query('${second}');
        }
        async down(runner) {}`,
    });
    const failed = boot(release(twoSteps('CREATE INDEX CONCURRENTLY "nowhere_idx" ON "nowhere" ("id")')));
    expect((await failed.exited).code).toBe(1);
    expect(failed.lines.at(-1)?.msg).toMatch(
      /TwoSteps9000000000001 failed, its changes outside a transaction remain.*42P01/,
    );
    expect(await indexState()).toEqual([{ valid: true }]);
    const mended = boot(
      release(twoSteps('CREATE INDEX CONCURRENTLY "entries_version_idx" ON "entries" ("version")')),
    );
    await mended.listening();
    expect(mended.stdout).toContain('keeping it');
  });

  it('killed after the build and before the history was written: the index is kept', async () => {
    await useMigratedDatabase();
    await database.query('CREATE INDEX "entries_mood_idx" ON "entries" ("mood")');
    const next = boot(release(INDEX));
    await next.listening();
    expect(next.stdout).toContain('was completed before the migration was interrupted: keeping it');
    expect(await migrationNames()).toContain('IndexMood9000000000001');
  });
});

describe('order and identity', () => {
  const ADD = (column: string, extra = '') => `${extra}
    async up(runner) { await runner.query('ALTER TABLE entries ADD COLUMN ${column} integer'); }
    async down(runner) { await runner.query('ALTER TABLE entries DROP COLUMN ${column}'); }`;

  it('names a migration that was edited after it was applied, at boot and in status', async () => {
    await migrateTo(release({ '9000000000001-AddThing': ADD('thing') }));
    const edited = release({ '9000000000001-AddThing': ADD('other') });
    const program = boot(edited);
    await program.listening();
    expect(program.lines).toContainEqual(
      expect.objectContaining({
        level: 'warn',
        msg: expect.stringMatching(/AddThing9000000000001 was edited/),
      }),
    );
  });

  it('does not warn if a migration was only reformatted', async () => {
    await migrateTo(release({ '9000000000001-AddThing': ADD('thing') }));
    const formatted = release({
      '9000000000001-AddThing': ADD('thing').replace('ALTER TABLE entries ADD', 'ALTER TABLE  entries  ADD'),
    });
    const program = boot(formatted);
    await program.listening();
    expect(program.stdout).not.toContain('was edited');
  });

  it('applies one that is older than the newest applied one, with a warning', async () => {
    await migrateTo(release({ '9000000000002-Second': ADD('second') }));
    const merged = boot(
      release({ '9000000000001-First': ADD('first'), '9000000000002-Second': ADD('second') }),
    );
    await merged.listening();
    expect(merged.stdout).toContain(
      'First9000000000001 is older than the newest applied migration: applying it anyway',
    );
    expect(await columnsOf('entries')).toEqual(expect.arrayContaining(['first', 'second']));
  });

  it('refuses a database of a newer release, and names the release to use', async () => {
    await migrateTo(release({ '9000000000001-Newer': ADD('newer') }));
    const older = boot(undefined);
    expect(await older.exited).toEqual({ code: 1, signal: null });
    expect(older.lines.at(-1)?.msg).toMatch(
      /ahead of this release \(\d+\.\d+\.\d+\), by Newer9000000000001, .* use release \d+\.\d+\.\d+ or later/,
    );
  });

  it('starts with a warning if newer migrations are marked compatible', async () => {
    await migrateTo(release({ '9000000000001-Newer': ADD('newer', 'compatible = true;') }));
    const older = boot(undefined);
    const client = await new ApiClient(await older.listening()).signUp();
    expect(older.lines).toContainEqual(
      expect.objectContaining({ level: 'warn', msg: expect.stringContaining('marked compatible') }),
    );
    expect((await client.post('/entries', { text: 'works', mood: 5 })).status).toBe(201);
    expect((await client.get('/health')).status).toBe(200);
  });

  it('applies a generated migration for a generated column, whose expression TypeORM stores in its own table', async () => {
    const build = release({
      '9000000000001-AddSearch': `
        async up(runner) {
          await runner.query("ALTER TABLE entries ADD search tsvector GENERATED ALWAYS AS (to_tsvector('simple', text)) STORED");
          await runner.query(
            'INSERT INTO "typeorm_metadata"("database", "schema", "table", "type", "name", "value") VALUES ($1, $2, $3, $4, $5, $6)',
            ['db', 'public', 'entries', 'GENERATED_COLUMN', 'search', "to_tsvector('simple', text)"],
          );
        }
        async down(runner) {
          await runner.query('DELETE FROM "typeorm_metadata" WHERE "name" = $1', ['search']);
          await runner.query('ALTER TABLE entries DROP COLUMN search');
        }`,
    });
    await boot(build).listening();
    expect(await columnsOf('entries')).toContain('search');
  });

  it('adds migrations that TypeORM applied to its history', async () => {
    await useMigratedDatabase();
    await database.query('DROP TABLE migration_history');
    await migrateTo(release({ '9000000000001-AddThing': ADD('thing') }));
    const rows = await database.query<{ name: string; release: string }>(
      'SELECT name, release FROM migration_history ORDER BY name',
    );
    expect(rows.map(({ name }) => name).sort()).toEqual((await migrationNames()).sort());
    expect(rows.filter(({ release }) => release === 'unknown')).toHaveLength(rows.length - 1);
  });
});
