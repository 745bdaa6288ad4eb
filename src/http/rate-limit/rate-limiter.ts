import { HttpException, HttpStatus, Injectable } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { RateLimiterMemory, RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible';
import { RedisConnection } from '../../cache/redis-connection.js';
import { Config } from '../../config/config.js';

export type RateLimitName = 'anonymous' | 'user' | 'login';

const WINDOW_SECONDS = 60;

interface Limiter {
  readonly points: number;
  readonly shared: RateLimiterRedis | undefined;
  /** Counts while Redis is away, and always where there is none. */
  readonly own: RateLimiterMemory;
}

/** Fixed windows of a minute, counted in Redis for all replicas, and in this process while Redis is away. */
@Injectable()
export class RateLimiter {
  /** Told of each request that is refused, and by which limit. */
  observe: (limit: string) => void = () => {};

  private readonly limiters: Readonly<Record<RateLimitName, Limiter>>;

  constructor(
    private readonly config: Config,
    private readonly redis: RedisConnection,
  ) {
    const { anonymousPerMinute, userPerMinute, loginPerMinute } = config.rateLimit;
    this.limiters = {
      anonymous: this.create('anonymous', anonymousPerMinute),
      user: this.create('user', userPerMinute),
      login: this.create('login', loginPerMinute),
    };
  }

  /**
   * Counts one request against `key` and tells how much is left: by `RateLimit-Policy` and `RateLimit`, as the draft has
   * it from its 8th version on (draft-ietf-httpapi-ratelimit-headers-10), and by the three fields that versions up to
   * the 7th had, which most clients know.
   *
   * @throws {HttpException} 429, with `Retry-After` in seconds
   */
  async consume(name: RateLimitName, key: string, reply: FastifyReply): Promise<void> {
    if (!this.config.rateLimit.enabled) return;
    const { points } = this.limiters[name];
    const outcome = await this.count(this.limiters[name], key);
    const resetSeconds = Math.max(1, Math.ceil(outcome.msBeforeNext / 1000));
    const exhausted = outcome.consumedPoints > points;
    const remaining = Math.max(0, outcome.remainingPoints);
    reply.header('ratelimit-policy', `"${name}";q=${points};w=${WINDOW_SECONDS}`);
    reply.header('ratelimit', `"${name}";r=${remaining};t=${resetSeconds}`);
    reply.header('ratelimit-limit', points);
    reply.header('ratelimit-remaining', remaining);
    reply.header('ratelimit-reset', resetSeconds);
    if (!exhausted) return;
    this.observe(name);
    reply.header('retry-after', resetSeconds);
    throw new HttpException(
      `Too many requests; try again in ${resetSeconds} s`,
      HttpStatus.TOO_MANY_REQUESTS,
    );
  }

  /** Forgets what was counted against `key`. */
  async forget(name: RateLimitName, key: string): Promise<void> {
    const { shared, own } = this.limiters[name];
    await own.delete(key);
    if (shared) await this.redis.attempt(() => shared.delete(key)).catch(() => {});
  }

  private async count({ shared, own }: Limiter, key: string): Promise<RateLimiterRes> {
    if (shared && this.redis.available) {
      try {
        return await this.redis.attempt(() => settle(shared.consume(key)));
      } catch {
        // Redis went away: the process's own count takes over.
      }
    }
    return settle(own.consume(key));
  }

  private create(name: RateLimitName, points: number): Limiter {
    const options = { keyPrefix: `entries:limit:${name}`, points, duration: WINDOW_SECONDS };
    const { client } = this.redis;
    return {
      points,
      own: new RateLimiterMemory(options),
      shared: client && new RateLimiterRedis({ ...options, storeClient: client, useRedisPackage: true }),
    };
  }
}

/** The library rejects with a result when the points are used up, and with an error when its store fails. */
async function settle(consumed: Promise<RateLimiterRes>): Promise<RateLimiterRes> {
  try {
    return await consumed;
  } catch (refused) {
    if (refused instanceof RateLimiterRes) return refused;
    throw refused;
  }
}
