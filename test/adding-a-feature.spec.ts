import { execFile, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { freePort } from '../scripts/free-port.js';
import { createDatabase, type TestDatabase } from './harness/database/database.js';
import { Program } from './harness/programs/program.js';
import { copyProject, type ProjectCopy } from './harness/programs/project-copy.js';
import { TEST_SECRET } from './harness/test-secret.js';
import { until } from './harness/until.js';

const PAGE = readFileSync(resolve(import.meta.dirname, '../docs/adding-a-feature.md'), 'utf8');
/** Code blocks, and the file that the line before one names. */
const BLOCK = /(?:`(src\/[\w./-]+)`:\n\n)?```(sh|ts)\n(.*?)```/gs;
const START = 'npm start\n';
const START_MS = 60_000;
const TIMEOUT_MS = 180_000;

let project: ProjectCopy;
let database: TestDatabase;
let program: Program | undefined;

beforeAll(async () => {
  project = copyProject();
  database = await createDatabase();
});
afterAll(async () => {
  if (program?.process.exitCode === null) await stop(program);
  await database.drop();
  project.remove();
});

/** npm does not wait for what it has started. */
async function stop(started: Program): Promise<void> {
  process.kill(-started.process.pid!, 'SIGTERM');
  await until('the service has stopped', () => started.stdout.includes('"msg":"stopped"'));
}

it(
  'docs/adding-a-feature.md leads from nest generate to a row in a new table',
  async () => {
    const port = String(await freePort());
    const { PATH } = process.env;
    const env = { PATH, DATABASE_URL: database.url, JWT_SECRET: TEST_SECRET, HOST: '127.0.0.1', PORT: port };
    const run = async (commands: string) => {
      const options = { cwd: project.folder, env };
      return (await promisify(execFile)('bash', ['-euo', 'pipefail', '-c', commands], options)).stdout;
    };

    let output = '';
    for (const [, file, language, code = ''] of PAGE.matchAll(BLOCK)) {
      if (language === 'ts') {
        const path = join(project.folder, file!);
        mkdirSync(dirname(path), { recursive: true });
        writeFileSync(path, code);
        continue;
      }
      output = await run(code.replace(START, '').replace(':8080', `:${port}`));
      if (!code.endsWith(START)) continue;
      // A process group of its own, as a terminal gives it.
      program = new Program(spawn('npm', ['start'], { cwd: project.folder, env, detached: true }));
      await program.said(/migrations applied: .*AddMoods\d{13}/, START_MS);
      await program.listening();
    }

    const mood = JSON.parse(output);
    expect(mood).toEqual({ id: expect.any(String), name: 'calm', score: 7 });
    expect(await database.query('SELECT * FROM moods')).toEqual([mood]);
  },
  TIMEOUT_MS,
);
