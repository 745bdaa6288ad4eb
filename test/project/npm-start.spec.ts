import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { freePort } from '../../scripts/free-port.js';
import { identityOf } from '../../scripts/postgres/cluster-users.js';
import { ApiClient } from '../harness/http/client.js';
import { createDatabase } from '../harness/database/database.js';
import { Program } from '../harness/programs/program.js';
import { copyProject, type ProjectCopy } from '../harness/programs/project-copy.js';
import { until } from '../harness/until.js';

const NOBODY = 65_534;

let project: ProjectCopy;
let client: ApiClient;
let entryId: string;
/** What postmaster.pid had in it while PostgreSQL ran. */
let postmasterFile: string;
const started: Program[] = [];

beforeAll(() => {
  project = copyProject(dirname(process.env['TEST_PROGRAM']!));
});
afterEach(async () => {
  await Promise.all(started.splice(0).map((program) => program.stop()));
});
afterAll(() => {
  project.remove();
});

/** `npm start` after its build. */
function npmStart(environment: Readonly<Record<string, string>> = {}): Program {
  const program = new Program(
    spawn(process.execPath, ['--import', 'tsx', join(project.folder, 'scripts/start.ts')], {
      env: { PATH: process.env['PATH'], PORT: '0', LOG_FORMAT: 'json', ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    }),
  );
  started.push(program);
  return program;
}

const postmasterPath = () => join(project.folder, '.data/postgres/data/postmaster.pid');

function postmasterPid(): number | undefined {
  try {
    return Number(readFileSync(postmasterPath(), 'utf8').split('\n')[0]);
  } catch {
    return undefined;
  }
}

/** A zombie does not: in a container there may be nobody to reap it. */
function isRunning(pid: number): boolean {
  return identityOf(pid) !== undefined;
}

const expectEntryAt = async (url: string) => {
  const { status, body } = await new ApiClient(url, client.account).get(`/entries/${entryId}`);
  expect(status).toBe(200);
  expect(body).toMatchObject({ text: 'kept', mood: 7 });
};

describe('npm start on a bare machine', () => {
  it('creates a database and a secret, prints what it does, and stops everything on SIGTERM', async () => {
    const program = npmStart();
    client = await new ApiClient(await program.listening()).signUp();
    entryId = (await client.post('/entries', { text: 'kept', mood: 7 })).body.id;
    for (const line of [/database: ready .*created/, /secret: made one/, /migrations applied/, /\/docs/]) {
      expect(program.stdout).toMatch(line);
    }
    const pid = postmasterPid();
    postmasterFile = readFileSync(postmasterPath(), 'utf8');
    expect(await program.stop()).toEqual({ code: 0, signal: null });
    expect(program.stdout).toContain('data is kept in');
    expect(isRunning(pid!)).toBe(false);
  });

  it('keeps every row, and the tokens signed before, when it is started again', async () => {
    const program = npmStart();
    await expectEntryAt(await program.listening());
    await program.stop('SIGINT');
    expect(postmasterPid()).toBeUndefined();
  });

  it('stops the database when the service crashes', async () => {
    const program = npmStart();
    await program.listening();
    const service = program.lines.find(({ pid }) => typeof pid === 'number')?.['pid'] as number;
    process.kill(service, 'SIGKILL');
    expect((await program.exited).code).toBe(137);
    expect(program.stderr).toContain('the service was ended by SIGKILL');
    expect(postmasterPid()).toBeUndefined();
  });

  it('is killed: the app ends by itself, and the next start finds every row', async () => {
    const killed = npmStart();
    await killed.listening();
    const service = killed.lines.find(({ pid }) => typeof pid === 'number')?.['pid'] as number;
    await killed.stop('SIGKILL');
    await until('the service has ended', () => !isRunning(service));
    const program = npmStart();
    await expectEntryAt(await program.listening());
    expect(program.stdout).toContain('was still running');
  });

  it('comes up after PostgreSQL itself was killed and left its postmaster.pid', async () => {
    const killed = npmStart();
    await killed.listening();
    const pid = postmasterPid()!;
    await killed.stop('SIGKILL');
    process.kill(pid, 'SIGKILL');
    await until('PostgreSQL has ended', () => !isRunning(pid));
    expect(postmasterPid()).toBe(pid);
    const program = npmStart();
    await expectEntryAt(await program.listening());
  });

  it('comes up when the process id in a stale postmaster.pid belongs to somebody else now', async () => {
    writeFileSync(postmasterPath(), postmasterFile.replace(/^\d+/, String(process.pid)));
    const program = npmStart();
    await expectEntryAt(await program.listening());
  });

  it('comes up after a start that held the lock was killed', async () => {
    mkdirSync(join(project.folder, '.data/postgres.lock'));
    const program = npmStart();
    await expectEntryAt(await program.listening());
  });

  it('stops the database when the process id of a killed user belongs to somebody else now', async () => {
    const user = join(project.folder, '.data/postgres/users', String(process.pid));
    writeFileSync(user, `${process.pid} another-start-time npm start\n`);
    const program = npmStart();
    await expectEntryAt(await program.listening());
    await program.stop();
    expect(program.stdout).toContain('data is kept in');
    expect(postmasterPid()).toBeUndefined();
  });

  it('refuses a second start in the same folder, and leaves the first alone', async () => {
    const first = npmStart();
    const url = await first.listening();
    const second = npmStart();
    expect((await second.exited).code).toBe(1);
    expect(second.stderr).toMatch(/running already in this folder, as process \d+/);
    await expectEntryAt(url);
  });

  it('reports that its port is in use, and stops the database again', async () => {
    const occupant = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => occupant.once('listening', resolve));
    const { port } = occupant.address() as AddressInfo;
    const program = npmStart({ PORT: String(port) });
    expect((await program.exited).code).toBe(1);
    expect(program.stdout).toContain(`port ${port} on 127.0.0.1 is in use`);
    expect(program.stdout + program.stderr).not.toMatch(/^\s+at /m);
    expect(postmasterPid()).toBeUndefined();
    occupant.close();
  });
});

