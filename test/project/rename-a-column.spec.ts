import { spawn } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { transformSync } from '@swc/core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { copyBuild, type BuildCopy } from '../harness/programs/build-copy.js';
import { ApiClient } from '../harness/http/client.js';
import { createDatabase, type TestDatabase } from '../harness/database/database.js';
import { Program } from '../harness/programs/program.js';
import { copyProject, type ProjectCopy } from '../harness/programs/project-copy.js';

const MIGRATIONS = 'src/database/migrations';

interface Migration {
  readonly file: string;
  readonly source: string;
}

/** Of release B and of release C, as docs/rename-a-column.md has them generated. */
const migrations: { B: Migration[]; C: Migration[] } = { B: [], C: [] };
let project: ProjectCopy;

beforeAll(async () => {
  project = copyProject();
  useZone(join(project.folder, 'dist'));
  migrations.B = await generate('RenameTimezone', '--rename', 'users.timezone:zone');
  migrations.C = await generate('DropTimezone', '--drop', 'users.timezone');
}, 120_000);
afterAll(() => project.remove());

async function generate(name: string, ...flags: string[]): Promise<Migration[]> {
  const command = ['--import', 'tsx', 'scripts/migration.ts', 'generate'];
  const { code, stderr } = await run(...command, `${MIGRATIONS}/${name}`, ...flags);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const folder = join(project.folder, MIGRATIONS);
  return readdirSync(folder)
    .filter((file) => file.includes(`-${name}`))
    .sort()
    .map((file) => {
      const source = readFileSync(join(folder, file), 'utf8');
      writeFileSync(join(project.folder, 'dist/database/migrations', compiledName(file)), compile(source));
      return { file, source };
    });
}

async function run(...args: string[]): Promise<Program & { code: number | null }> {
  const url = process.env['TEST_DATABASE_URL']!;
  const program = new Program(
    spawn(process.execPath, args, {
      cwd: project.folder,
      env: { PATH: process.env['PATH'], NODE_ENV: 'test', DATABASE_URL: url },
      stdio: ['ignore', 'pipe', 'pipe'],
    }),
  );
  const { code } = await program.exited;
  return Object.assign(program, { code });
}

function compile(source: string): string {
  return transformSync(source, { jsc: { parser: { syntax: 'typescript' }, target: 'es2022' } }).code;
}

function compiledName(file: string): string {
  return file.replace(/\.ts$/, '.js');
}

let database: TestDatabase;
const builds: BuildCopy[] = [];
const programs: Program[] = [];

beforeEach(async () => {
  database = await createDatabase();
});
afterEach(async () => {
  await Promise.all(programs.splice(0).map((program) => program.stop('SIGKILL')));
  for (const build of builds.splice(0)) build.remove();
  await database.drop();
});

/** A has the column `timezone`, B writes `zone`, and C has dropped the old column. */
function release(name: 'A' | 'B' | 'C'): BuildCopy {
  // Not the bundle, in which the files to edit are no files of their own.
  const build = copyBuild({}, undefined, process.env['TEST_BUILD']);
  builds.push(build);
  const added = { A: [], B: migrations.B, C: [...migrations.B, ...migrations.C] }[name];
  for (const { file, source } of added)
    writeFileSync(join(build.migrations, compiledName(file)), compile(source));
  if (name !== 'A') useZone(dirname(build.program));
  return build;
}

/** The edit of the code that goes with the new column: every mention of the old one, and the API unchanged. */
function useZone(folder: string): void {
  for (const [name, before, after] of [
    [
      'users/user.entity.js',
      "{ length: 64, default: 'UTC' }",
      "{ name: 'zone', length: 64, default: 'UTC' }",
    ],
    ['entries/stats/stats.repository.js', 'coalesce($2, timezone)', 'coalesce($2, users.zone)'],
  ] as const) {
    const file = join(folder, name);
    const code = readFileSync(file, 'utf8');
    expect(code).toContain(before);
    writeFileSync(file, code.replace(before, after));
  }
}

async function boot(build: BuildCopy): Promise<{ program: Program; url: string }> {
  const program = Program.start({ DATABASE_URL: database.url, RATE_LIMIT_ENABLED: 'false' }, build.program);
  programs.push(program);
  return { program, url: await program.listening() };
}

/** Signs up, writes and reads without a pause until it is stopped; every response must be right. */
function keepUsing(url: string): () => Promise<ApiClient[]> {
  const users: ApiClient[] = [];
  const progress = { isOver: false };
  const loop = (async () => {
    while (!progress.isOver) {
      const client = await new ApiClient(url).signUp();
      expect((await client.get('/users/me')).body.timezone).toBe('UTC');
      const patched = await client.patch('/users/me', { timezone: 'Asia/Tokyo' });
      expect(patched.body).toMatchObject({ timezone: 'Asia/Tokyo' });
      expect((await client.get('/users/me')).body.timezone).toBe('Asia/Tokyo');
      users.push(client);
    }
    return users;
  })();
  // A failure is thrown where the loop is stopped.
  loop.catch(() => {});
  return () => {
    progress.isOver = true;
    return loop;
  };
}

