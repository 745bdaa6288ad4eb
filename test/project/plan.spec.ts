import { spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { copyBuild, type BuildCopy } from '../harness/programs/build-copy.js';
import { createDatabase, type TestDatabase } from '../harness/database/database.js';
import { Program } from '../harness/programs/program.js';

let database: TestDatabase;
const builds: BuildCopy[] = [];

beforeAll(async () => {
  database = await createDatabase();
  const { code } = await migrate(process.env['TEST_PROGRAM']!, 'up');
  expect(code).toBe(0);
  await database.query(`
    INSERT INTO users (id, email, password_hash)
    SELECT gen_random_uuid(), g || '@example.org', 'x' FROM generate_series(1, 300) g`);
  await database.query('ANALYZE users');
}, 60_000);
afterAll(async () => {
  for (const build of builds) build.remove();
  await database.drop();
});

/** `node dist/database/migrate.js …` of a build. */
async function migrate(program: string, ...args: string[]) {
  const child = new Program(
    spawn(process.execPath, [join(dirname(program), 'database/migrate.js'), ...args], {
      env: { PATH: process.env['PATH'], NODE_ENV: 'test', DATABASE_URL: database.url },
      stdio: ['ignore', 'pipe', 'pipe'],
    }),
  );
  const { code } = await child.exited;
  return { code, stdout: child.stdout, stderr: child.stderr };
}

function build(migrations: Readonly<Record<string, string>>): string {
  const copy = copyBuild(migrations);
  builds.push(copy);
  return copy.program;
}

const up = (...statements: string[]) =>
  `async up(runner) { ${statements.map((sql) => `await runner.query(${JSON.stringify(sql)});`).join('\n')} }\nasync down() {}\n`;

describe('migrate plan', () => {
  it('says that nothing is pending', async () => {
    const { code, stdout } = await migrate(process.env['TEST_PROGRAM']!, 'plan');
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'none pending\n' });
  });

  it('tells locks, scans, rewrites, sizes and compatibility of each pending statement, and changes nothing', async () => {
    const before = await database.query('SELECT * FROM migrations');
    const program = build({
      '9000000000001-AddNickname': up(
        'ALTER TABLE users ADD COLUMN nickname text',
        'CREATE TABLE nicknames (id integer PRIMARY KEY)',
      ),
      '9000000000002-IndexNickname':
        'transaction = false;\n' + up('CREATE INDEX CONCURRENTLY users_nickname_idx ON users (nickname)'),
      '9000000000003-CheckNickname': up(
        `ALTER TABLE users ADD CONSTRAINT nickname_check CHECK (nickname <> '') NOT VALID`,
        'ALTER TABLE users VALIDATE CONSTRAINT nickname_check',
      ),
      '9000000000004-WidenMood': up('ALTER TABLE entries ALTER COLUMN mood TYPE bigint'),
    });
    const { code, stdout } = await migrate(program, 'plan', '--json');
    expect(code).toBe(0);
    const { pending } = JSON.parse(stdout);
    const users = { table: 'users', rows: 300, bytes: expect.any(Number) };
    expect(pending).toMatchObject([
      {
        name: 'AddNickname9000000000001',
        transaction: true,
        compatible: true,
        statements: [
          { tables: [{ ...users, lock: 'ACCESS EXCLUSIVE', rewrites: false, scans: false }] },
          { tables: [] },
        ],
      },
      {
        name: 'IndexNickname9000000000002',
        transaction: false,
        compatible: true,
        statements: [
          { tables: [{ ...users, lock: 'SHARE UPDATE EXCLUSIVE', rewrites: false, scans: true }] },
        ],
      },
      {
        name: 'CheckNickname9000000000003',
        compatible: true,
        statements: [
          { tables: [{ ...users, lock: 'ACCESS EXCLUSIVE', scans: false }] },
          { tables: [{ ...users, lock: 'SHARE UPDATE EXCLUSIVE', rewrites: false, scans: true }] },
        ],
      },
      {
        name: 'WidenMood9000000000004',
        compatible: false,
        statements: [{ tables: [{ table: 'entries', lock: 'ACCESS EXCLUSIVE', rewrites: true }] }],
      },
    ]);
    expect(await database.query('SELECT * FROM migrations')).toEqual(before);

    const { stdout: text } = await migrate(program, 'plan');
    expect(text).toContain('AddNickname9000000000001: the running release keeps working');
    expect(text).toContain('WidenMood9000000000004: THE RUNNING RELEASE MAY FAIL');
    expect(text).toMatch(
      /users \(about 300 rows, [\d.]+ kB\), ACCESS EXCLUSIVE lock, stops reads and writes, brief/,
    );
    expect(text).toMatch(/users .*, SHARE UPDATE EXCLUSIVE lock, reads and writes go on, scans it/);
    expect(text).toMatch(/entries .*, ACCESS EXCLUSIVE lock, stops reads and writes, rewrites it/);
  });

  it('names a migration that fails, and exits 1', async () => {
    const program = build({ '9000000000001-Fails': up('ALTER TABLE nothing ADD COLUMN x text') });
    const { code, stderr } = await migrate(program, 'plan');
    expect(code).toBe(1);
    expect(stderr).toContain('Fails9000000000001 cannot be planned: relation "nothing" does not exist');
  });
});
