import { RateLimiterMemory, RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible';
import type { RedisConnection } from '../cache/redis-connection.js';

const WINDOW_SECONDS = 3600;

/** The longest that anybody has to wait: what keeps an attacker from locking somebody out. */
const LONGEST_SECONDS = 60;

interface Counter {
  readonly shared: RateLimiterRedis | undefined;
  /** Counts while Redis is away, and always where there is none. */
  readonly own: RateLimiterMemory;
}

/**
 * Lets `free` failures an hour pass; from then on one try in 1 s, the next in 2 s, in 4 s, … in 60 s. Counted in Redis
 * for all replicas, and in this process while Redis is away.
 */
export class GrowingDelay {
  private readonly tries: Counter;
  private readonly gate: Counter;

  constructor(
    private readonly redis: RedisConnection,
    name: string,
    private readonly free: number,
  ) {
    this.tries = this.counter(`${name}:tries`, Number.MAX_SAFE_INTEGER, WINDOW_SECONDS);
    this.gate = this.counter(`${name}:gate`, 1, 1);
  }

  /**
   * Counts a try before it is known how it ends, so that of many at the same instant no more get through.
   *
   * @returns ms until the next is let through; 0: this one is
   */
  async take(key: string): Promise<number> {
    const { consumedPoints } = await this.run(this.tries, (counter) => counter.consume(key));
    const beyond = consumedPoints - this.free;
    if (beyond <= 0) return 0;
    const customDuration = Math.min(2 ** Math.min(beyond - 1, 30), LONGEST_SECONDS);
    const gate = await this.run(this.gate, (counter) => counter.consume(key, 1, { customDuration }));
    return gate.consumedPoints > 1 ? gate.msBeforeNext : 0;
  }

  /** Uncounts a try that was no failure. */
  async giveBack(key: string): Promise<void> {
    await this.run(this.tries, (counter) => counter.reward(key));
  }

  async forget(key: string): Promise<void> {
    for (const { shared, own } of [this.tries, this.gate]) {
      await own.delete(key);
      if (shared) await this.redis.attempt(() => shared.delete(key)).catch(() => {});
    }
  }

  private counter(name: string, points: number, duration: number): Counter {
    const options = { keyPrefix: `entries:login:${name}`, points, duration };
    const { client } = this.redis;
    return {
      own: new RateLimiterMemory(options),
      shared: client && new RateLimiterRedis({ ...options, storeClient: client, useRedisPackage: true }),
    };
  }

  private async run(
    { shared, own }: Counter,
    command: (counter: RateLimiterRedis | RateLimiterMemory) => Promise<RateLimiterRes>,
  ): Promise<RateLimiterRes> {
    if (shared && this.redis.available) {
      try {
        return await this.redis.attempt(() => settle(command(shared)));
      } catch {
        // Redis went away: the process's own count takes over.
      }
    }
    return settle(command(own));
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
