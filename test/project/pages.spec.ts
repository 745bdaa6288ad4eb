import { execFile, spawn } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { ROOT } from '../../scripts/environment.js';
import { freePort } from '../../scripts/free-port.js';
import { createDatabase, type TestDatabase } from '../harness/database/database.js';
import { ApiClient } from '../harness/http/client.js';
import { Program } from '../harness/programs/program.js';
import { copyProject, type ProjectCopy } from '../harness/programs/project-copy.js';
import { TEST_SECRET } from '../harness/test-secret.js';
import { until } from '../harness/until.js';

/** Code blocks, and the file that the line before one names. */
const BLOCK = /(?:`(src\/[\w./-]+)`:\n\n)?```(sh|ts)\n(.*?)```/gs;
const START = 'npm start\n';
const START_MS = 60_000;
const TIMEOUT_MS = 180_000;

let project: ProjectCopy;
let database: TestDatabase;
let program: Program | undefined;

beforeEach(async () => {
  project = copyProject();
  database = await createDatabase();
});
afterEach(async () => {
  await database.drop();
  project.remove();
});

const blocksOf = (page: string) => [...readFileSync(join(ROOT, 'docs', page), 'utf8').matchAll(BLOCK)];

/** @returns what they print */
async function run(commands: string, environment: Readonly<Record<string, string>> = {}): Promise<string> {
  const env = { PATH: process.env['PATH'], DATABASE_URL: database.url, ...environment };
  const options = { cwd: project.folder, env };
  try {
    return (await promisify(execFile)('bash', ['-euo', 'pipefail', '-c', commands], options)).stdout;
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string };
    throw new Error(`${commands}\n${stdout}\n${stderr}`, { cause: error });
  }
}

it(
  'docs/adding-a-feature.md leads from nest generate to a row in a new table',
  async () => {
    const port = String(await freePort());
    const env = { JWT_SECRET: TEST_SECRET, HOST: '127.0.0.1', PORT: port };
    let output = '';
    try {
      for (const [, file, language, code = ''] of blocksOf('adding-a-feature.md')) {
        if (language === 'ts') {
          const path = join(project.folder, file!);
          mkdirSync(dirname(path), { recursive: true });
          writeFileSync(path, code);
          continue;
        }
        output = await run(code.replace(START, '').replace(':8080', `:${port}`), env);
        if (!code.endsWith(START)) continue;
        const { PATH } = process.env;
        program = new Program(
          spawn('npm', ['start'], {
            cwd: project.folder,
            env: { PATH, DATABASE_URL: database.url, ...env },
            // A process group of its own, as a terminal gives it.
            detached: true,
          }),
        );
        await program.said(/migrations applied: .*AddMoods\d{13}/, START_MS);
        await program.listening();
      }
      const mood = JSON.parse(output);
      expect(mood).toEqual({ id: expect.any(String), name: 'calm', score: 7 });
      expect(await database.query('SELECT * FROM moods')).toEqual([mood]);
    } finally {
      if (program?.process.exitCode === null) await stop(program);
    }
  },
  TIMEOUT_MS,
);

/** npm does not wait for what it has started. */
async function stop(started: Program): Promise<void> {
  process.kill(-started.process.pid!, 'SIGTERM');
  await until('the service has stopped', () => started.stdout.includes('"msg":"stopped"'));
}

it(
  'docs/remove-entries.md leaves a service without entries, whose users stay',
  async () => {
    for (const name of ['test', 'bench', 'client', 'docs', '.dependency-cruiser.cjs'])
      cpSync(join(ROOT, name), join(project.folder, name), { recursive: true });
    const before = Program.start({ DATABASE_URL: database.url });
    const { account } = await new ApiClient(await before.listening()).signUp();
    await before.stop();

    for (const [, , , code = ''] of blocksOf('remove-entries.md'))
      // node_modules is a link here, to those of this project.
      await run(code.replace('npm install\n', ''));

    const after = Program.start({ DATABASE_URL: database.url }, join(project.folder, 'dist/main.js'));
    try {
      const client = new ApiClient(await after.listening());
      expect(after.stdout).toMatch(/migrations applied: DropEntries/);
      expect((await client.get('/health')).status).toBe(200);
      await client.signUp();
      expect((await (await client.as(account).logIn()).get('/entries')).status).toBe(404);
      expect(await database.query("SELECT to_regclass('entries') AS entries")).toEqual([{ entries: null }]);
    } finally {
      await after.stop();
    }
  },
  TIMEOUT_MS,
);
