import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { Agent, request as httpRequest, type IncomingMessage } from 'node:http';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import { ApiClient } from '../harness/http/client.js';
import { createDatabase, type TestDatabase } from '../harness/database/database.js';
import { Program } from '../harness/programs/program.js';
import { Clients, ReadinessProxy } from '../harness/programs/rolling-restart.js';
import { until } from '../harness/until.js';

let database: TestDatabase;
let program: Program;
let lock: Client | undefined;

beforeAll(async () => {
  database = await createDatabase();
});
afterEach(async () => {
  await lock?.end();
  lock = undefined;
  await program.stop('SIGKILL');
});
afterAll(() => database.drop());

/** Makes every INSERT into entries wait, until the lock's connection ends. */
const lockEntries = () => lockTable('entries', 'SHARE');

async function lockTable(table: string, mode: string): Promise<Client> {
  const client = new Client({ connectionString: database.url });
  client.on('error', () => {});
  await client.connect();
  await client.query(`BEGIN; LOCK TABLE ${table} IN ${mode} MODE`);
  return client;
}

/** A connection on which one request was answered, and that is kept open. */
async function openConnection(url: string): Promise<{ ask(request: string): Promise<string> }> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => {});
  let received = '';
  socket.setEncoding('latin1').on('data', (chunk: string) => (received += chunk));
  socket.write('GET /health/live HTTP/1.1\r\nhost: a\r\n\r\n');
  await until('the first response', () => received.includes('{"status":"ok"}'));
  return {
    ask: async (request) => {
      received = '';
      socket.write(request);
      // Not once(): it rejects when a write meets a connection that the server has closed meanwhile.
      await until('the connection is closed', () => socket.closed);
      return received;
    },
  };
}

/** A connection on which nothing is sent: browsers and balancers open such in advance. */
async function openInAdvance(url: string): Promise<Socket> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => {});
  await once(socket, 'connect');
  return socket;
}

async function waitingForLock(): Promise<boolean> {
  const rows = await database.query(
    `SELECT 1 FROM pg_stat_activity WHERE datname = $1 AND wait_event_type = 'Lock'`,
    [database.name],
  );
  return rows.length > 0;
}

describe.each(['SIGTERM', 'SIGINT'] as const)('%s', (signal) => {
  it('lets the request under way finish, closes the connection politely, and exits 0', async () => {
    program = Program.start({ DATABASE_URL: database.url });
    const url = await program.listening();
    const { account } = await new ApiClient(url).signUp();
    lock = await lockEntries();
    const agent = new Agent({ keepAlive: true });
    // A second connection, open and idle when the signal comes.
    const idle = await openConnection(url);
    const response = new Promise<IncomingMessage>((resolve, reject) => {
      const request = httpRequest(
        `${url}/entries`,
        {
          method: 'POST',
          agent,
          headers: { authorization: `Bearer ${account.accessToken}`, 'content-type': 'application/json' },
        },
        resolve,
      );
      request.once('error', reject);
      request.end(JSON.stringify({ text: 'in flight', mood: 5 }));
    });
    await until('the INSERT waits', waitingForLock);
    program.process.kill(signal);
    await program.said(/shutting down/);
    const refused = await idle.ask('GET /health HTTP/1.1\r\nhost: a\r\n\r\n');
    await lock.query('COMMIT');
    // Closed at once, or told that this is no time to ask.
    if (refused !== '') {
      expect(refused).toMatch(/^HTTP\/1.1 503 /);
      expect(refused).toMatch(/^connection: close\r$/im);
      expect(refused).toContain('"shutdown":{"status":"down"');
    }
    const { statusCode, headers } = await response;
    expect(statusCode).toBe(201);
    expect(headers.connection).toBe('close');
    expect(await program.exited).toEqual({ code: 0, signal: null });
    expect(program.lines.filter(({ level }) => level === 'error')).toEqual([]);
    agent.destroy();
  });
});

