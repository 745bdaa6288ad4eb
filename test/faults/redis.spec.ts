import { afterAll, afterEach, beforeAll, beforeEach, expect, it, jest } from '@jest/globals';
import {
  COMMAND_TIMEOUT_MS,
  RedisConnection,
  RedisUnavailableError,
} from '../../src/cache/redis-connection.js';
import { loadConfig } from '../../src/config/config.js';
import { EntriesRepository } from '../../src/entries/entries.repository.js';
import { startApp, type TestApp } from '../harness/http/app.js';
import { TEST_SECRET } from '../harness/test-secret.js';
import { ApiClient } from '../harness/http/client.js';
import { describeWithRedis, redisUrl } from '../harness/servers/redis.js';
import { TcpProxy } from '../harness/servers/tcp-proxy.js';
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

/** Waits until a total that one replica has counted is served by the other: only Redis can have told it. */
async function expectHits(here: ApiClient, there: ApiClient, service: TestApp): Promise<void> {
  await until('Redis is used', async () => {
    const { id } = (await here.post('/entries', { text: 'counted', mood: 2 })).body;
    const { total } = (await here.get('/entries?mood=2')).body;
    // Past the service, so that the revision stays.
    await service.database.query('UPDATE entries SET mood = 3 WHERE id = $1', [id]);
    const isHit = (await there.get('/entries?mood=2')).body.total === total;
    await here.delete(`/entries/${id}`);
    return isHit;
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
    '%s during requests: none fails, none reads stale data, cache hits resume',
    async (fault) => {
      await exercise(client);
      proxy[fault]();
      await exercise(client);
      await exercise(client);
      proxy.open();
      await exercise(client);
      await until('connected again', () => isConnected(service));
      await exercise(client);
      const other = await startApp(environment(), service.database);
      try {
        await until('the other is connected', () => isConnected(other));
        await expectHits(client, new ApiClient(other.url, client.account), service);
      } finally {
        await other.close();
      }
    },
  );

  it('is cut off from one of two replicas: what either writes, the other reads at once', async () => {
    // Its own way to Redis, which stays open.
    const other = await startApp({ ...environment(), REDIS_URL: redisUrl! }, service.database);
    try {
      await until('the other is connected', () => isConnected(other));
      const there = new ApiClient(other.url, client.account);
      let total = (await there.get('/entries')).body.total as number;
      for (const fault of ['cut', 'hold'] as const) {
        proxy[fault]();
        for (let turn = 0; turn < 5; turn += 1) {
          const [writer, reader] = turn % 2 === 0 ? [client, there] : [there, client];
          const { body } = await writer.post('/entries', { text: fault, mood: 5 });
          expect((await reader.get(`/entries/${body.id}`)).body.text).toBe(fault);
          expect((await reader.get('/entries')).body.total).toBe((total += 1));
          expect((await reader.get('/entries/stats')).body.count).toBe(total);
        }
        proxy.open();
      }
    } finally {
      await other.close();
    }
  });

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
      expect(COMMAND_TIMEOUT_MS).toBeLessThan(50);
    } finally {
      await connection.onApplicationShutdown();
    }
  });

  it('a hundred lists at once count once', async () => {
    const direct = await startApp(
      { ...environment(), REDIS_URL: redisUrl!, RATE_LIMIT_USER_PER_MINUTE: '1000000' },
      service.database,
    );
    try {
      const reader = new ApiClient(direct.url, client.account);
      await client.post('/entries', { text: 'asked for', mood: 5 });
      const count = jest.spyOn(direct.app.get(EntriesRepository), 'count');
      const responses = await Promise.all(Array.from({ length: 100 }, () => reader.get('/entries')));
      expect(new Set(responses.map(({ text }) => text)).size).toBe(1);
      expect(count).toHaveBeenCalledTimes(1);
    } finally {
      await direct.close();
    }
  });

  it('counts the requests of a user on two replicas together', async () => {
    const limits = { ...environment(), REDIS_URL: redisUrl!, RATE_LIMIT_USER_PER_MINUTE: '6' };
    const both = [await startApp(limits, service.database), await startApp(limits, service.database)];
    try {
      for (const each of both) await until('connected', () => isConnected(each));
      const clients = both.map(({ url }) => new ApiClient(url, client.account));
      const responses = [];
      for (let call = 0; call < 8; call += 1) responses.push(await clients[call % 2]!.get('/users/me'));
      expect(responses.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200, 200, 429, 429]);
      expect(responses.map(({ headers }) => headers.get('ratelimit-remaining'))).toEqual([
        ...['5', '4', '3', '2', '1', '0'],
        ...['0', '0'],
      ]);
    } finally {
      for (const each of both) await each.close();
    }
  });

  it('limits in memory while Redis is unavailable', async () => {
    const limited = await startApp({ ...environment(), RATE_LIMIT_USER_PER_MINUTE: '3' });
    try {
      await until('connected to Redis', () => isConnected(limited));
      const guest = await limited.signUp();
      proxy.cut();
      await until('Redis is seen to be unavailable', async () => !(await isConnected(limited)));
      const statuses = [];
      for (let call = 0; call < 4; call += 1) statuses.push((await guest.get('/users/me')).status);
      expect(statuses).toEqual([200, 200, 200, 429]);
    } finally {
      await limited.close();
    }
  });

  it('unavailable at start: the app starts without it and connects later', async () => {
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
