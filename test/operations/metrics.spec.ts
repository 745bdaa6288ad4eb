import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import { MetricsServer } from '../../src/observability/metrics-server.js';
import { startApp, type TestApp } from '../harness/http/app.js';
import { ApiClient } from '../harness/http/client.js';
import { createDatabase, type TestDatabase } from '../harness/database/database.js';
import { expectProblem } from '../harness/http/problem.js';
import { Program } from '../harness/programs/program.js';
import { until } from '../harness/until.js';

const ENTRY = { text: 'Walked by the river.', mood: 7 };

let database: TestDatabase;
let service: TestApp;
let ada: ApiClient;
beforeAll(async () => {
  // Empty, for the metrics of its migrations.
  database = await createDatabase();
  const limits = {
    RATE_LIMIT_ENABLED: 'true',
    RATE_LIMIT_ANONYMOUS_PER_MINUTE: '100000',
    RATE_LIMIT_USER_PER_MINUTE: '100000',
    RATE_LIMIT_LOGIN_PER_MINUTE: '2',
  };
  service = await startApp(limits, database);
  ada = await service.signUp();
});
afterAll(async () => {
  await service.close();
  await database.drop();
});

/** Each series by its name and labels, as Prometheus writes them. */
async function series(client = service.anonymous, path = '/metrics'): Promise<Map<string, number>> {
  const { text } = await client.get(path);
  return new Map(
    text
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => {
        const at = line.lastIndexOf(' ');
        return [line.slice(0, at), Number(line.slice(at + 1))];
      }),
  );
}

async function valueOf(name: string): Promise<number | undefined> {
  return (await series()).get(name);
}

