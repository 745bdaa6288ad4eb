import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { copyBuild, type BuildCopy, type MigrationSources } from '../harness/programs/build-copy.js';
import { createDatabase, onServer, type TestDatabase } from '../harness/database/database.js';
import { Program } from '../harness/programs/program.js';
import { until } from '../harness/until.js';

/** May make databases and no more, and owns none but what `verify` makes. */
const ROLE = `verifier_${randomBytes(6).toString('hex')}`;
const SCRATCH = `SELECT datname AS name FROM pg_database WHERE pg_get_userbyid(datdba) = $1`;
const SLEEPING = `SELECT pid FROM pg_stat_activity WHERE usename = $1 AND query LIKE '%pg_sleep%'`;
const OWN = /\/migrations\/1\d{12}-/;
const OWN_COUNT = readdirSync(join(dirname(process.env['TEST_PROGRAM']!), 'database/migrations')).filter(
  (file) => file.endsWith('.js'),
).length;

let database: TestDatabase;

beforeAll(async () => {
  database = await createDatabase();
  await onServer(`CREATE ROLE ${ROLE} LOGIN CREATEDB PASSWORD 'secret'`);
});
afterEach(async () => {
  expect(await onServer(SCRATCH, [ROLE])).toEqual([]);
});
afterAll(async () => {
  await onServer(`DROP ROLE ${ROLE}`);
  await database.drop();
});

/** `node dist/database/migrate.js verify …` of a build. */
function start(program: string, ...args: string[]): Program {
  const url = new URL(database.url);
  url.username = ROLE;
  url.password = 'secret';
  return new Program(
    spawn(process.execPath, [join(dirname(program), 'database/migrate.js'), 'verify', ...args], {
      env: { PATH: process.env['PATH'], NODE_ENV: 'test', DATABASE_URL: url.href },
      stdio: ['ignore', 'pipe', 'pipe'],
    }),
  );
}

/**
 * @param without those of this release's migrations that do not matter to the case; what the entities miss is then left
 *   out of the faults
 */
async function verify(migrations: MigrationSources, without?: RegExp) {
  const build = copyBuild(migrations, without);
  try {
    const program = start(build.program, '--json');
    const { code } = await program.exited;
    const { stdout, stderr } = program;
    if (stdout === '') return { code, stderr };
    const { verified, faults } = JSON.parse(stdout) as { verified: number; faults: string[] };
    const isOfCase = (fault: string) => !without || !fault.startsWith('missing for the entities');
    return { code, stderr, verified, faults: faults.filter(isOfCase) };
  } finally {
    build.remove();
  }
}

const sends = (direction: 'up' | 'down', ...statements: string[]) =>
  `async ${direction}(runner) { ${statements.map((sql) => `await runner.query(${JSON.stringify(sql)});`).join('\n')} }\n`;

describe('migrate verify', () => {
  it("proves this release's migrations, and does not change the given database", async () => {
    const program = start(process.env['TEST_PROGRAM']!);
    expect(await program.exited).toEqual({ code: 0, signal: null });
    const [, compared] =
      new RegExp(`^${OWN_COUNT} migrations verified: up, down and up again, (\\d+) values compared\n$`).exec(
        program.stdout,
      ) ?? [];
    expect(Number(compared)).toBeGreaterThan(1000);
    expect(await database.query(`SELECT FROM pg_tables WHERE schemaname = 'public'`)).toEqual([]);
  }, 120_000);
});

