import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startService, type TestService } from '../harness/http/service.js';
import { createDatabase } from '../harness/database/database.js';
import { describeWithRedis, redisUrl } from '../harness/servers/redis.js';
import { TcpProxy } from '../harness/servers/tcp-proxy.js';
import { until } from '../harness/until.js';

let service: TestService;
beforeAll(async () => {
  service = await startService();
});
afterAll(() => service.close());

describe('GET /health', () => {
  it('answers 200 with database, migrations and cache', async () => {
    const { status, body, headers } = await service.anonymous.get('/health');
    expect(status).toBe(200);
    expect(body).toEqual({
      status: 'ok',
      info: expect.anything(),
      error: {},
      details: {
        database: { status: 'up' },
        migrations: { status: 'up', pending: 0 },
        cache: { status: 'up', store: 'memory' },
      },
    });
    expect(headers.get('cache-control')).toContain('no-store');
  });

  it('answers 503 while a migration is pending', async () => {
    const [newest] = await service.database.query<{ name: string; timestamp: string }>(
      'DELETE FROM migrations WHERE id = (SELECT max(id) FROM migrations) RETURNING name, timestamp',
    );
    const { status, body } = await service.anonymous.get('/health');
    expect(status).toBe(503);
    expect(body).toMatchObject({
      status: 'error',
      error: { migrations: { status: 'down', pending: 1 } },
      details: { database: { status: 'up' } },
    });
    await service.database.query('INSERT INTO migrations (name, timestamp) VALUES ($1, $2)', [
      newest!.name,
      newest!.timestamp,
    ]);
    expect((await service.anonymous.get('/health')).status).toBe(200);
  });
});

describe('GET /health without the database', () => {
  it.each(['cut', 'hold'] as const)(
    'answers 503 when its connections are %s, and 200 when it is back',
    async (fault) => {
      const database = await createDatabase();
      const { hostname, port } = new URL(database.url);
      const proxy = await TcpProxy.to(hostname, Number(port));
      const url = new URL(database.url);
      url.host = `127.0.0.1:${proxy.port}`;
      const cutOff = await startService({ DATABASE_URL: url.href }, database);
      try {
        proxy[fault]();
        const { status, body, text } = await cutOff.anonymous.get('/health');
        expect(status).toBe(503);
        expect(body).toMatchObject({ status: 'error', details: { database: { status: 'down' } } });
        expect(text).not.toContain('ECONN');
        expect((await cutOff.anonymous.get('/health/live')).status).toBe(200);
        proxy.open();
        await until('healthy again', async () => (await cutOff.anonymous.get('/health')).status === 200);
      } finally {
        proxy.open();
        await cutOff.close();
        await proxy.close();
        await database.drop();
      }
    },
  );
});

describeWithRedis('GET /health with Redis', () => {
  it('answers 200 with a degraded cache while Redis is unavailable', async () => {
    const { hostname, port } = new URL(redisUrl!);
    const proxy = await TcpProxy.to(hostname, Number(port));
    const cached = await startService({ REDIS_URL: `redis://127.0.0.1:${proxy.port}` });
    const cacheOf = async () => (await cached.anonymous.get('/health')).body.details.cache;
    try {
      // One answer: the next may be degraded again where a PING takes longer than its time limit.
      await until('connected to Redis', async () =>
        isDeepStrictEqual(await cacheOf(), { status: 'up', store: 'redis' }),
      );
      proxy.cut();
      await until('Redis is seen to be away', async () => (await cacheOf()).degraded === true);
      const { status, body } = await cached.anonymous.get('/health');
      expect(status).toBe(200);
      expect(body.details.cache).toEqual({ status: 'up', store: 'memory', degraded: true });
      proxy.open();
      await until('Redis is back', async () => (await cacheOf()).degraded === undefined);
    } finally {
      await cached.close();
      await proxy.close();
    }
  });
});

describe('GET /health/live', () => {
  it('answers 200', async () => {
    const { status, body } = await service.anonymous.get('/health/live');
    expect(status).toBe(200);
    expect(body).toEqual({ status: 'ok' });
  });
});
