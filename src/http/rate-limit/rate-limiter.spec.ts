import { HttpException } from '@nestjs/common';
import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { FastifyReply } from 'fastify';
import type { RedisConnection } from '../../cache/redis-connection.js';
import { loadConfig } from '../../config/config.js';
import { RateLimiter } from './rate-limiter.js';

const headers = new Map<string, unknown>();
const reply = {
  header: (name: string, value: unknown) => headers.set(name, value),
} as unknown as FastifyReply;
beforeEach(() => headers.clear());

function configOf(env: Record<string, string> = {}) {
  return loadConfig({
    DATABASE_URL: 'postgres://localhost/entries',
    JWT_SECRET: 'a-secret-for-tests-0123456789abcdefghij',
    RATE_LIMIT_ANONYMOUS_PER_MINUTE: '2',
    RATE_LIMIT_USER_PER_MINUTE: '3',
    RATE_LIMIT_LOGIN_PER_MINUTE: '1',
    ...env,
  });
}

const noRedis = { client: undefined, available: false } as RedisConnection;

async function statusOf(consumed: Promise<void>): Promise<number> {
  try {
    await consumed;
    return 200;
  } catch (error) {
    if (error instanceof HttpException) return error.getStatus();
    throw error;
  }
}

describe('RateLimiter', () => {
  it('lets as many through as are configured, and answers 429 to the next', async () => {
    const limiter = new RateLimiter(configOf(), noRedis);
    expect(await statusOf(limiter.consume('anonymous', '192.0.2.1', reply))).toBe(200);
    expect(Object.fromEntries(headers)).toEqual({
      'ratelimit-policy': '"anonymous";q=2;w=60',
      ratelimit: '"anonymous";r=1;t=60',
      'ratelimit-limit': 2,
      'ratelimit-remaining': 1,
      'ratelimit-reset': 60,
    });
    expect(await statusOf(limiter.consume('anonymous', '192.0.2.1', reply))).toBe(200);
    expect(headers.get('ratelimit-remaining')).toBe(0);
    expect(headers.has('retry-after')).toBe(false);
    expect(await statusOf(limiter.consume('anonymous', '192.0.2.1', reply))).toBe(429);
    expect(headers.get('ratelimit-remaining')).toBe(0);
    expect(headers.get('retry-after')).toBe(headers.get('ratelimit-reset'));
  });

  it('counts each key, and each kind of limit, by itself', async () => {
    const limiter = new RateLimiter(configOf(), noRedis);
    expect(await statusOf(limiter.consume('login', 'a', reply))).toBe(200);
    expect(await statusOf(limiter.consume('login', 'a', reply))).toBe(429);
    expect(await statusOf(limiter.consume('login', 'b', reply))).toBe(200);
    expect(await statusOf(limiter.consume('user', 'a', reply))).toBe(200);
  });

  it('does nothing when it is turned off', async () => {
    const limiter = new RateLimiter(configOf({ RATE_LIMIT_ENABLED: 'false' }), noRedis);
    for (let request = 0; request < 5; request++) {
      expect(await statusOf(limiter.consume('login', 'a', reply))).toBe(200);
    }
    expect(headers.size).toBe(0);
  });

  it('tells of no end that is more than a minute away, though the clock was set back since the window began', async () => {
    const limiter = new RateLimiter(configOf(), noRedis);
    await limiter.consume('login', 'a', reply);
    const clock = jest.spyOn(Date, 'now').mockReturnValue(Date.now() - 3_600_000);
    expect(await statusOf(limiter.consume('login', 'a', reply))).toBe(429);
    clock.mockRestore();
    expect(headers.get('retry-after')).toBe(60);
    expect(headers.get('ratelimit')).toBe('"login";r=0;t=60');
  });

  it('goes on in memory when Redis fails', async () => {
    const attempt = jest.fn(() => Promise.reject(new Error('Redis is away')));
    const redis = { client: {}, available: true, attempt } as unknown as RedisConnection;
    const limiter = new RateLimiter(configOf(), redis);
    expect(await statusOf(limiter.consume('login', 'a', reply))).toBe(200);
    expect(await statusOf(limiter.consume('login', 'a', reply))).toBe(429);
    expect(attempt).toHaveBeenCalledTimes(2);
  });

  it('does not even try a Redis that is known to be away', async () => {
    const attempt = jest.fn();
    const redis = { client: {}, available: false, attempt } as unknown as RedisConnection;
    const limiter = new RateLimiter(configOf(), redis);
    expect(await statusOf(limiter.consume('login', 'a', reply))).toBe(200);
    expect(attempt).not.toHaveBeenCalled();
  });
});