describe('SIGTERM', () => {
  it('is not held up by a connection that was opened in advance, nor by half a request when time is up', async () => {
    program = Program.start({ DATABASE_URL: database.url, SHUTDOWN_TIMEOUT_MS: '2000' });
    const url = await program.listening();
    await openInAdvance(url);
    const half = await openInAdvance(url);
    half.write('GET /health/live HTTP/1.1\r\nhost: a\r\n');
    // Answered after the others were accepted, on a connection that came later.
    await new ApiClient(url).get('/health/live');
    expect(await program.stop()).toEqual({ code: 0, signal: null });
  });

  it('leaves /metrics on its own port until the last request is done', async () => {
    program = Program.start({ DATABASE_URL: database.url, METRICS_PORT: '0' });
    const url = await program.listening();
    const metrics = await program.said(/metrics on (http\S+?)"/);
    const client = await new ApiClient(url).signUp();
    lock = await lockEntries();
    const response = client.post('/entries', { text: 'in flight', mood: 5 });
    await until('the INSERT waits', waitingForLock);
    program.process.kill('SIGTERM');
    await until('the main port is closed', () =>
      fetch(`${url}/health/live`).then(
        () => false,
        () => true,
      ),
    );
    expect(await (await fetch(metrics)).text()).toContain('database_pool{state="size"}');
    await lock.query('COMMIT');
    expect((await response).status).toBe(201);
    expect(await program.exited).toEqual({ code: 0, signal: null });
  });
});

describe('SIGTERM with a request that does not end', () => {
  it('exits 1 after SHUTDOWN_TIMEOUT_MS, with a message', async () => {
    program = Program.start({ DATABASE_URL: database.url, SHUTDOWN_TIMEOUT_MS: '300' });
    const client = await new ApiClient(await program.listening()).signUp();
    lock = await lockEntries();
    const response = client.post('/entries', { text: 'stuck', mood: 5 }).catch(() => undefined);
    await until('the INSERT waits', waitingForLock);
    expect(await program.stop()).toEqual({ code: 1, signal: null });
    expect(program.lines.at(-1)?.level).toBe('error');
    expect(program.stdout).toMatch(
      /not finished within 300 ms: exiting anyway; still open: POST \/entries \(\d+ ms\)/,
    );
    await response;
  });

  it('exits at once at a second signal', async () => {
    program = Program.start({ DATABASE_URL: database.url });
    const client = await new ApiClient(await program.listening()).signUp();
    lock = await lockEntries();
    const response = client.post('/entries', { text: 'stuck', mood: 5 }).catch(() => undefined);
    await until('the INSERT waits', waitingForLock);
    program.process.kill('SIGTERM');
    await program.said(/shutting down/);
    program.process.kill('SIGTERM');
    expect(await program.exited).toEqual({ code: 1, signal: null });
    expect(program.stdout).toMatch(/SIGTERM again: exiting anyway; still open: POST \/entries \(\d+ ms\)/);
    await response;
  });
});

describe('SIGTERM while a background job works', () => {
  it('names the job when the time is up before it has come to a safe point', async () => {
    program = Program.start({ DATABASE_URL: database.url, SHUTDOWN_TIMEOUT_MS: '300' });
    await program.listening();
    // The service looks there for ended sessions several times a second.
    lock = await lockTable('sessions', 'ACCESS EXCLUSIVE');
    await until('the look waits', waitingForLock);
    expect(await program.stop()).toEqual({ code: 1, signal: null });
    expect(program.stdout).toMatch(/still open: .*EndedSessionsService \(\d+ ms\)/);
  });

  it('waits for it, and exits 0', async () => {
    program = Program.start({ DATABASE_URL: database.url });
    await program.listening();
    lock = await lockTable('sessions', 'ACCESS EXCLUSIVE');
    await until('the look waits', waitingForLock);
    program.process.kill('SIGTERM');
    await program.said(/shutting down/);
    await lock.query('COMMIT');
    expect(await program.exited).toEqual({ code: 0, signal: null });
  });
});

describe('SHUTDOWN_DRAIN_MS', () => {
  it('has /health say 503 at once, and requests served until it is over', async () => {
    program = Program.start({ DATABASE_URL: database.url, SHUTDOWN_DRAIN_MS: '600' });
    const client = await new ApiClient(await program.listening()).signUp();
    program.process.kill('SIGTERM');
    await program.said(/shutting down/);
    const health = await client.get('/health');
    expect(health.status).toBe(503);
    expect(health.body.error).toEqual({ shutdown: { status: 'down', message: expect.any(String) } });
    expect((await client.get('/health/live')).status).toBe(200);
    const written = await client.post('/entries', { text: 'late', mood: 5 });
    expect(written.status).toBe(201);
    expect(written.headers.get('connection')).toBe('close');
    expect(await program.exited).toEqual({ code: 0, signal: null });
    // What the probe is meant to be told is no failure.
    const probes = program.lines.filter(({ route, status }) => route === '/health' && status === 503);
    expect(probes.map(({ level }) => level)).toEqual(['info']);
    expect(program.lines.filter(({ level }) => level === 'error' || level === 'warn')).toEqual([]);
  });
});

describe('a rolling restart of two replicas behind a proxy that asks for readiness', () => {
  it('fails no request of 200 clients and loses no write', async () => {
    const proxy = await ReadinessProxy.start();
    const start = () =>
      Program.start({
        DATABASE_URL: database.url,
        // Where suites share few cores, a probe may take half a second.
        SHUTDOWN_DRAIN_MS: '1500',
        RATE_LIMIT_ENABLED: 'false',
        LOG_LEVEL: 'info',
        // As many connections as two replicas may have in a suite that shares its server with others.
        DB_POOL_SIZE: '5',
      });
    let replicas = [start(), start()];
    try {
      for (const replica of replicas) proxy.add(await replica.listening());
      for (const replica of replicas) {
        const url = await replica.listening();
        await until('the replica is ready', () => proxy.isReady(url));
      }
      const users = [];
      for (let user = 0; user < 10; user += 1) users.push(await new ApiClient(proxy.url).signUp());
      const tokens = users.map(({ account }) => account.accessToken);
      const clients = new Clients({ url: proxy.url, tokens, count: 200, pauseMs: 2500 });
      for (const old of [...replicas]) {
        const url = await old.listening();
        expect(await old.stop()).toEqual({ code: 0, signal: null });
        proxy.remove(url);
        const next = start();
        replicas = [...replicas.filter((replica) => replica !== old), next];
        const nextUrl = await next.listening();
        proxy.add(nextUrl);
        await until('the new replica is ready', () => proxy.isReady(nextUrl));
      }
      await clients.stop();
      expect(clients.failures).toEqual([]);
      expect(clients.requests).toBeGreaterThan(200);
      const rows = await database.query('SELECT 1 FROM entries WHERE id = ANY ($1)', [clients.acknowledged]);
      expect(rows).toHaveLength(clients.acknowledged.length);
    } finally {
      await Promise.all(replicas.map((replica) => replica.stop('SIGKILL')));
      await proxy.close();
    }
  }, 60_000);
});

describe('SIGTERM during boot', () => {
  it('ends the process though nothing is up yet', async () => {
    program = Program.start({ DATABASE_URL: 'postgres://nobody@127.0.0.1:9/entries' });
    await program.said(/is not ready/);
    expect(await program.stop()).toEqual({ code: 143, signal: null });
  });

  it('shuts down once there is something to stop, and opens no port', async () => {
    lock = await lockTable('sessions', 'ACCESS EXCLUSIVE');
    program = Program.start({ DATABASE_URL: database.url });
    await until('the first look at the sessions waits', waitingForLock);
    program.process.kill('SIGTERM');
    await program.said(/shutting down/);
    await lock.query('COMMIT');
    expect(await program.exited).toEqual({ code: 0, signal: null });
    expect(program.stdout).not.toContain('listening');
    expect(program.lines.filter(({ level }) => level === 'error' || level === 'fatal')).toEqual([]);
  });
});
