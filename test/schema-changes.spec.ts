import { spawn } from 'node:child_process';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { transformSync } from '@swc/core';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { copyBuild, type BuildCopy } from './harness/build-copy.js';
import { ApiClient } from './harness/client.js';
import { createDatabase, type TestDatabase } from './harness/database.js';
import { Program } from './harness/program.js';
import { copyProject } from './harness/project-copy.js';

/** The migrations of docs/schema-changes.md, as its reader would copy them. */
function documentedMigrations(): { name: string; timestamp: string; source: string }[] {
  const page = readFileSync(resolve(import.meta.dirname, '../docs/schema-changes.md'), 'utf8');
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

/** A release with the first `count` of the documented migrations; its code uses `topic` where `usesTopic`. */
function release(count: number, usesTopic: boolean): BuildCopy {
  // Not the bundle, in which the file to edit is no file of its own.
  const build = copyBuild({}, undefined, process.env['TEST_BUILD']);
  builds.push(build);
  for (const { name, timestamp, source } of documentedMigrations().slice(0, count)) {
    writeFileSync(join(build.migrations, `${timestamp}-${name}.js`), compile(source));
  }
  if (usesTopic) useTopic(join(dirname(build.program), 'entries/entry.queries.js'));
  return build;
}

/** The edit of the code that goes with the new column: every mention of the old one in SQL, and the API unchanged. */
function useTopic(file: string): void {
  let code = readFileSync(file, 'utf8');
  for (const [before, after] of [
    ['id, text, mood, category, tags,', 'id, text, mood, topic AS category, tags,'],
    [
      '(id, user_id, text, mood, category, tags, occurred_at)',
      '(id, user_id, text, mood, topic, tags, occurred_at)',
    ],
    ['category = coalesce($6, category)', 'topic = coalesce($6, topic)'],
    ['`category = ${bind(category)}`', '`topic = ${bind(category)}`'],
  ] as const) {
    expect(code).toContain(before);
    code = code.replace(before, after);
  }
  writeFileSync(file, code);
}

async function boot(build: BuildCopy): Promise<{ program: Program; url: string }> {
  const program = Program.start({ DATABASE_URL: database.url, RATE_LIMIT_ENABLED: 'false' }, build.program);
  programs.push(program);
  return { program, url: await program.listening() };
}

/** Writes and reads without a pause until it is told to stop; every answer must be right. */
function keepUsing(client: ApiClient, label: string): () => Promise<string[]> {
  const written: string[] = [];
  const progress = { isOver: false };
  const loop = (async () => {
    for (let turn = 0; !progress.isOver; turn += 1) {
      const created = await client.post('/entries', { text: label, mood: 5, category: `${label}-${turn}` });
      expect(created.status).toBe(201);
      const path = `/entries/${created.body.id}`;
      const patched = await client.patch(path, { category: `${label}-${turn}-patched` });
      expect(patched.body).toMatchObject({ category: `${label}-${turn}-patched` });
      expect((await client.get(`/entries?category=${label}-${turn}-patched`)).body.total).toBe(1);
      written.push(created.body.id);
    }
    return written;
  })();
  // A failure is thrown where the loop is stopped.
  loop.catch(() => {});
  return () => {
    progress.isOver = true;
    return loop;
  };
}

async function categoriesBy(client: ApiClient): Promise<Map<string, string>> {
  const categories = new Map<string, string>();
  let cursor: string | null = null;
  do {
    const { body } = await client.get(`/entries?limit=100${cursor ? `&cursor=${cursor}` : ''}`);
    for (const { id, category } of body.entries) categories.set(id, category);
    cursor = body.nextCursor;
  } while (cursor !== null);
  return categories;
}

describe('docs/schema-changes.md: a column renamed over two releases', () => {
  it('loses no write and fails no request, with the old and the new release serving side by side', async () => {
    const a = await boot(release(0, false));
    const onA = await new ApiClient(a.url).signUp();
    const early = (await onA.post('/entries', { text: 'early', mood: 5, category: 'early' })).body.id;

    // Expand and migrate, while A is written to.
    const stopA = keepUsing(onA, 'a');
    const b = await boot(release(2, true));
    const onB = new ApiClient(b.url, onA.account);
    const stopB = keepUsing(onB, 'b');
    // Either sees what the other writes.
    const fromA = (await onA.post('/entries', { text: 'x', mood: 5, category: 'from-a' })).body.id;
    expect((await onB.get(`/entries/${fromA}`)).body.category).toBe('from-a');
    await onB.patch(`/entries/${fromA}`, { category: 'changed-by-b' });
    expect((await onA.patch(`/entries/${fromA}`, { mood: 6 })).body.category).toBe('changed-by-b');
    await onA.patch(`/entries/${fromA}`, { category: 'changed-by-a' });
    expect((await onB.patch(`/entries/${fromA}`, { mood: 7 })).body.category).toBe('changed-by-a');
    const writtenByA = await stopA();
    expect(await a.program.stop()).toEqual({ code: 0, signal: null });

    // Contract, while B is written to.
    const c = await boot(release(5, true));
    const onC = new ApiClient(c.url, onA.account);
    const stopC = keepUsing(onC, 'c');
    const writtenByB = await stopB();
    const writtenByC = await stopC();
    expect(await b.program.stop()).toEqual({ code: 0, signal: null });

    const categories = await categoriesBy(onC);
    expect(categories.get(early)).toBe('early');
    expect(categories.get(fromA)).toBe('changed-by-a');
    for (const [label, ids] of Object.entries({ a: writtenByA, b: writtenByB, c: writtenByC })) {
      expect(ids.length).toBeGreaterThan(0);
      for (const [turn, id] of ids.entries()) expect(categories.get(id)).toBe(`${label}-${turn}-patched`);
    }
    const columns = await database.query<{ name: string }>(
      `SELECT column_name AS name FROM information_schema.columns WHERE table_name = 'entries'`,
    );
    expect(columns.map(({ name }) => name)).toContain('topic');
    expect(columns.map(({ name }) => name)).not.toContain('category');
    for (const { program } of [a, b, c]) {
      expect(program.lines.filter(({ level }) => level === 'error' || level === 'fatal')).toEqual([]);
    }
  }, 60_000);

  it('passes the lint, with what it waives, and can be taken back step by step', async () => {
    const project = copyProject();
    try {
      const sources = join(project.folder, 'src/database/migrations');
      cpSync(resolve(import.meta.dirname, '../src/database/migrations'), sources, { recursive: true });
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
      const lint = await run('scripts/migration-lint.js', '--json');
      expect(lint).toMatchObject({ code: 0, report: { findings: [] } });
      const verify = await run('dist/database/migrate.js', 'verify', '--json');
      // The entities of this release know nothing of the example: that, and no more, is found.
      expect(verify.report.faults).toEqual([expect.stringMatching(/^the entities want more:[^]*"category"/)]);
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
