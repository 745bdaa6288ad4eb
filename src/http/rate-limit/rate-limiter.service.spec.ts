import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { FastifyReply } from 'fastify';
import type { RedisConnection } from '../../cache/redis-connection.js';
import { loadConfig } from '../../config/config.js';
import type { Metrics } from '../../observability/metrics.js';
import { TooManyRequestsException } from '../problem/too-many-requests.exception.js';
import { rateLimitHeaders } from './rate-limit.headers.js';
import { RateLimiterService } from './rate-limiter.service.js';

const headers = new Map<string, unknown>();
const report = rateLimitHeaders({
  header: (name: string, value: unknown) => headers.set(name, value),
} as unknown as FastifyReply);
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

const metrics = { countRefusal: () => {} } as unknown as Metrics;
const noRedis = { client: undefined, available: false } as RedisConnection;

async function statusOf(consumed: Promise<void>): Promise<number> {
  return (await refusalOf(consumed))?.getStatus() ?? 200;
}

async function refusalOf(consumed: Promise<void>): Promise<TooManyRequestsException | undefined> {
  try {
    await consumed;
    return undefined;
  } catch (error) {
    if (error instanceof TooManyRequestsException) return error;
    throw error;
  }
}

describe('RateLimiterService', () => {
  it('allows the configured number of requests, then answers 429', async () => {
    const limiter = new RateLimiterService(configOf(), metrics, noRedis);
    expect(await statusOf(limiter.consume('anonymous', '192.0.2.1', report))).toBe(200);
    expect(Object.fromEntries(headers)).toEqual({
      'ratelimit-policy': '"anonymous";q=2;w=60',
      ratelimit: '"anonymous";r=1;t=60',
      'ratelimit-limit': 2,
      'ratelimit-remaining': 1,
      'ratelimit-reset': 60,
    });
    expect(await statusOf(limiter.consume('anonymous', '192.0.2.1', report))).toBe(200);
    expect(headers.get('ratelimit-remaining')).toBe(0);
    const refusal = await refusalOf(limiter.consume('anonymous', '192.0.2.1', report));
    expect(refusal?.getStatus()).toBe(429);
    expect(headers.get('ratelimit-remaining')).toBe(0);
    expect(refusal?.getResponse()).toMatchObject({ retryAfterSeconds: headers.get('ratelimit-reset') });
  });

  it('counts each key and each limit separately', async () => {
    const limiter = new RateLimiterService(configOf(), metrics, noRedis);
    expect(await statusOf(limiter.consume('login', 'a', report))).toBe(200);
    expect(await statusOf(limiter.consume('login', 'a', report))).toBe(429);
    expect(await statusOf(limiter.consume('login', 'b', report))).toBe(200);
    expect(await statusOf(limiter.consume('user', 'a', report))).toBe(200);
  });

  it('does nothing when it is disabled', async () => {
    const limiter = new RateLimiterService(configOf({ RATE_LIMIT_ENABLED: 'false' }), metrics, noRedis);
    for (let request = 0; request < 5; request++) {
      expect(await statusOf(limiter.consume('login', 'a', report))).toBe(200);
    }
    expect(headers.size).toBe(0);
  });

  it('never reports more than a minute to wait, even if the clock was set back', async () => {
    const limiter = new RateLimiterService(configOf(), metrics, noRedis);
    await limiter.consume('login', 'a', report);
    const clock = jest.spyOn(Date, 'now').mockReturnValue(Date.now() - 3_600_000);
    const refusal = await refusalOf(limiter.consume('login', 'a', report));
    clock.mockRestore();
    expect(refusal?.getResponse()).toMatchObject({ retryAfterSeconds: 60 });
    expect(headers.get('ratelimit')).toBe('"login";r=0;t=60');
  });

  it('counts in memory when Redis fails', async () => {
    const attempt = jest.fn(() => Promise.reject(new Error('Redis is unavailable')));
    const redis = { client: {}, available: true, attempt } as unknown as RedisConnection;
    const limiter = new RateLimiterService(configOf(), metrics, redis);
    expect(await statusOf(limiter.consume('login', 'a', report))).toBe(200);
    expect(await statusOf(limiter.consume('login', 'a', report))).toBe(429);
    expect(attempt).toHaveBeenCalledTimes(2);
  });

  it('does not try a Redis that is known to be unavailable', async () => {
    const attempt = jest.fn();
    const redis = { client: {}, available: false, attempt } as unknown as RedisConnection;
    const limiter = new RateLimiterService(configOf(), metrics, redis);
    expect(await statusOf(limiter.consume('login', 'a', report))).toBe(200);
    expect(attempt).not.toHaveBeenCalled();
  });
});
