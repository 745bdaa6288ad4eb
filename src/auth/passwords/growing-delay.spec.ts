import { afterAll, beforeAll, afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { RedisConnection } from '../../cache/redis-connection.js';
import { loadConfig } from '../../config/config.js';
import { GrowingDelay } from './growing-delay.js';

const LEAST = {
  DATABASE_URL: 'postgres://localhost/entries',
  JWT_SECRET: 'a-secret-for-tests-0123456789abcdefghij',
};
const inMemory = await RedisConnection.open(loadConfig(LEAST));

async function takeAll(delay: GrowingDelay, key: string, count: number): Promise<number[]> {
  const waits: number[] = [];
  for (let i = 0; i < count; i++) waits.push(await delay.take(key));
  return waits;
}

describe('GrowingDelay', () => {
  beforeEach(() => {
    jest.useFakeTimers();
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  it('allows the free attempts, then one in 1 s, 2 s, 4 s, … 60 s', async () => {
    const delay = new GrowingDelay(inMemory, 'growing', 3);
    expect(await takeAll(delay, 'ada', 3)).toEqual([0, 0, 0]);
    const gaps: number[] = [];
    for (let round = 0; round < 9; round++) {
      expect(await delay.take('ada')).toBe(0);
      // Asks by hand whether the gate is open yet, for each refusal counts as a try.
      const gap = [1, 2, 4, 8, 16, 32, 60, 60, 60][round]!;
      gaps.push(gap);
      jest.advanceTimersByTime(gap * 1000 + 1);
    }
    expect(gaps.at(-1)).toBe(60);
    expect(await delay.take('ada')).toBe(0);
    const wait = await delay.take('ada');
    expect(wait).toBeGreaterThan(59_000);
    expect(wait).toBeLessThanOrEqual(60_000);
  });

  it('returns the delay, also to concurrent attempts', async () => {
    const delay = new GrowingDelay(inMemory, 'at-once', 2);
    const waits = await Promise.all(Array.from({ length: 20 }, () => delay.take('ada')));
    expect(waits.filter((wait) => wait === 0)).toHaveLength(3);
    for (const wait of waits.slice(3)) expect(wait).toBeGreaterThan(0);
  });

  it('counts each key separately', async () => {
    const delay = new GrowingDelay(inMemory, 'keys', 1);
    await takeAll(delay, 'ada', 5);
    expect(await delay.take('bob')).toBe(0);
  });

  it('does not count attempts that were taken back or forgotten', async () => {
    const delay = new GrowingDelay(inMemory, 'back', 2);
    for (let i = 0; i < 10; i++) {
      expect(await delay.take('ada')).toBe(0);
      await delay.giveBack('ada');
    }
    await takeAll(delay, 'bob', 9);
    await delay.forget('bob');
    expect(await takeAll(delay, 'bob', 2)).toEqual([0, 0]);
  });

  it('forgets attempts after an hour', async () => {
    const delay = new GrowingDelay(inMemory, 'window', 2);
    expect((await takeAll(delay, 'ada', 9)).at(-1)).toBeGreaterThan(0);
    jest.advanceTimersByTime(3_601_000);
    expect(await takeAll(delay, 'ada', 2)).toEqual([0, 0]);
  });
});

const redisUrl = process.env['TEST_REDIS_URL'];
const describeWithRedis = redisUrl === undefined ? describe.skip : describe;

describeWithRedis('GrowingDelay with Redis', () => {
  let replicas: RedisConnection[] = [];
  beforeAll(async () => {
    const config = loadConfig({ ...LEAST, ...(redisUrl !== undefined && { REDIS_URL: redisUrl }) });
    replicas = await Promise.all([1, 2].map(() => RedisConnection.open(config)));
  });
  afterAll(() => Promise.all(replicas.map((redis) => redis.onApplicationShutdown())));

  it('counts for all replicas, and in memory when Redis is unavailable', async () => {
    const key = `replicas-${process.pid}-${Date.now()}`;
    while (!replicas.every((redis) => redis.available))
      await new Promise((resolve) => setTimeout(resolve, 10));
    const [one, other] = replicas.map((redis) => new GrowingDelay(redis, 'replicas', 4));
    expect(await takeAll(one!, key, 3)).toEqual([0, 0, 0]);
    expect(await takeAll(other!, key, 2)).toEqual([0, 0]);
    expect(await one!.take(key)).toBeGreaterThan(0);
    await one!.forget(key);
    expect(await takeAll(other!, key, 4)).toEqual([0, 0, 0, 0]);
    await replicas[0]!.onApplicationShutdown();
    expect(await takeAll(one!, key, 5)).toEqual([0, 0, 0, 0, 0]);
    expect(await one!.take(key)).toBeGreaterThan(0);
  });
});
