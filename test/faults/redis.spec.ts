import { Client } from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, jest } from '@jest/globals';
import {
  COMMAND_TIMEOUT_MS,
  RedisConnection,
  RedisUnavailableError,
} from '../../src/cache/redis-connection.js';
import { ReadThroughCache } from '../../src/cache/read-through-cache.js';
import { MARK_WAIT_MS } from '../../src/cache/unconfirmed-scopes.js';
import { loadConfig } from '../../src/config/config.js';
import { EntryQueries } from '../../src/entries/entry.queries.js';
import { startApp, TEST_SECRET, type TestApp } from '../harness/app.js';
import { ApiClient } from '../harness/client.js';
import { describeWithRedis, redisUrl } from '../harness/redis.js';
import { TcpProxy } from '../harness/tcp-proxy.js';
import { until } from '../harness/until.js';

let proxy: TcpProxy;
const environment = () => ({ REDIS_URL: `redis://127.0.0.1:${proxy.port}`, RATE_LIMIT_ENABLED: 'true' });

async function isConnected(service: TestApp): Promise<boolean> {
  return (await service.anonymous.get('/health')).body.details.cache.degraded === undefined;
}

/** Every operation of the entries API, each checked. */
async function exercise(client: ApiClient): Promise<void> {
  const created = await client.post('/entries', { text: 'one', mood: 3 });
  expect(created.status).toBe(201);
  const path = `/entries/${created.body.id}`;
  expect((await client.get(path)).body).toEqual(created.body);
  const { total } = (await client.get('/entries')).body;
  const patched = await client.patch(path, { mood: 9 });
  expect(patched.body).toMatchObject({ mood: 9, version: 2 });
  expect((await client.get(path)).body).toEqual(patched.body);
  expect((await client.delete(path)).status).toBe(204);
  expect((await client.get(path)).status).toBe(404);
  expect((await client.get('/entries')).body.total).toBe(total - 1);
}

/**
 * Waits for an answer that only a cache can give: the row is changed behind the service's back, to something new each
 * time, and what was there before is served.
 */
async function expectHits(service: TestApp, client: ApiClient, path: string): Promise<void> {
  let change = 0;
  await until('the cache answers', async () => {
    await client.get(path);
    change += 1;
    const text = `change ${change}`;
    await service.database.query('UPDATE entries SET text = $1 WHERE id = $2', [
      text,
      path.split('/').at(-1),
    ]);
    return (await client.get(path)).body.text !== text;
  });
}

