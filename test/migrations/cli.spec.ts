import { spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Client } from 'pg';

import { LOCK_KEY } from '../../src/migrator/apply/migration-lock.js';
import { copyBuild, type BuildCopy } from '../harness/programs/build-copy.js';
import { createDatabase, type TestDatabase } from '../harness/database/database.js';
import { Program } from '../harness/programs/program.js';
import { until } from '../harness/until.js';

const NEWEST = 'AddThing9000000000001';

let build: BuildCopy;
let database: TestDatabase;

beforeAll(() => {
  build = copyBuild({
    '9000000000001-AddThing': `
      async up(runner) {
        await runner.query('CREATE TABLE things (id integer PRIMARY KEY)');
        await runner.query('ALTER TABLE users ADD COLUMN thing text');
      }
      async down(runner) {
        await runner.query('ALTER TABLE "users" DROP COLUMN "thing"');
        await runner.query('DROP TABLE "things"');
      }`,
  });
});
afterAll(() => {
  build.remove();
});
beforeEach(async () => {
  database = await createDatabase();
});
afterEach(() => database.drop());

/** `node dist/database/migrate.js …`, as in the image. */
async function migrate(...args: string[]) {
  const program = new Program(
    spawn(process.execPath, [join(dirname(build.program), 'database/migrate.js'), ...args], {
      env: { PATH: process.env['PATH'], NODE_ENV: 'test', DATABASE_URL: database.url },
      stdio: ['ignore', 'pipe', 'pipe'],
    }),
  );
  const { code } = await program.exited;
  return { code, stdout: program.stdout, stderr: program.stderr };
}

async function migrateJson(...args: string[]) {
  const { code, stdout, stderr } = await migrate(...args, '--json');
  return { code, stderr, json: JSON.parse(stdout) };
}

describe('migrate status', () => {
  it('lists all migrations as pending for an empty database, and creates nothing', async () => {
    const { code, stdout } = await migrate('status');
    expect(code).toBe(0);
    expect(stdout).toMatch(
      new RegExp(`^pending  CreateUsersSessionsAndEntries\\d{13}\n[^]*pending  ${NEWEST}\n`),
    );
    expect(stdout).toMatch(/^0 applied, \d+ pending; this is release \d+\.\d+\.\d+$/m);
    expect(await database.query(`SELECT FROM pg_tables WHERE schemaname = 'public'`)).toEqual([]);
  });

  it('shows time, duration and release of each applied migration', async () => {
    await migrate('up');
    const { stdout } = await migrate('status');
    const line =
      /^applied {2}AddThing9000000000001 {2}\d{4}-\d\d-\d\dT[\d:.]+Z {2}\d+ ms {2}release \d+\.\d+\.\d+$/m;
    expect(stdout).toMatch(line);
    const { json } = await migrateJson('status');
    expect(json).toMatchObject({ pending: 0, release: expect.any(String) });
    expect(json.migrations.at(-1)).toEqual({
      name: NEWEST,
      state: 'applied',
      appliedAt: expect.stringMatching(/Z$/),
      durationMs: expect.any(Number),
      release: json.release,
    });
  });

  it('names what was edited, and what this release does not know', async () => {
    await migrate('up');
    await database.query(`UPDATE migration_history SET checksum = 'other' WHERE name = $1`, [NEWEST]);
    await database.query(
      `INSERT INTO migrations (name, timestamp) VALUES ('Later9999999999999', 9999999999999)`,
    );
    const { code, stdout } = await migrate('status');
    expect(code).toBe(0);
    expect(stdout).toMatch(/AddThing9000000000001 .* edited after/);
    expect(stdout).toMatch(/Later9999999999999 .* not in this release/);
  });
});

describe('migrate up', () => {
  it('applies pending migrations, and the second time none', async () => {
    const first = await migrateJson('up');
    expect(first.code).toBe(0);
    expect(first.json.applied.at(-1)).toBe(NEWEST);
    expect((await migrateJson('up')).json).toEqual({ applied: [] });
  });
});

describe('migrate down', () => {
  beforeEach(async () => {
    await migrate('up');
    await database.query('INSERT INTO things SELECT generate_series(1, 3)');
    await database.query(
      `INSERT INTO users (id, email, password_hash, thing) VALUES (gen_random_uuid(), 'a@example.org', 'x', 'y')`,
    );
  });

  it('without --yes: lists the possible losses, does nothing and exits 3', async () => {
    const { code, stdout } = await migrate('down');
    expect(code).toBe(3);
    expect(stdout).toContain(`would revert ${NEWEST}`);
    expect(stdout).toContain('lost: table "things": 3 rows');
    expect(stdout).toContain('lost: column "users"."thing": 1 values');
    expect(await database.query('SELECT count(*)::int FROM things')).toEqual([{ count: 3 }]);
  });

  it('with --yes: reverts the newest migration and lists the losses', async () => {
    const { code, json } = await migrateJson('down', '--yes');
    expect(code).toBe(0);
    expect(json).toEqual({
      reverted: NEWEST,
      losses: ['column "users"."thing": 1 values', 'table "things": 3 rows'],
    });
    expect(await database.query(`SELECT to_regclass('things') AS things`)).toEqual([{ things: null }]);
    expect(await database.query('SELECT 1 FROM migration_history WHERE name = $1', [NEWEST])).toEqual([]);
    expect((await migrateJson('up')).json).toEqual({ applied: [NEWEST] });
  });
});

describe('migrate down --yes while another process migrates', () => {
  it('counts the losses under the lock, for the migration that it then reverts', async () => {
    await migrate('up');
    await migrate('down', '--yes');
    const other = new Client({ connectionString: database.url });
    await other.connect();
    try {
      await other.query('SELECT pg_advisory_lock($1)', [LOCK_KEY]);
      const reverting = migrateJson('down', '--yes');
      await until('it waits for the lock', async () => {
        const waiting = await database.query(
          `SELECT 1 FROM pg_stat_activity WHERE datname = $1 AND application_name LIKE 'release % migrating on %'`,
          [database.name],
        );
        return waiting.length > 0;
      });
      // What another release does, which holds the lock: now this is the newest migration.
      await other.query(
        'CREATE TABLE things (id integer PRIMARY KEY); ALTER TABLE users ADD COLUMN thing text',
      );
      await other.query('INSERT INTO things SELECT generate_series(1, 2)');
      await other.query(`INSERT INTO migrations (name, timestamp) VALUES ($1, 9000000000001)`, [NEWEST]);
      await other.query('SELECT pg_advisory_unlock($1)', [LOCK_KEY]);
      expect((await reverting).json).toEqual({ reverted: NEWEST, losses: ['table "things": 2 rows'] });
    } finally {
      await other.end();
    }
  });
});

describe('migrate with wrong usage', () => {
  it.each([[[]], [['sideways']], [['up', 'down']], [['status', '--loud']]])(
    '%j: prints its usage, exits 2',
    async (args) => {
      const { code, stderr } = await migrate(...args);
      expect(code).toBe(2);
      expect(stderr).toContain('Usage: node dist/database/migrate.js ');
    },
  );
});
