import { execFileSync, spawn } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { freePort } from '../../scripts/free-port.js';
import { identityOf } from '../../scripts/postgres/cluster-users.js';
import { ApiClient } from '../harness/http/client.js';
import { createDatabase } from '../harness/database/database.js';
import { Program } from '../harness/programs/program.js';
import { copyProject, type ProjectCopy } from '../harness/programs/project-copy.js';
import { TEST_SECRET } from '../harness/test-secret.js';
import { until } from '../harness/until.js';

/** A build by tsc, on a machine that runs other suites. */
const BUILD_MS = 120_000;
const TIMEOUT_MS = 300_000;

let project: ProjectCopy;
let program: Program | undefined;

beforeAll(() => {
  project = copyProject();
  // As in a fresh clone.
  rmSync(join(project.folder, 'dist'), { recursive: true });
});
afterEach(async () => {
  // Left by a failure.
  if (program?.process.exitCode === null) process.kill(-program.process.pid!, 'SIGTERM');
  await program?.exited;
});
afterAll(() => project.remove());

function start(args: readonly string[], environment: Readonly<Record<string, string>> = {}): Program {
  program = new Program(
    spawn(process.execPath, args, {
      cwd: project.folder,
      env: { PATH: process.env['PATH'], ...environment },
      // A process group of its own, as a terminal gives it.
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    }),
  );
  return program;
}

function descendantsOf(pid: number): number[] {
  const lines = execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' }).trim().split('\n');
  const processes = lines.map((line) => line.trim().split(/\s+/).map(Number));
  const childrenOf = (parent: number): number[] =>
    processes.flatMap(([child = 0, ppid]) => (ppid === parent ? [child, ...childrenOf(child)] : []));
  return childrenOf(pid);
}

/** Ends it as Ctrl-C does: the terminal signals the whole group. Expects that nothing it has started is left. */
async function expectToStop({ process: { pid }, exited }: Program): Promise<void> {
  const descendants = descendantsOf(pid!);
  expect(descendants.length).toBeGreaterThan(0);
  process.kill(-pid!, 'SIGINT');
  await exited;
  expect(descendants.filter((descendant) => identityOf(descendant) !== undefined)).toEqual([]);
}

describe('npm run start:dev in a fresh clone', () => {
  it(
    'starts a database and the service, takes up an edit, and stops everything on Ctrl-C',
    async () => {
      const port = String(await freePort());
      const running = start(['--import', 'tsx', 'scripts/start.ts', '--watch'], { PORT: port });
      const url = await running.said(/listening on (\S+?),? /, BUILD_MS);
      expect(url).toBe(`http://127.0.0.1:${port}`);
      expect(running.stdout).toMatch(/database: ready .*created/);
      expect(running.stdout).toMatch(/INFO.*migrations applied/);

      const client = new ApiClient(url);
      expect((await client.get('/health/live')).status).toBe(200);
      expect((await client.get('/health/alive')).status).toBe(404);
      const source = join(project.folder, 'src/health/health.controller.ts');
      writeFileSync(source, readFileSync(source, 'utf8').replace("@Get('live')", "@Get('alive')"));
      const isEdited = async () => (await client.get('/health/alive').catch(() => undefined))?.status === 200;
      await until('the service has the edited route', isEdited, BUILD_MS);

      await expectToStop(running);
      expect(running.process.exitCode).toBe(0);
      expect(running.stdout).toContain('data is kept in');
      expect(existsSync(join(project.folder, '.data/postgres/data/postmaster.pid'))).toBe(false);
    },
    TIMEOUT_MS,
  );
});

describe('npx nest start --watch', () => {
  it(
    'runs with a DATABASE_URL and a JWT_SECRET in .env',
    async () => {
      const database = await createDatabase();
      writeFileSync(
        join(project.folder, '.env'),
        `DATABASE_URL=${database.url}\nJWT_SECRET=${TEST_SECRET}\nHOST=127.0.0.1\nPORT=0\n`,
      );
      // The types were checked by the start before, and take a third of the build.
      const build = join(project.folder, 'tsconfig.build.json');
      const options = '"compilerOptions": {';
      writeFileSync(build, readFileSync(build, 'utf8').replace(options, `${options} "noCheck": true,`));
      const running = start(['node_modules/@nestjs/cli/bin/nest.js', 'start', '--watch']);
      const url = await running.said(/listening on (\S+?),? /, BUILD_MS);
      expect((await new ApiClient(url).get('/health')).status).toBe(200);
      await expectToStop(running);
      await database.drop();
    },
    TIMEOUT_MS,
  );
});
