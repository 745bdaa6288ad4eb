import { RateLimiterMemory, RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible';
import type { RedisConnection } from '../../cache/redis-connection.js';

/** A window that may be shared, or one that is this process's own. */
type Window = RateLimiterRedis | RateLimiterMemory;

/** What is counted in a window, what is left of its points, and ms until it ends. */
type Count = Readonly<Pick<RateLimiterRes, 'consumedPoints' | 'remainingPoints' | 'msBeforeNext'>>;

/** Counts by key in fixed windows: in Redis for all replicas, and in this process while Redis is away. */
export class SharedCounter {
  private readonly shared: RateLimiterRedis | undefined;
  private readonly own: RateLimiterMemory;
  private readonly seconds: number;

  /** @param options duration in s; a count beyond `points` is told all the same */
  constructor(
    private readonly redis: RedisConnection,
    options: { readonly keyPrefix: string; readonly points: number; readonly duration: number },
  ) {
    const { client } = redis;
    this.seconds = options.duration;
    this.own = new RateLimiterMemory(options);
    this.shared = client && new RateLimiterRedis({ ...options, storeClient: client, useRedisPackage: true });
  }

  /** @param seconds that a window takes which begins now, instead of `duration` */
  async consume(key: string, seconds = this.seconds): Promise<Count> {
    const { consumedPoints, remainingPoints, msBeforeNext } = await this.run((window) =>
      window.consume(key, 1, { customDuration: seconds }),
    );
    // A window in memory ends by a timer, but tells by the clock when: it may have been set back since.
    return { consumedPoints, remainingPoints, msBeforeNext: Math.min(msBeforeNext, seconds * 1000) };
  }

  /** Takes one back. */
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
        // Redis went away: the process's own count takes over.
      }
    }
    return settle(command(this.own));
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