describe('migrate verify, of migrations with faults and sound ones between them', () => {
  let code: number | null;
  let verified: number | undefined;
  let faults: readonly string[] = [];

  beforeAll(async () => {
    ({
      code,
      verified,
      faults = [],
    } = await verify(
      {
        '9000000000001-CreateThings':
          sends('up', 'CREATE TABLE things (id integer PRIMARY KEY, note text)') +
          sends('down', 'DROP TABLE things'),
        '9000000000002-ForgetIndex':
          sends(
            'up',
            'ALTER TABLE things ADD place text',
            'CREATE INDEX things_note_idx ON things (note) WHERE id > 0',
          ) + sends('down', 'ALTER TABLE things DROP place'),
        '9000000000003-ForgetDefault':
          sends('up', `ALTER TABLE things ALTER note SET DEFAULT 'none'`) + sends('down', 'SELECT 1'),
        '9000000000004-FailDown':
          sends('up', 'CREATE TABLE others (id integer)') +
          sends('down', 'DROP TABLE others', 'DROP TABLE   no_such_table'),
        '9000000000005-Unrepeatable':
          sends('up', `INSERT INTO things VALUES (100, 'seed')`) + sends('down', 'SELECT 1'),
        '9000000000006-DifferentAgain':
          sends(
            'up',
            `DO $$ BEGIN
             IF EXISTS (SELECT FROM things WHERE id = 200) THEN ALTER TABLE things ADD mark integer;
             ELSE ALTER TABLE things ADD mark text; INSERT INTO things VALUES (200, 'seed'); END IF;
           END $$`,
          ) + sends('down', 'ALTER TABLE things DROP mark'),
        '9000000000007-IndexConcurrently':
          'transaction = false;\n' +
          sends('up', 'CREATE INDEX CONCURRENTLY "things_place_idx" ON "things" ("place")') +
          sends('down', 'DROP INDEX CONCURRENTLY "public"."things_place_idx"'),
        '9000000000008-FailDownOutside':
          'transaction = false;\n' +
          sends('up', 'CREATE INDEX CONCURRENTLY "others_id_idx" ON "others" ("id")') +
          sends('down', 'DROP INDEX CONCURRENTLY "others_id_idx"', 'SELECT 1 / 0'),
        // Builds on what each of those makes.
        '9000000000009-BuildOnAll':
          sends(
            'up',
            'ALTER INDEX things_note_idx RENAME TO things_note',
            'ALTER INDEX things_place_idx RENAME TO things_place',
            'ALTER INDEX others_id_idx RENAME TO others_id',
            'ALTER TABLE things RENAME mark TO marks',
            `UPDATE things SET note = note`,
          ) +
          sends(
            'down',
            'ALTER TABLE things RENAME marks TO mark',
            'ALTER INDEX others_id RENAME TO others_id_idx',
            'ALTER INDEX things_place RENAME TO things_place_idx',
            'ALTER INDEX things_note RENAME TO things_note_idx',
          ),
      },
      OWN,
    ));
  }, 120_000);

  it.each<[what: string, fault: string]>([
    [
      'an index that down forgets',
      'ForgetIndex9000000000002: down does not restore:\n' +
        '  + index public.things_note_idx CREATE INDEX things_note_idx ON public.things USING btree (note) WHERE (id > 0)',
    ],
    [
      'a default that down forgets',
      'ForgetDefault9000000000003: down does not restore:\n' +
        '  - column public.things.note text\n' +
        `  + column public.things.note text DEFAULT 'none'::text`,
    ],
    [
      'a down that fails',
      'FailDown9000000000004: down failed: table "no_such_table" does not exist in: DROP TABLE no_such_table',
    ],
    [
      'an up that fails the second time',
      'Unrepeatable9000000000005: up again failed: ' +
        'duplicate key value violates unique constraint "things_pkey" in: ' +
        `INSERT INTO things VALUES (100, 'seed')`,
    ],
    [
      'an up that makes something else the second time',
      'DifferentAgain9000000000006: up again differs:\n' +
        '  - column public.things.mark text\n' +
        '  + column public.things.mark integer',
    ],
    [
      'a down outside of a transaction that fails half-way',
      'FailDownOutside9000000000008: down failed: division by zero in: SELECT 1 / 0',
    ],
  ])('names %s', (_what, fault) => {
    expect(faults).toContain(fault);
  });

  it('finds no fault in the others, one that builds an index concurrently among them, and exits 1', () => {
    expect(faults).toHaveLength(6);
    expect(verified).toBe(3);
    expect(code).toBe(1);
  });
});

