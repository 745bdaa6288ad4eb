import { RateLimiterMemory, RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible';
import type { RedisConnection } from '../../cache/redis-connection.js';

type Window = RateLimiterRedis | RateLimiterMemory;

type Count = Readonly<Pick<RateLimiterRes, 'consumedPoints' | 'remainingPoints' | 'msBeforeNext'>>;

/** Counts by key in fixed windows: in Redis for all replicas, and in memory while Redis is unavailable. */
export class SharedCounter {
  private readonly shared: RateLimiterRedis | undefined;
  private readonly own: RateLimiterMemory;
  private readonly seconds: number;

  /** @param options duration in s; `consume` returns counts beyond `points` too */
  constructor(
    private readonly redis: RedisConnection,
    options: { readonly keyPrefix: string; readonly points: number; readonly duration: number },
  ) {
    const { client } = redis;
    this.seconds = options.duration;
    this.own = new RateLimiterMemory(options);
    this.shared = client && new RateLimiterRedis({ ...options, storeClient: client, useRedisPackage: true });
  }

  /** @param seconds length of a window that starts now, instead of `duration` */
  async consume(key: string, seconds = this.seconds): Promise<Count> {
    const { consumedPoints, remainingPoints, msBeforeNext } = await this.run((window) =>
      window.consume(key, 1, { customDuration: seconds }),
    );
    // A window in memory computes its end from the wall clock, which may have been set back.
    return { consumedPoints, remainingPoints, msBeforeNext: Math.min(msBeforeNext, seconds * 1000) };
  }

  async reward(key: string): Promise<void> {
    await this.run((window) => window.reward(key));
  }

  async forget(key: string): Promise<void> {
    const { shared } = this;
    await this.own.delete(key);
    if (shared) await this.redis.attempt(() => shared.delete(key)).catch(() => {});
  }

  private async run(command: (window: Window) => Promise<RateLimiterRes>): Promise<RateLimiterRes> {
    const { shared } = this;
    if (shared && this.redis.available) {
      try {
        return await this.redis.attempt(() => settle(command(shared)));
      } catch {
        // Redis is unavailable: count in memory.
      }
    }
    return settle(command(this.own));
  }
}

/** The library rejects with a result if no points are left, and with an error if its store fails. */
async function settle(consumed: Promise<RateLimiterRes>): Promise<RateLimiterRes> {
  try {
    return await consumed;
  } catch (refused) {
    if (refused instanceof RateLimiterRes) return refused;
    throw refused;
  }
}
