import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  createReadStream,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { EntriesCommand, ExportCommand, ImportCommand } from '../../src/cli/entries-commands.js';
import { describeFailure } from '../../src/cli/run-command.js';
import { runEntriesCommand } from '../../src/cli/run-entries-command.js';
import { loadCommandConfig } from '../../src/config/config.js';
import { BATCH_ROWS, exportMarkdown, unzipTexts } from '../harness/entries/transfer.js';
import { startService, type TestService } from '../harness/http/service.js';
import type { ApiClient } from '../harness/http/client.js';
import { createDatabase } from '../harness/database/database.js';
import { Program } from '../harness/programs/program.js';
import { until } from '../harness/until.js';

let service: TestService;
let ada: ApiClient;
let folder: string;
beforeAll(async () => {
  service = await startService();
});
beforeEach(async () => {
  ada = await service.signUp();
  folder = mkdtempSync(join(tmpdir(), 'entries-cli-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));
afterAll(() => service.close());

interface Run {
  readonly args: readonly string[];
  readonly input?: string;
  readonly environment?: Readonly<Record<string, string>>;
}

/** `node dist/cli.js …`, as in the image, with nothing in its environment but what is given. */
function start({ args, environment }: Run): Program {
  const env = {
    PATH: process.env['PATH'],
    NODE_ENV: 'test',
    DATABASE_URL: service.database.url,
    ...environment,
  };
  const program = join(dirname(process.env['TEST_PROGRAM']!), 'cli.js');
  return new Program(spawn(process.execPath, [program, ...args], { env, stdio: ['pipe', 'pipe', 'pipe'] }));
}

async function run(given: Run) {
  const program = start(given);
  program.process.stdin!.on('error', () => {});
  program.process.stdin!.end(given.input ?? '');
  const closed = once(program.process, 'close');
  const { code } = await program.exited;
  await closed;
  return { code, stdout: program.stdout, stderr: program.stderr };
}

const entriesCommand = (...args: string[]) => run({ args: ['entries', ...args] });

describe('entries export and import', () => {
  it('bring a user’s entries into a file and back', async () => {
    await ada.post('/entries/bulk', {
      entries: [
        { text: '=1+1\n😀', mood: 7, tags: ['a,b'] },
        { text: 'b', mood: 8, category: 'work' },
      ],
    });
    const exported = (await ada.get('/entries/export')).text;
    const file = join(folder, 'entries.csv');
    const email = ` ${ada.account.email.toUpperCase()}`;
    const out = await entriesCommand('export', '--user', email, file);
    expect(out).toEqual({ code: 0, stdout: '', stderr: `exported 2 entries to ${file}\n` });
    expect(readdirSync(folder)).toEqual(['entries.csv']);
    expect(readFileSync(file, 'utf8')).toBe(`\ufeff${(await ada.get('/entries/export?format=csv')).text}`);
    await service.database.query('DELETE FROM entries WHERE user_id = $1', [ada.account.userId]);
    expect(await entriesCommand('import', '--user', email, file)).toEqual({
      code: 0,
      stdout: 'imported 2, skipped 0 existing, rejected 0\n',
      stderr: '',
    });
    expect((await ada.get('/entries/export')).text).toBe(exported);
  });

  it('write Markdown into a zip, with the days of the user', async () => {
    await ada.patch('/users/me', { timezone: 'Asia/Tokyo' });
    await ada.post('/entries/bulk', {
      entries: [
        { text: '# mine\r\n😀', mood: 7, tags: ['a b'], occurredAt: '2026-03-01T14:59:00Z' },
        { text: 'b', mood: 8, occurredAt: '2026-03-01T15:00:00Z' },
      ],
    });
    const file = join(folder, 'diary.zip');
    const out = await entriesCommand('export', '--user', ada.account.email, file);
    expect(out).toEqual({ code: 0, stdout: '', stderr: `exported 2 entries to ${file}\n` });
    const texts = unzipTexts(readFileSync(file));
    expect(texts).toEqual(await exportMarkdown(ada));
    expect(texts.map(([name]) => name)).toEqual(['2026/2026-03-01.md', '2026/2026-03-02.md']);
    expect(texts[0]![1]).toMatch(/\n\n#a-b\n\n# mine\r\n😀\n$/);
    // It is for people: an import refuses it.
    const refused = await entriesCommand('import', '--user', ada.account.email, file);
    expect(refused).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining('The zip has neither'),
    });
  });

  it('take - for standard input and output, and write nothing else there', async () => {
    const input = '{"text":"a","mood":1}\n{"text":"b","mood":2}\n';
    const user = ['--user', ada.account.email, '--format', 'ndjson', '-'];
    const put = await run({ args: ['entries', 'import', ...user], input });
    expect(put).toMatchObject({ code: 0, stderr: '' });
    const got = await run({ args: ['entries', 'export', ...user] });
    expect(got).toEqual({
      code: 0,
      stdout: (await ada.get('/entries/export')).text,
      stderr: 'exported 2 entries\n',
    });
    expect(got.stdout.split('\n')).toHaveLength(3);
  });

  it('create files that only the owner can read, also over existing files and links', async () => {
    const file = join(folder, 'entries.csv');
    const link = join(folder, 'link.csv');
    writeFileSync(file, 'of before', { mode: 0o644 });
    symlinkSync(file, link);
    expect(await entriesCommand('export', '--user', ada.account.email, link)).toMatchObject({ code: 0 });
    expect(readFileSync(file, 'utf8')).toMatch(/^\ufeffid,text,/);
    expect((statSync(file).mode & 0o777).toString(8)).toBe('600');
    expect(lstatSync(link).isSymbolicLink()).toBe(true);
  });

  it('leave a pipe or a device what it is, and write to it', async () => {
    const pipe = join(folder, 'pipe.ndjson');
    execFileSync('mkfifo', [pipe]);
    await ada.post('/entries', { text: 'a', mood: 1 });
    let read = '';
    createReadStream(pipe, 'utf8').on('data', (chunk) => (read += String(chunk)));
    expect(await entriesCommand('export', '--user', ada.account.email, pipe)).toMatchObject({ code: 0 });
    const { text } = await ada.get('/entries/export');
    await until('all is read', () => Promise.resolve(read === text));
    expect(statSync(pipe).isFIFO()).toBe(true);
  });

  it('leave no part of an export that fails, and what was there before', async () => {
    const file = join(folder, 'entries.ndjson');
    writeFileSync(file, 'of before');
    await ada.post('/entries', { text: 'a', mood: 1 });
    await service.database.query('ALTER TABLE entries RENAME COLUMN mood TO humour');
    try {
      expect(await entriesCommand('export', '--user', ada.account.email, file)).toMatchObject({ code: 1 });
    } finally {
      await service.database.query('ALTER TABLE entries RENAME COLUMN humour TO mood');
    }
    expect(readdirSync(folder)).toEqual(['entries.ndjson']);
    expect(readFileSync(file, 'utf8')).toBe('of before');
  });

  it('end with a message if the reader of an export closes the pipe', async () => {
    await service.database.query(
      `INSERT INTO entries (id, user_id, text, search_text, mood)
       SELECT gen_random_uuid(), $1, repeat('x', 10000), repeat('x', 10000), 5
         FROM generate_series(1, 500)`,
      [ada.account.userId],
    );
    const args = ['entries', 'export', '--user', ada.account.email, '--format', 'ndjson', '-'];
    const program = start({ args });
    program.process.stdout!.once('data', () => program.process.stdout!.destroy());
    expect(await program.exited).toEqual({ code: 1, signal: null });
    expect(program.stderr).toBe('the reader of the output has closed the pipe\n');
  });

  it('report invalid lines with reasons, exit 3, and import the others', async () => {
    const file = join(folder, 'entries.csv');
    writeFileSync(file, 'text,mood\na,1\nb,11\n"c\nc",2\n,3\n');
    const { code, stdout, stderr } = await entriesCommand('import', '--user', ada.account.email, file);
    expect(code).toBe(3);
    expect(stdout).toBe('imported 2, skipped 0 existing, rejected 2\n');
    expect(stderr).toMatch(/^line 3: mood: must be .+\nline 6: text: must have .+\n$/);
  });

  it('stop at SIGINT and keep complete batches', async () => {
    const program = start({
      args: ['entries', 'import', '--user', ada.account.email, '--format', 'ndjson', '-'],
    });
    const line = (n: number) => `${JSON.stringify({ text: `entry ${n}`, mood: 1 })}\n`;
    program.process.stdin!.write(Array.from({ length: 4 * BATCH_ROWS - 1 }, (_, n) => line(n)).join(''));
    const stored = async () =>
      (await service.database.query('SELECT FROM entries WHERE user_id = $1', [ada.account.userId])).length;
    await until('three batches are there', async () => (await stored()) === 3 * BATCH_ROWS);
    program.process.kill('SIGINT');
    expect(await program.exited).toEqual({ code: 130, signal: null });
    expect(program.stderr).toContain('SIGINT: stopped; imported entries are kept');
    expect(await stored()).toBe(3 * BATCH_ROWS);
  });
});

describe('the command', () => {
  it('exits 2 for a usage error, and 0 for --help', async () => {
    const wrong = await entriesCommand('import', 'a.csv');
    expect(wrong).toMatchObject({ code: 2, stdout: '' });
    expect(wrong.stderr).toMatch(
      /^error: required option '--user <email>' not specified\n\nUsage: node dist\/cli\.js /,
    );
    expect(await run({ args: ['--help'] })).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^Usage: /),
      stderr: '',
    });
  });

  it('exits 78 with every fault of its configuration, and needs no JWT secret', async () => {
    const args = ['entries', 'export', '--user', 'ada@example.org', '-', '--format', 'csv'];
    const environment = { DB_POOL_SIZE: '0', REDIS_URL: 'http://localhost' };
    const { code, stderr } = await run({ args, environment });
    expect(code).toBe(78);
    expect(stderr).toContain('DB_POOL_SIZE');
    expect(stderr).not.toContain('JWT_SECRET');
  });

  it('exits 1 with a plain message', async () => {
    const missing = join(folder, 'missing.csv');
    const { code, stdout, stderr } = await entriesCommand('import', '--user', ada.account.email, missing);
    expect({ code, stdout, stderr }).toEqual({ code: 1, stdout: '', stderr: `no such file: ${missing}\n` });
  });
});

