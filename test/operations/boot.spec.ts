import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { loadCommandConfig } from '../../src/config/config.js';
import { DatabaseUnavailableError, waitForDatabase } from '../../src/database/connection/database-wait.js';
import { copyBuild } from '../harness/programs/build-copy.js';
import { ApiClient } from '../harness/http/client.js';
import { createDatabase, onServer, type TestDatabase } from '../harness/database/database.js';
import { Program } from '../harness/programs/program.js';
import { TcpProxy } from '../harness/servers/tcp-proxy.js';

let database: TestDatabase;
const started: Program[] = [];
const start = (environment: Readonly<Record<string, string>>, program?: string) => {
  const process = Program.start(environment, program);
  started.push(process);
  return process;
};

beforeAll(async () => {
  database = await createDatabase();
});
afterEach(async () => {
  await Promise.all(started.splice(0).map((program) => program.stop('SIGKILL')));
});
afterAll(() => database.drop());

describe('boot with a wrong configuration', () => {
  it('names every fault with an example, and exits 78 without a stack', async () => {
    const program = start({ JWT_SECRET: 'short', PORT: 'eighty', LOG_LEVEL: 'loud' });
    expect(await program.exited).toEqual({ code: 78, signal: null });
    for (const fault of [
      /JWT_SECRET must have 32 bytes or more/,
      /PORT must be a whole number from 0 to 65535/,
      /LOG_LEVEL must be /,
      /DATABASE_URL is missing/,
      /Example: PORT=8080/,
    ]) {
      expect(program.stderr).toMatch(fault);
    }
    expect(program.stderr).not.toMatch(/^\s+at /m);
    expect(program.stderr).not.toContain('short');
  });
});

describe('boot on an empty database', () => {
  it('applies the migrations, logs it and listens; the next start finds none pending', async () => {
    const first = start({ DATABASE_URL: database.url });
    const client = await new ApiClient(await first.listening()).signUp();
    expect(first.stdout).toContain('database ready');
    expect(first.stdout).toMatch(/migrations applied: \d+, from CreateUsersSessionsAndEntries\d+ to \w+/);
    expect(first.stdout).toContain('/docs');
    const { body } = await client.post('/entries', { text: 'kept', mood: 7 });
    expect(await first.stop()).toEqual({ code: 0, signal: null });

    const second = start({ DATABASE_URL: database.url });
    const again = new ApiClient(await second.listening(), client.account);
    expect(second.stdout).toContain('migrations: none pending');
    expect((await again.get(`/entries/${body.id}`)).body).toEqual(body);
  });

  it('is not ready without tables if MIGRATIONS_RUN is off', async () => {
    const empty = await createDatabase();
    try {
      const program = start({ DATABASE_URL: empty.url, MIGRATIONS_RUN: 'false' });
      const { status, body } = await new ApiClient(await program.listening()).get('/health');
      expect(status).toBe(503);
      expect(body.details.migrations).toMatchObject({ status: 'down' });
      expect(body.details.migrations.pending).toBeGreaterThan(0);
      await program.stop();
    } finally {
      await empty.drop();
    }
  });

  it('exits with one clear line if the build has no migrations', async () => {
    const build = copyBuild({}, /\d{13}-/);
    const empty = await createDatabase();
    try {
      const program = start({ DATABASE_URL: empty.url }, build.program);
      expect(await program.exited).toEqual({ code: 1, signal: null });
      expect(program.lines.at(-1)).toMatchObject({
        level: 'fatal',
        msg: expect.stringContaining('No migrations found'),
      });
      expect(program.stdout + program.stderr).not.toMatch(/^\s+at /m);
    } finally {
      build.remove();
      await empty.drop();
    }
  });
});