describeWithRedis('Redis', () => {
  let service: TestApp;
  let client: ApiClient;

  beforeAll(async () => {
    const { hostname, port } = new URL(redisUrl!);
    proxy = await TcpProxy.to(hostname, Number(port));
  });
  afterAll(() => proxy.close());

  beforeEach(async () => {
    proxy.open();
    service = await startApp(environment());
    await until('connected to Redis', () => isConnected(service));
    client = await service.signUp();
  });
  afterEach(async () => {
    await service.close();
  });

  it('serves from the cache what the table no longer says, for it was not told', async () => {
    const { body } = await client.post('/entries', { text: 'cached', mood: 5 });
    await expectHits(service, client, `/entries/${body.id}`);
  });

  it('agrees between two replicas: a write by one is read by the other', async () => {
    const other = await startApp(environment(), service.database);
    try {
      await until('the other is connected', () => isConnected(other));
      const there = new ApiClient(other.url, client.account);
      const { body } = await client.post('/entries', { text: 'first', mood: 5 });
      expect((await there.get(`/entries/${body.id}`)).body.text).toBe('first');
      expect((await there.get('/entries')).body.total).toBe(1);
      await client.patch(`/entries/${body.id}`, { text: 'second' });
      await client.post('/entries', { text: 'another', mood: 5 });
      expect((await there.get(`/entries/${body.id}`)).body.text).toBe('second');
      expect((await there.get('/entries')).body.total).toBe(2);
      for (const filter of ['category=work', 'q=second', 'moodMin=5']) {
        const total = async (reader: ApiClient) =>
          (await reader.get(`/entries?${filter}`)).body.total as number;
        const before = await total(there);
        const { body: added } = await client.post('/entries', { text: 'second', mood: 6, category: 'work' });
        expect(await total(there)).toBe(before + 1);
        await there.delete(`/entries/${added.id}`);
        expect(await total(client)).toBe(before);
        await client.post(`/entries/${added.id}/restore`);
        expect(await total(there)).toBe(before + 1);
      }
    } finally {
      await other.close();
    }
  });

  it.each(['cut', 'hold'] as const)(
    '%s in the midst of it: no request fails, none reads stale, hits resume',
    async (fault) => {
      await exercise(client);
      proxy[fault]();
      await exercise(client);
      await exercise(client);
      proxy.open();
      await exercise(client);
      await until('connected again', () => isConnected(service));
      await exercise(client);
      const { body } = await client.post('/entries', { text: 'cached', mood: 5 });
      await expectHits(service, client, `/entries/${body.id}`);
    },
  );

  it('loses an invalidation to an outage, and still never serves what was there before', async () => {
    const { body } = await client.post('/entries', { text: 'old', mood: 5 });
    const path = `/entries/${body.id}`;
    await client.get(path);
    proxy.cut();
    await client.patch(path, { text: 'new' });
    expect((await client.get(path)).body.text).toBe('new');
    proxy.open();
    await until('connected again', () => isConnected(service));
    expect((await client.get(path)).body.text).toBe('new');
  });

  it('is cut off from one of two replicas: what that one writes, the other reads at once', async () => {
    // Its own way to Redis, which stays open.
    const other = await startApp({ ...environment(), REDIS_URL: redisUrl! }, service.database);
    try {
      await until('the other is connected', () => isConnected(other));
      const there = new ApiClient(other.url, client.account);
      const { body } = await client.post('/entries', { text: 'change 0', mood: 5 });
      const path = `/entries/${body.id}`;
      await expectHits(other, there, path);
      const before = (await there.get('/entries')).body.total as number;
      for (const fault of ['cut', 'hold'] as const) {
        proxy[fault]();
        for (let change = 1; change <= 5; change += 1) {
          const text = `${fault} ${change}`;
          expect((await client.patch(path, { text })).status).toBe(200);
          expect((await there.get(path)).body.text).toBe(text);
          expect((await there.get(path)).body.text).toBe(text);
        }
        proxy.open();
      }
      await client.post('/entries', { text: 'another', mood: 5 });
      expect((await there.get('/entries')).body.total).toBe(before + 1);
      await expectHits(other, there, path);
      expect(await service.database.query('SELECT 1 FROM unconfirmed_scopes')).toEqual([]);
    } finally {
      await other.close();
    }
  });

  it.each(['cut', 'hold'] as const)(
    '%s between a write and its invalidation: who wrote reads it at once from the other replica too',
    async (fault) => {
      const other = await startApp({ ...environment(), REDIS_URL: redisUrl! }, service.database);
      const lock = new Client({ connectionString: service.database.url });
      await lock.connect();
      try {
        await until('the other is connected', () => isConnected(other));
        const there = new ApiClient(other.url, client.account);
        const { body } = await client.post('/entries', { text: 'change 0', mood: 5 });
        const path = `/entries/${body.id}`;
        await expectHits(other, there, path);
        await lock.query('BEGIN');
        await lock.query('SELECT FROM entries WHERE id = $1 FOR UPDATE', [body.id]);
        const write = client.patch(path, { text: 'written' });
        await until('it waits', async () => {
          const rows = await service.database.query(
            `SELECT 1 FROM pg_stat_activity WHERE datname = $1 AND wait_event_type = 'Lock'`,
            [service.database.name],
          );
          return rows.length > 0;
        });
        proxy[fault]();
        await lock.query('COMMIT');
        expect((await write).status).toBe(200);
        expect((await there.get(path)).body.text).toBe('written');
        expect((await there.get(path)).body.text).toBe('written');
        await expectHits(other, there, path);
      } finally {
        await lock.end();
        await other.close();
      }
    },
  );

  it('hangs, is waited for once, and then left alone: no request is later by 50 ms', async () => {
    const needed = { DATABASE_URL: service.database.url, JWT_SECRET: TEST_SECRET };
    const connection = await RedisConnection.open(loadConfig({ ...needed, ...environment() }));
    try {
      await until('connected', () => connection.ping());
      proxy.hold();
      const command = jest.fn(() => connection.client!.ping());
      for (let turn = 0; turn < 5; turn += 1) {
        await expect(connection.attempt(command)).rejects.toThrow(RedisUnavailableError);
      }
      expect(command).toHaveBeenCalledTimes(1);
      // A write waits once for Redis, and once for PostgreSQL instead.
      expect(COMMAND_TIMEOUT_MS + MARK_WAIT_MS).toBeLessThan(50);
    } finally {
      await connection.onApplicationShutdown();
    }
  });

  it.each([
    ['on one replica', 1, false],
    ['on two replicas', 2, false],
    ['on two replicas, of a user whose revision is lost', 2, true],
  ])('is asked for by a hundred at once %s: one query in each', async (_where, count, lost) => {
    // Not by the proxy, which shares this busy process.
    const direct = { ...environment(), REDIS_URL: redisUrl!, RATE_LIMIT_USER_PER_MINUTE: '1000000' };
    const replicas: TestApp[] = [];
    try {
      for (let i = 0; i < count; i += 1) replicas.push(await startApp(direct, service.database));
      for (const each of replicas) await until('connected', () => isConnected(each));
      const finds = replicas.map(({ app }) => jest.spyOn(app.get(EntryQueries), 'find'));
      const commands = replicas.map(({ app }) => jest.spyOn(app.get(RedisConnection), 'attempt'));
      const told = jest.fn();
      for (const { app } of replicas) app.get(ReadThroughCache).observe = told;
      const clients = replicas.map(({ url }) => new ApiClient(url, client.account));
      await until('Redis answers all in time', async () => {
        const { body } = await clients[0]!.post('/entries', { text: 'asked for', mood: 5 });
        const { userId } = client.account;
        const { client: redis } = replicas[0]!.app.get(RedisConnection);
        if (lost) await redis!.del(`entries:cache:revision:${userId}`);
        for (const spy of [...finds, ...commands, told]) spy.mockClear();
        const answers = await Promise.all(
          Array.from({ length: 100 }, (_each, i) => clients[i % count]!.get(`/entries/${body.id}`)),
        );
        expect(new Set(answers.map(({ text }) => text))).toEqual(new Set([JSON.stringify(body)]));
        // On a machine that has other work it may be late, and is then done without.
        const results = commands.flatMap(({ mock }) => mock.results.map(({ value }) => value));
        const settled = await Promise.allSettled(results);
        return told.mock.calls.length === 100 && settled.every(({ status }) => status === 'fulfilled');
      });
      for (const find of finds) expect(find.mock.calls.length).toBeLessThanOrEqual(1);
      expect(finds.flatMap(({ mock }) => mock.calls).length).toBeGreaterThan(0);
    } finally {
      for (const each of replicas) await each.close();
    }
  });

  it('keeps an entry as PostgreSQL made it: a hit makes no JSON of it again', async () => {
    const text = 'written as JSON by PostgreSQL';
    const { body } = await client.post('/entries', { text, mood: 5 });
    const stringify = jest.spyOn(JSON, 'stringify');
    try {
      const made = () => stringify.mock.results.filter(({ value }) => String(value).includes(text)).length;
      const read = () => client.get(`/entries/${body.id}`);
      const answers = [await read()];
      await until('it is stored', () => made() === 1);
      for (let turn = 0; turn < 3; turn += 1) answers.push(await read());
      expect(made()).toBe(1);
      expect(new Set(answers.map((answer) => answer.text)).size).toBe(1);
    } finally {
      stringify.mockRestore();
    }
  });

  it('counts the requests of a user on two replicas together', async () => {
    const limits = { ...environment(), REDIS_URL: redisUrl!, RATE_LIMIT_USER_PER_MINUTE: '6' };
    const both = [await startApp(limits, service.database), await startApp(limits, service.database)];
    try {
      for (const each of both) await until('connected', () => isConnected(each));
      const clients = both.map(({ url }) => new ApiClient(url, client.account));
      const answers = [];
      for (let call = 0; call < 8; call += 1) answers.push(await clients[call % 2]!.get('/users/me'));
      expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200, 200, 429, 429]);
      expect(answers.map(({ headers }) => headers.get('ratelimit-remaining'))).toEqual([
        ...['5', '4', '3', '2', '1', '0'],
        ...['0', '0'],
      ]);
    } finally {
      for (const each of both) await each.close();
    }
  });

  it('goes on limiting in memory while Redis is away', async () => {
    const limited = await startApp({ ...environment(), RATE_LIMIT_USER_PER_MINUTE: '3' });
    try {
      await until('connected to Redis', () => isConnected(limited));
      const guest = await limited.signUp();
      proxy.cut();
      await until('Redis is seen to be away', async () => !(await isConnected(limited)));
      const statuses = [];
      for (let call = 0; call < 4; call += 1) statuses.push((await guest.get('/users/me')).status);
      expect(statuses).toEqual([200, 200, 200, 429]);
    } finally {
      await limited.close();
    }
  });

  it('absent at boot: the service starts without it, and takes it up when it comes', async () => {
    proxy.cut();
    const early = await startApp(environment());
    try {
      await exercise(await early.signUp());
      expect(await isConnected(early)).toBe(false);
      proxy.open();
      await until('connected', () => isConnected(early));
      await exercise(await early.signUp());
    } finally {
      await early.close();
    }
  });
});