describe('errors', () => {
  async function failure(
    fields: Partial<ImportCommand> | Partial<ExportCommand>,
    url = service.database.url,
  ): Promise<string> {
    const command = {
      action: 'import',
      email: ada.account.email,
      format: 'csv',
      file: '',
      ...fields,
    } as EntriesCommand;
    return runEntriesCommand(command, loadCommandConfig({ DATABASE_URL: url })).then(
      (code) => `exit ${code}`,
      (error: unknown) => describeFailure(error),
    );
  }

  it('an unknown e-mail address', async () => {
    expect(await failure({ email: 'nobody@example.org' })).toBe(
      'no user has the e-mail address nobody@example.org',
    );
  });

  it('a file that cannot be read or written', async () => {
    const missing = join(folder, 'missing.csv');
    expect(await failure({ file: folder })).toMatch(/^is a directory/);
    expect(await failure({ action: 'export', file: join(missing, 'a.csv') })).toMatch(
      /^no such file: .+a\.csv\.[0-9a-f]+\.partial$/,
    );
    const file = join(folder, 'semicolons.csv');
    writeFileSync(file, 'text,weather\na,fair\n');
    expect(await failure({ file })).toContain('Unknown column');
  });

  it('fails for a missing database or pending migrations, and applies none', async () => {
    expect(await failure({}, `${service.database.url}_not`)).toContain('refuses the connection');
    const database = await createDatabase();
    try {
      expect(await failure({}, database.url)).toContain('the database has pending migrations (');
      expect(await database.query(`SELECT FROM pg_tables WHERE schemaname = 'public'`)).toEqual([]);
    } finally {
      await database.drop();
    }
  });
});

it('an import is seen at once by a running service that has cached totals', async () => {
  const total = async () => Number((await ada.get('/entries?moodMin=1')).body.total);
  const before = await total();
  const { code } = await run({
    args: ['entries', 'import', '--user', ada.account.email, '--format', 'ndjson', '-'],
    input: '{"text":"a","mood":1}\n{"text":"b","mood":1}\n{"text":"c","mood":1}\n',
  });
  expect(code).toBe(0);
  expect(await total()).toBe(before + 3);
});