describe('migrate verify, with rows of edge values', () => {
  let faults: readonly string[] = [];
  const loses = (direction: 'up' | 'down') =>
    `${direction} loses values, without "// lossy: <table.column>: <reason>" in its file:`;

  beforeAll(async () => {
    ({ faults = [] } = await verify(
      {
        '9000000000001-CreateNotes':
          sends(
            'up',
            `CREATE TYPE state AS ENUM ('open', 'done')`,
            `CREATE TABLE notes (id integer PRIMARY KEY, title varchar(50), score numeric(6,2) CHECK (score >= 0), body text,
             state state NOT NULL, at timestamp, tags text[])`,
          ) + sends('down', 'DROP TABLE notes', 'DROP TYPE state'),
        '9000000000002-ShortenTitle':
          sends('up', 'ALTER TABLE notes ALTER title TYPE varchar(5) USING left(title, 5)') +
          sends('down', 'ALTER TABLE notes ALTER title TYPE varchar(50)'),
        '9000000000003-LowerBody':
          '// lossy: notes.body: the search no longer tells cases apart\n' +
          sends('up', 'UPDATE notes SET body = lower(body)') +
          sends('down', 'SELECT 1'),
        '9000000000004-RenameAll':
          sends(
            'up',
            'ALTER TABLE notes RENAME title TO name',
            `ALTER TYPE state RENAME VALUE 'done' TO 'closed'`,
            'ALTER TABLE notes RENAME TO memos',
          ) +
          sends(
            'down',
            'ALTER TABLE memos RENAME TO notes',
            `ALTER TYPE state RENAME VALUE 'closed' TO 'done'`,
            'ALTER TABLE notes RENAME name TO title',
          ),
        '9000000000005-AddZone':
          sends('up', `ALTER TABLE memos ALTER at TYPE timestamptz USING at AT TIME ZONE 'UTC'`) +
          sends('down', `ALTER TABLE memos ALTER at TYPE timestamp USING at AT TIME ZONE 'UTC'`),
        '9000000000006-DropAndAdd':
          sends('up', 'ALTER TABLE memos DROP tags', 'ALTER TABLE memos ADD tags varchar[]') +
          sends('down', 'ALTER TABLE memos DROP tags', 'ALTER TABLE memos ADD tags text[]'),
        '9000000000007-ForgetState':
          sends('up', 'SELECT 1') + sends('down', `UPDATE memos SET state = 'open'`),
        '9000000000008-RequireName':
          sends('up', 'ALTER TABLE memos ALTER name SET NOT NULL') +
          sends('down', 'ALTER TABLE memos ALTER name DROP NOT NULL'),
      },
      OWN,
    ));
  }, 120_000);

  it.each<[what: string, fault: RegExp]>([
    [
      'a type that is too short',
      RegExp(`^ShortenTitle9000000000002: ${loses('up')}\n {2}notes.title: \\d+ values$`),
    ],
    [
      'a column that is dropped and added',
      RegExp(`^DropAndAdd9000000000006: ${loses('up')}\n {2}memos.tags: \\d+ values$`),
    ],
    [
      'a down that overwrites',
      RegExp(`^ForgetState9000000000007: ${loses('down')}\n {2}memos.state: \\d+ values$`),
    ],
    [
      'an up that rows may stop',
      /^RequireName9000000000008: up fails on rows that the schema before allows: .*null values/,
    ],
  ])('names %s', (_what, fault) => {
    expect(faults).toContainEqual(expect.stringMatching(fault));
  });

  it('finds no fault in renames, in a type that holds every value, or in a loss with a reason', () => {
    expect(faults).toHaveLength(4);
  });
});

