import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { ApiClient } from '../harness/http/client.js';
import { createDatabase, type TestDatabase } from '../harness/database/database.js';
import { expectProblem } from '../harness/http/problem.js';
import { Program } from '../harness/programs/program.js';
import { lastAccepted } from '../harness/http/last-accepted.js';
import { describeWithRedis, redisUrl } from '../harness/servers/redis.js';
import { TcpProxy } from '../harness/servers/tcp-proxy.js';
import { until } from '../harness/until.js';

/** What DESIGN promises, ms. */
const REFUSED_WITHIN_MS = 1000;

describeWithRedis('a session that ended on one replica', () => {
  let database: TestDatabase;
  let proxy: TcpProxy;
  let programs: Program[];
  let here: ApiClient;
  let there: ApiClient;

  beforeAll(async () => {
    database = await createDatabase();
    const { hostname, port } = new URL(redisUrl!);
    proxy = await TcpProxy.to(hostname, Number(port));
    const environment = {
      DATABASE_URL: database.url,
      REDIS_URL: `redis://127.0.0.1:${proxy.port}`,
      RATE_LIMIT_ENABLED: 'false',
      LOG_LEVEL: 'info',
    };
    programs = [Program.start(environment), Program.start(environment)];
    [here, there] = (await Promise.all(
      programs.map(async (program) => new ApiClient(await program.listening())),
    )) as [ApiClient, ApiClient];
  });
  afterAll(async () => {
    await Promise.all(programs.map((program) => program.stop()));
    await proxy.close();
    await database.drop();
  });

  const isConnected = async () => (await there.get('/health')).body.details.cache.degraded === undefined;

  it.each([
    ['with Redis there', () => proxy.open(), true],
    ['with Redis gone', () => proxy.cut(), false],
    ['with Redis back', () => proxy.open(), true],
  ])('is refused within a second by the other: %s', async (_when, prepare, connected) => {
    prepare();
    await until('Redis is as it should be', async () => (await isConnected()) === connected);
    const ada = await here.signUp();
    const elsewhere = there.as(ada.account);
    expect((await elsewhere.get('/users/me')).status).toBe(200);
    await ada.post('/auth/logout');
    const ended = Date.now();
    expect((await lastAccepted(elsewhere)) - ended).toBeLessThan(REFUSED_WITHIN_MS);
    expectProblem(await there.post('/auth/refresh', { refreshToken: ada.account.refreshToken }), 401);
  });

  it('is refused within a second of its commit, even if the transaction took longer than a poll looks back', async () => {
    const ada = await here.signUp();
    const elsewhere = there.as(ada.account);
    const transaction = new Client({ connectionString: database.url });
    await transaction.connect();
    try {
      await transaction.query('BEGIN');
      const { rowCount } = await transaction.query(
        'UPDATE sessions SET ended_at = clock_timestamp() WHERE user_id = $1',
        [ada.account.userId],
      );
      expect(rowCount).toBe(1);
      await sleep(7000);
      expect((await elsewhere.get('/users/me')).status).toBe(200);
      await transaction.query('COMMIT');
      const ended = Date.now();
      expect((await lastAccepted(elsewhere)) - ended).toBeLessThan(REFUSED_WITHIN_MS);
    } finally {
      await transaction.end();
    }
  }, 30_000);
});