describe('GET /metrics', () => {
  it('has rate, errors and duration by method, route pattern and status', async () => {
    const { id } = (await ada.post('/entries', ENTRY)).body;
    const name = 'http_request_duration_seconds_count{method="GET",route="/entries/:id",status="200"}';
    const before = (await valueOf(name)) ?? 0;
    await ada.get(`/entries/${id}`);
    await until('it is counted', async () => (await valueOf(name)) === before + 1);
    const seconds = await valueOf(name.replace('_count', '_sum'));
    expect(seconds).toBeGreaterThan(0);
    expect(seconds).toBeLessThan(30);
  });

  it('has the event loop, garbage collections, memory and CPU time of the process', async () => {
    const names = [...(await series()).keys()].map((key) => key.replace(/\{.*/, ''));
    for (const name of [
      'nodejs_eventloop_lag_p99_seconds',
      'nodejs_gc_duration_seconds_count',
      'process_resident_memory_bytes',
      'process_cpu_seconds_total',
    ]) {
      expect(names).toContain(name);
    }
  });

  it("has the pool's connections, and who waits for one", async () => {
    const lock = new Client({ connectionString: service.database.url });
    await lock.connect();
    await lock.query('BEGIN');
    // Of five connections, each then waits for the lock with a request of its own.
    await lock.query('SELECT 1 FROM users WHERE id = $1 FOR UPDATE', [ada.account.userId]);
    const requests = Array.from({ length: 7 }, () => ada.post('/entries', ENTRY));
    // And whatever the service asks by itself meanwhile.
    await until('two wait', async () => ((await valueOf('database_pool{state="waiting"}')) ?? 0) >= 2);
    expect(await valueOf('database_pool{state="size"}')).toBe(5);
    expect(await valueOf('database_pool{state="idle"}')).toBe(0);
    await lock.end();
    await Promise.all(requests);
    const now = await series();
    expect(now.get('database_pool{state="size"}')).toBeGreaterThanOrEqual(1);
    expect(now.get('database_pool{state="size"}')).toBeLessThanOrEqual(5);
    expect(now.get('database_pool{state="idle"}')).toBeGreaterThanOrEqual(1);
    expect(now.get('database_pool{state="waiting"}')).toBe(0);
  });

  it('counts the totals that the cache had, and those that it had not', async () => {
    const count = async (outcome: string) => (await valueOf(`cache_reads_total{outcome="${outcome}"}`)) ?? 0;
    await ada.post('/entries', ENTRY);
    const [hits, misses] = [await count('hit'), await count('miss')];
    await ada.get('/entries');
    expect(await count('miss')).toBe(misses + 1);
    await ada.get('/entries');
    expect(await count('hit')).toBe(hits + 1);
  });

  it('has refused requests by limit', async () => {
    const { email } = ada.account;
    for (const status of [401, 401, 429])
      expect((await service.anonymous.post('/auth/login', { email, password: 'wrong' })).status).toBe(status);
    expect(await valueOf('rate_limit_refusals_total{limit="login"}')).toBe(1);
  });

  it('has running and waiting password hashes', async () => {
    const logins = Array.from({ length: 40 }, (_each, i) =>
      service.anonymous.post('/auth/login', { email: `nobody-${i}@example.org`, password: 'wrong' }),
    );
    await until('some wait', async () => ((await valueOf('password_hashes{state="waiting"}')) ?? 0) > 0);
    await Promise.all(logins);
    const now = await series();
    expect(now.get('password_hashes{state="waiting"}')).toBe(0);
    expect(now.get('password_hashes{state="running"}')).toBe(0);
  });

  it('has the migrations of the start, their duration and the lock wait', async () => {
    const now = await series();
    const [{ count }] = (await service.database.query<{ count: number }>(
      'SELECT count(*)::int AS count FROM migrations',
    )) as [{ count: number }];
    expect(now.get('migrations_applied')).toBe(count);
    expect(now.get('migrations_lock_wait_seconds')).toBeGreaterThan(0);
    expect(now.get('migrations_duration_seconds')).toBeGreaterThan(now.get('migrations_lock_wait_seconds')!);
  });

  it('has no new series after 10 000 other URLs, methods and headers', async () => {
    const methods = [
      'GET',
      'HEAD',
      'OPTIONS',
      'POST',
      'PUT',
      'PATCH',
      'DELETE',
      'TRACE',
      'PROPFIND',
      'M-SEARCH',
      'PURGE',
    ];
    const request = (i: number) => {
      const noise = `${i.toString(36)}-${(i * 2_654_435_761).toString(36)}`;
      const urls = [
        `/${noise}`,
        `/entries/${noise}`,
        `/entries/trash/${noise}/x`,
        `/auth/sessions/${noise}?${noise}=1`,
        `/%E0/${noise}`,
      ];
      return (
        `${methods[i % methods.length]!} ${urls[i % urls.length]!} HTTP/1.1\r\nhost: ${noise}\r\n` +
        `user-agent: ${noise}\r\nx-request-id: ${noise}\r\ncontent-length: 0\r\n\r\n`
      );
    };
    const all = async (from: number, to: number) => {
      for (let i = from; i < to; i += 200)
        await pipelined(Array.from({ length: 200 }, (_each, k) => request(i + k)));
    };
    // Those that there may be are there after every method has met every kind of path.
    await all(0, 200);
    // Of V8's collections, a kind comes when V8 thinks it time for one; of Node's handles, when there is one.
    const names = async () =>
      [...(await series()).keys()].filter((name) => !/^nodejs_(gc|active)_/.test(name));
    const before = await names();
    await all(200, 10_200);
    expect(await names()).toEqual(before);
    expect(before.length).toBeLessThan(2000);
  });
});

describe('METRICS_PORT', () => {
  it('serves /metrics on METRICS_PORT only', async () => {
    const other = await startApp({ METRICS_PORT: '0', HOST: '127.0.0.1' });
    let own: ApiClient;
    try {
      own = new ApiClient(new URL(other.app.get(MetricsServer, { strict: false }).url!).origin);
      const { status, headers } = await own.get('/metrics');
      expect(status).toBe(200);
      expect(headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
      expect((await series(own)).has('database_pool{state="size"}')).toBe(true);
      expectProblem(await other.anonymous.get('/metrics'), 404);
      expect((await own.get('/health')).status).toBe(404);
      expect((await own.post('/metrics')).status).toBe(405);
    } finally {
      await other.close();
    }
    await expect(own.get('/metrics')).rejects.toThrow('fetch failed');
  });

  it('that is in use ends the start, and is named', async () => {
    const occupier = createServer().listen(0, '127.0.0.1');
    await once(occupier, 'listening');
    const { port } = occupier.address() as AddressInfo;
    const database = await createDatabase();
    const program = Program.start({ DATABASE_URL: database.url, METRICS_PORT: String(port) });
    expect((await program.exited).code).toBe(1);
    // What it wrote may come after its end.
    await until('the end is told', () => program.lines.at(-1)?.level === 'fatal');
    expect(program.lines.at(-1)?.msg).toBe(
      `port ${port} on 127.0.0.1 is in use: stop the other process or change METRICS_PORT`,
    );
    occupier.close();
    await database.drop();
  });
});

/** Sends requests one after the other on one connection, without waiting, and waits for all of the responses. */
async function pipelined(requests: readonly string[]): Promise<void> {
  const { hostname, port } = new URL(service.url);
  const socket = connect(Number(port), hostname);
  let received = '';
  socket.setEncoding('latin1').on('data', (chunk: string) => (received += chunk));
  socket.write(requests.join(''));
  await until('all are answered', () => received.split('HTTP/1.1 ').length > requests.length);
  socket.destroy();
}