describe('migrate verify, of an up that fails', () => {
  it('names it, and what could not be verified after it', async () => {
    const { code, verified, faults } = await verify(
      {
        '9000000000001-CreateThings':
          sends('up', 'CREATE TABLE things (id integer)') + sends('down', 'DROP TABLE things'),
        '9000000000002-FailUp':
          sends('up', 'CREATE TABLE others (id integer)', 'ALTER TABLE things ADD id integer') +
          sends('down', 'DROP TABLE others'),
        '9000000000003-Later': sends('up', 'SELECT 1') + sends('down', 'SELECT 1'),
      },
      OWN,
    );
    expect(faults).toEqual([
      'FailUp9000000000002: up failed: column "id" of relation "things" already exists in: ' +
        'ALTER TABLE things ADD id integer',
      'not verified: 1 later migration(s), and the entities',
    ]);
    expect(verified).toBe(1);
    expect(code).toBe(1);
  });
});

describe('migrate verify, of migrations that do not make what the entities describe', () => {
  it('prints the SQL that is missing', async () => {
    const { code, verified, faults } = await verify({
      '9000000000001-ForgetEntity':
        sends(
          'up',
          `ALTER TABLE users ALTER timezone SET DEFAULT 'CET'`,
          'DROP INDEX sessions_expires_at_idx',
        ) +
        sends(
          'down',
          'CREATE INDEX sessions_expires_at_idx ON sessions (expires_at)',
          `ALTER TABLE users ALTER timezone SET DEFAULT 'UTC'`,
        ),
    });
    expect(faults).toEqual([
      `missing for the entities: ALTER TABLE users ALTER COLUMN timezone SET DEFAULT 'UTC'::character varying`,
      'missing for the entities: CREATE INDEX sessions_expires_at_idx ON public.sessions USING btree (expires_at)',
    ]);
    expect(verified).toBe(OWN_COUNT + 1);
    expect(code).toBe(1);
  });
});

describe('migrate verify without the right to make a database', () => {
  afterAll(() => onServer(`ALTER ROLE ${ROLE} CREATEDB`));

  it('prints instructions, without a stack', async () => {
    await onServer(`ALTER ROLE ${ROLE} NOCREATEDB`);
    const program = start(process.env['TEST_PROGRAM']!);
    expect(await program.exited).toEqual({ code: 1, signal: null });
    expect(program.stderr).toContain(`ALTER ROLE "${ROLE}" CREATEDB`);
    expect(program.stderr).not.toMatch(/^\s+at /m);
    expect(program.stdout).toBe('');
  });
});

describe('migrate verify, ended in the middle of a migration', () => {
  let build: BuildCopy;
  let program: Program;

  beforeAll(() => {
    build = copyBuild(
      { '9000000000001-Slow': sends('up', 'SELECT pg_sleep(600)') + sends('down', 'SELECT 1') },
      OWN,
    );
  });
  afterAll(() => build.remove());
  beforeEach(async () => {
    program = start(build.program);
    await until('the migration sleeps', async () => (await onServer(SLEEPING, [ROLE])).length === 1, 20_000);
  });

  it.each<NodeJS.Signals>(['SIGTERM', 'SIGINT'])('by %s drops the scratch database', async (signal) => {
    expect(await onServer(SCRATCH, [ROLE])).toEqual([
      { name: expect.stringMatching(/^migrator_scratch_[0-9a-f]{12}$/) },
    ]);
    expect(await program.stop(signal)).toEqual({ code: 1, signal: null });
    expect(program.stderr).toContain(`Ended by ${signal}`);
    expect(program.stderr).not.toMatch(/^\s+at /m);
    expect(program.stdout).toBe('');
  });

  it('reports a lost connection, and not as a fault of the migration', async () => {
    await onServer(`SELECT pg_terminate_backend(pid) FROM (${SLEEPING}) AS sleeping`, [ROLE]);
    expect(await program.exited).toEqual({ code: 1, signal: null });
    expect(program.stderr).toContain('Lost the connection to the scratch database: terminating connection');
    expect(program.stderr).not.toMatch(/^\s+at /m);
    expect(program.stdout).toBe('');
  });
});