describe('boot with a password full of special characters', () => {
  const password = 'p@ss:w/rd?#%';
  const role = `role_${process.pid}`;

  beforeAll(async () => {
    await onServer(`CREATE ROLE ${role} LOGIN PASSWORD '${password}'`);
  });

  it.each([
    [
      'DATABASE_URL, percent-encoded',
      (url: URL) => ({
        DATABASE_URL: `postgres://${role}:${encodeURIComponent(password)}@${url.host}${url.pathname}`,
      }),
    ],
    [
      'DATABASE_URL, as it is',
      (url: URL) => ({ DATABASE_URL: `postgres://${role}:${password}@${url.host}${url.pathname}` }),
    ],
    [
      'DB_PASSWORD',
      (url: URL) => ({
        DB_HOST: url.hostname,
        DB_PORT: url.port,
        DB_USER: role,
        DB_PASSWORD: password,
        DB_NAME: url.pathname.slice(1),
      }),
    ],
  ])('connects by %s', async (_form, environment) => {
    const own = await createDatabase();
    try {
      await onServer(`ALTER DATABASE ${own.name} OWNER TO ${role}`);
      await own.query(`ALTER SCHEMA public OWNER TO ${role}`);
      const program = start(environment(new URL(own.url)));
      expect((await new ApiClient(await program.listening()).get('/health')).status).toBe(200);
      await program.stop();
    } finally {
      await own.drop();
    }
  });

  afterAll(async () => {
    await onServer(`DROP ROLE ${role}`);
  });
});

describe('boot without its database', () => {
  it('waits, a line a try, and starts when the database is there', async () => {
    const { hostname, port } = new URL(database.url);
    const proxy = await TcpProxy.to(hostname, Number(port));
    proxy.cut();
    try {
      const url = new URL(database.url);
      url.host = `127.0.0.1:${proxy.port}`;
      const program = start({ DATABASE_URL: url.href });
      await program.said(/is not ready \(try 2\)/);
      proxy.open();
      const { status } = await new ApiClient(await program.listening()).get('/health');
      expect(status).toBe(200);
      await program.stop();
    } finally {
      await proxy.close();
    }
  });

  it('gives up after the time limit, naming the database and the reason', async () => {
    const lines: string[] = [];
    const { database: unreachable } = loadCommandConfig({
      DATABASE_URL: 'postgres://nobody:secret-word@127.0.0.1:9/entries',
    });
    const waiting = waitForDatabase(unreachable, (line) => lines.push(line), 600);
    await expect(waiting).rejects.toThrow(DatabaseUnavailableError);
    await expect(waiting).rejects.toThrow(
      /nobody@127\.0\.0\.1:9\/entries did not answer within .* ECONNREFUSED/,
    );
    expect(lines.length).toBeGreaterThan(0);
    expect(lines.join()).not.toContain('secret-word');
  });

  it.each([
    ['a wrong password', { password: 'wrong' }, /refuses the connection: .*password/],
    [
      'a database that does not exist',
      { pathname: '/nowhere' },
      /refuses the connection: .*"nowhere" does not exist/,
    ],
  ])('does not wait for %s to change', async (_case, part, reason) => {
    const url = Object.assign(new URL(database.url), part);
    const program = start({ DATABASE_URL: url.href });
    expect(await program.exited).toEqual({ code: 1, signal: null });
    expect(program.lines.at(-1)).toMatchObject({ level: 'fatal', msg: expect.stringMatching(reason) });
    expect(program.lines).toHaveLength(1);
    expect(program.stderr).toBe('');
  });
});

describe('boot on a port that is taken', () => {
  it('says which, and exits 1', async () => {
    const occupant = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => occupant.once('listening', resolve));
    const { port } = occupant.address() as AddressInfo;
    try {
      const program = start({ DATABASE_URL: database.url, PORT: String(port) });
      expect(await program.exited).toEqual({ code: 1, signal: null });
      expect(program.lines.at(-1)).toMatchObject({
        level: 'fatal',
        msg: `port ${port} on 127.0.0.1 is in use: stop the other process or change PORT`,
      });
      expect(program.stdout + program.stderr).not.toMatch(/^\s+at /m);
    } finally {
      occupant.close();
    }
  });
});
