import { HttpException, HttpStatus, Injectable } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { RedisConnection } from '../../cache/redis-connection.js';
import { Config } from '../../config/config.js';
import { SharedCounter } from './shared-counter.js';

export type RateLimitName = 'anonymous' | 'user' | 'login';

const WINDOW_SECONDS = 60;

interface Limiter {
  readonly points: number;
  readonly counter: SharedCounter;
}

/** Fixed windows of a minute, counted in Redis for all replicas, and in this process while Redis is away. */
@Injectable()
export class RateLimiter {
  /** Told of each request that is refused, and by which limit. */
  observe: (limit: string) => void = () => {};

  private readonly limiters: Readonly<Record<RateLimitName, Limiter>>;

  constructor(
    private readonly config: Config,
    redis: RedisConnection,
  ) {
    const { anonymousPerMinute, userPerMinute, loginPerMinute } = config.rateLimit;
    const limiter = (name: RateLimitName, points: number): Limiter => {
      const keyPrefix = `entries:limit:${name}`;
      return { points, counter: new SharedCounter(redis, { keyPrefix, points, duration: WINDOW_SECONDS }) };
    };
    this.limiters = {
      anonymous: limiter('anonymous', anonymousPerMinute),
      user: limiter('user', userPerMinute),
      login: limiter('login', loginPerMinute),
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
    const { points, counter } = this.limiters[name];
    const outcome = await counter.consume(key);
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
  forget(name: RateLimitName, key: string): Promise<void> {
    return this.limiters[name].counter.forget(key);
  }
}
