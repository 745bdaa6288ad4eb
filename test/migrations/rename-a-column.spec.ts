import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { transformSync } from '@swc/core';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { copyBuild, type BuildCopy } from '../harness/build-copy.js';
import { ApiClient } from '../harness/client.js';
import { createDatabase, type TestDatabase } from '../harness/database.js';
import { Program } from '../harness/program.js';
import { copyProject } from '../harness/project-copy.js';

/** The migrations of docs/rename-a-column.md, as its reader would copy them. */
function documentedMigrations(): { name: string; timestamp: string; source: string }[] {
  const page = readFileSync(resolve(import.meta.dirname, '../../docs/rename-a-column.md'), 'utf8');
  return [...page.matchAll(/```ts\n(export class (\w+?)(\d{13}) [^]*?)```/g)].map(
    ([, source, name, timestamp]) => ({
      source: source!,
      name: name!,
      timestamp: timestamp!,
    }),
  );
}

function compile(source: string): string {
  return transformSync(source, { jsc: { parser: { syntax: 'typescript' }, target: 'es2022' } }).code;
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

/** A release with the first `count` of the documented migrations; its code uses `zone` where `usesZone`. */
function release(count: number, usesZone: boolean): BuildCopy {
  // Not the bundle, in which the files to edit are no files of their own.
  const build = copyBuild({}, undefined, process.env['TEST_BUILD']);
  builds.push(build);
  for (const { name, timestamp, source } of documentedMigrations().slice(0, count)) {
    writeFileSync(join(build.migrations, `${timestamp}-${name}.js`), compile(source));
  }
  if (usesZone) useZone(dirname(build.program));
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
    ['entries/stats/entry-stats.queries.js', 'coalesce($2, timezone)', 'coalesce($2, users.zone)'],
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

/** Signs up, writes and reads without a pause until it is told to stop; every answer must be right. */
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
    const a = await boot(release(0, false));
    const onA = await new ApiClient(a.url).signUp();
    const early = await new ApiClient(a.url).signUp();
    await early.patch('/users/me', { timezone: 'Africa/Lagos' });

    // Expand and migrate, while A is written to.
    const stopA = keepUsing(a.url);
    const b = await boot(release(2, true));
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
    const c = await boot(release(5, true));
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

  it('passes the lint, with what it waives, and can be taken back step by step', async () => {
    const project = copyProject();
    try {
      const sources = join(project.folder, 'src/database/migrations');
      for (const { name, timestamp, source } of documentedMigrations()) {
        const imports = `import { MigrationInterface, QueryRunner } from 'typeorm';\n\n`;
        writeFileSync(join(sources, `${timestamp}-${name}.ts`), imports + source);
        writeFileSync(
          join(project.folder, 'dist/database/migrations', `${timestamp}-${name}.js`),
          compile(source),
        );
      }
      const run = async (...args: string[]) => {
        const program = new Program(
          spawn(process.execPath, args, {
            cwd: project.folder,
            env: { PATH: process.env['PATH'], NODE_ENV: 'test', DATABASE_URL: database.url },
            stdio: ['ignore', 'pipe', 'pipe'],
          }),
        );
        const { code } = await program.exited;
        return { code, report: JSON.parse(program.stdout) };
      };
      const lint = await run('--import', 'tsx', 'src/migrator/lint/cli.ts', '--json');
      expect(lint).toMatchObject({ code: 0, report: { findings: [] } });
      const verify = await run('dist/database/migrate.js', 'verify', '--json');
      // The entities of this release know nothing of the example: that, and no more, is found.
      expect(verify.report.faults).toEqual([
        'the entities want more: ALTER TABLE users DROP COLUMN zone',
        expect.stringMatching(/^the entities want more: ALTER TABLE users ADD COLUMN timezone /),
      ]);
      expect(verify.report.verified).toBeGreaterThan(documentedMigrations().length);
    } finally {
      project.remove();
    }
  });

  it('can be taken back after release B: A runs on, for its migrations are compatible', async () => {
    await boot(release(2, true)).then(({ program }) => program.stop());
    const a = await boot(release(0, false));
    expect(a.program.stdout).toContain('marked compatible');
    const client = await new ApiClient(a.url).signUp();
    expect((await client.post('/entries', { text: 'x', mood: 5 })).status).toBe(201);
  });
});