describe('npm run seed and npm run db:reset', () => {
  const run = async (script: string, args: readonly string[] = [], environment = {}) => {
    const program = new Program(
      spawn(process.execPath, ['--import', 'tsx', join(project.folder, 'scripts', script), ...args], {
        env: { PATH: process.env['PATH'], ...environment },
        stdio: ['ignore', 'pipe', 'pipe'],
      }),
    );
    return { ...(await program.exited), stdout: program.stdout, stderr: program.stderr };
  };

  it('fill the database of a running service with ten diaries, once, and empty it when it is stopped', async () => {
    const program = npmStart();
    const url = await program.listening();
    const first = await run('seed/seed.ts');
    expect(first.stderr).toBe('');
    expect(Number(/^(\d+) new entries of 10 users/m.exec(first.stdout)?.[1])).toBeGreaterThan(9000);
    expect((await run('seed/seed.ts')).stdout).toMatch(/^0 new entries of 10 users/m);
    const password = /password "(.*)"/.exec(first.stdout)![1]!;
    const login = { email: 'haruto@example.com', password };
    const { body: session } = await new ApiClient(url).post('/auth/login', login);
    const { body } = await new ApiClient(url).withToken(session.accessToken).get('/entries?q=散歩&limit=1');
    expect(body).toMatchObject({ entries: [{ category: '健康', tags: ['散歩'] }] });

    expect(await run('db-reset.ts', ['--yes'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('the database is in use: stop npm start first'),
    });
    await program.stop();
    expect(await run('db-reset.ts')).toMatchObject({ code: 1, stderr: expect.stringContaining('--yes') });
    expect(await run('db-reset.ts', ['--yes'])).toMatchObject({ code: 0, stderr: '' });
    const emptied = npmStart();
    expect((await new ApiClient(await emptied.listening()).post('/auth/login', login)).status).toBe(401);
  }, 120_000);

  it('refuse a database that the environment names, and production', async () => {
    const other = { DATABASE_URL: 'postgres://nobody@127.0.0.1:1/other' };
    expect(await run('db-reset.ts', ['--yes'], other)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('use dropdb and createdb'),
    });
    expect(await run('seed/seed.ts', [], { ...other, NODE_ENV: 'production' })).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('not with NODE_ENV=production'),
    });
  });
});

describe('npm start with DATABASE_URL', () => {
  it('uses that database and starts none', async () => {
    const database = await createDatabase();
    try {
      const port = await freePort();
      const program = npmStart({ DATABASE_URL: database.url, PORT: String(port), HOST: '127.0.0.1' });
      expect((await new ApiClient(await program.listening()).get('/health')).status).toBe(200);
      expect(program.stdout).toContain('the one that DATABASE_URL names');
      expect(postmasterPid()).toBeUndefined();
      await program.stop();
    } finally {
      await database.drop();
    }
  });
});

describe('npm start in a folder that may not be written to', () => {
  it('says so, and what to do', async () => {
    const readOnly = copyProject();
    mkdirSync(join(readOnly.folder, '.data'));
    chmodSync(join(readOnly.folder, '.data'), 0o555);
    const program = new Program(
      spawn(process.execPath, ['--import', 'tsx', join(readOnly.folder, 'scripts/start.ts')], {
        // Root may write everywhere.
        ...(process.getuid?.() === 0 && { uid: NOBODY, gid: NOBODY }),
        stdio: ['ignore', 'pipe', 'pipe'],
      }),
    );
    expect((await program.exited).code).toBe(1);
    expect(program.stderr).toMatch(/cannot write .*permission denied/);
    expect(program.stderr).not.toMatch(/^\s+at /m);
    readOnly.remove();
  });
});
