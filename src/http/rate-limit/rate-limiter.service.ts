import { Injectable } from '@nestjs/common';
import { SERVICE_NAME } from '../../config/release.js';
import { RedisConnection } from '../../cache/redis-connection.js';
import { Config } from '../../config/config.js';
import { Metrics } from '../../observability/metrics.js';
import { TooManyRequestsException } from '../problem/too-many-requests.exception.js';
import { SharedCounter } from './shared-counter.js';

export type RateLimitName = 'anonymous' | 'user' | 'login';

const WINDOW_SECONDS = 60;

/** How much of a limit is left. */
export interface RateLimitUse {
  readonly name: RateLimitName;
  readonly limit: number;
  readonly windowSeconds: number;
  readonly remaining: number;
  readonly resetSeconds: number;
}

interface Limiter {
  readonly points: number;
  readonly counter: SharedCounter;
}

/** Fixed windows of one minute, counted in Redis for all replicas, or in this process while Redis is unavailable. */
@Injectable()
export class RateLimiterService {
  private readonly limiters: Readonly<Record<RateLimitName, Limiter>>;

  constructor(
    private readonly config: Config,
    private readonly metrics: Metrics,
    redis: RedisConnection,
  ) {
    const limiter = (name: RateLimitName, points: number): Limiter => {
      const keyPrefix = `${SERVICE_NAME}:limit:${name}`;
      return { points, counter: new SharedCounter(redis, { keyPrefix, points, duration: WINDOW_SECONDS }) };
    };
    this.limiters = {
      anonymous: limiter('anonymous', config.RATE_LIMIT_ANONYMOUS_PER_MINUTE),
      user: limiter('user', config.RATE_LIMIT_USER_PER_MINUTE),
      login: limiter('login', config.RATE_LIMIT_LOGIN_PER_MINUTE),
    };
  }

  /**
   * Counts one request against `key`.
   *
   * @param report is also called when the limit is exceeded
   * @throws {TooManyRequestsException}
   */
  async consume(name: RateLimitName, key: string, report: (use: RateLimitUse) => void): Promise<void> {
    if (!this.config.RATE_LIMIT_ENABLED) return;
    const { points, counter } = this.limiters[name];
    const outcome = await counter.consume(key);
    const resetSeconds = Math.max(1, Math.ceil(outcome.msBeforeNext / 1000));
    const remaining = Math.max(0, outcome.remainingPoints);
    report({ name, limit: points, windowSeconds: WINDOW_SECONDS, remaining, resetSeconds });
    if (outcome.consumedPoints <= points) return;
    this.metrics.countRefusal(name);
    throw new TooManyRequestsException(`Too many requests; try again in ${resetSeconds} s`, resetSeconds);
  }

  /** Resets the count of `key`. */
  forget(name: RateLimitName, key: string): Promise<void> {
    return this.limiters[name].counter.forget(key);
  }
}