describe('docs/rename-a-column.md: a column renamed over two releases', () => {
  it('loses no write and fails no request, with the old and the new release serving side by side', async () => {
    const a = await boot(release('A'));
    const onA = await new ApiClient(a.url).signUp();
    const early = await new ApiClient(a.url).signUp();
    await early.patch('/users/me', { timezone: 'Africa/Lagos' });

    // Expand and migrate, while A is written to.
    const stopA = keepUsing(a.url);
    const b = await boot(release('B'));
    const onB = new ApiClient(b.url, onA.account);
    const stopB = keepUsing(b.url);
    // Either sees what the other writes.
    await onA.patch('/users/me', { timezone: 'Europe/Vienna' });
    expect((await onB.get('/users/me')).body.timezone).toBe('Europe/Vienna');
    await onB.patch('/users/me', { timezone: 'Europe/Rome' });
    expect((await onA.patch('/users/me', { displayName: 'A' })).body.timezone).toBe('Europe/Rome');
    await onA.patch('/users/me', { timezone: 'Europe/Oslo' });
    expect((await onB.patch('/users/me', { displayName: 'B' })).body.timezone).toBe('Europe/Oslo');
    const writtenByA = await stopA();
    expect(await a.program.stop()).toEqual({ code: 0, signal: null });

    // Contract, while B is written to.
    const c = await boot(release('C'));
    const stopC = keepUsing(c.url);
    const writtenByB = await stopB();
    const writtenByC = await stopC();
    expect(await b.program.stop()).toEqual({ code: 0, signal: null });

    const expected = new Map([
      [early.account.userId, 'Africa/Lagos'],
      [onA.account.userId, 'Europe/Oslo'],
    ]);
    for (const users of [writtenByA, writtenByB, writtenByC]) {
      expect(users.length).toBeGreaterThan(0);
      for (const { account } of users) expected.set(account.userId, 'Asia/Tokyo');
    }
    const rows = await database.query<{ id: string; zone: string }>('SELECT id, zone FROM users');
    const zones = new Map(rows.map(({ id, zone }) => [id, zone]));
    for (const [id, zone] of expected) expect(zones.get(id)).toBe(zone);
    const columns = await database.query<{ name: string }>(
      `SELECT column_name AS name FROM information_schema.columns WHERE table_name = 'users'`,
    );
    expect(columns.map(({ name }) => name)).toContain('zone');
    expect(columns.map(({ name }) => name)).not.toContain('timezone');
    for (const { program } of [a, b, c]) {
      expect(program.lines.filter(({ level }) => level === 'error' || level === 'fatal')).toEqual([]);
    }
  }, 60_000);

  it('is generated in steps, each of which the release before can work with', () => {
    const steps = ({ file }: Migration) => /-(\w+)\.ts/.exec(file)?.[1];
    expect(migrations.B.map(steps)).toEqual([
      'RenameTimezoneExpand',
      'RenameTimezoneBackfill',
      'RenameTimezoneConstraints',
    ]);
    for (const { source } of migrations.B) expect(source).toContain('compatible = true');
    expect(migrations.C.map(steps)).toEqual(['DropTimezone']);
    expect(migrations.C[0]?.source).not.toContain('compatible');
  });

  it('passes the lint, once a person says which release no longer needs the column', async () => {
    const lint = () => run('--import', 'tsx', 'src/migrator/lint/cli.ts', '--json');
    const rules = ({ stdout }: Program) => [
      ...new Set(JSON.parse(stdout).findings.map(({ rule }: { rule: string }) => rule)),
    ];
    expect(rules(await lint())).toEqual(['drop-object', 'drop-column']);
    const [drop] = migrations.C;
    writeFileSync(
      join(project.folder, MIGRATIONS, drop!.file),
      `// lint-ok: drop-column: release B, the one before, does not use timezone
// lint-ok: drop-object: release B, the one before, does not write timezone
${drop!.source}`,
    );
    expect(rules(await lint())).toEqual([]);
  });

  it('passes migration:verify', async () => {
    const { code, stdout } = await run('dist/database/migrate.js', 'verify', '--json');
    expect(JSON.parse(stdout).faults).toEqual([]);
    expect(code).toBe(0);
  });

  it('can be taken back after release B: A runs on, for its migrations are compatible', async () => {
    await boot(release('B')).then(({ program }) => program.stop());
    const a = await boot(release('A'));
    expect(a.program.stdout).toContain('marked compatible');
    const client = await new ApiClient(a.url).signUp();
    expect((await client.post('/entries', { text: 'x', mood: 5 })).status).toBe(201);
  });
});
