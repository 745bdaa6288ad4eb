import type { RedisConnection } from '../../cache/redis-connection.js';
import { SharedCounter } from '../../http/rate-limit/shared-counter.js';

const WINDOW_SECONDS = 3600;

/** The longest that anybody has to wait: what keeps an attacker from locking somebody out. */
const LONGEST_SECONDS = 60;

/**
 * Lets `free` failures an hour pass; from then on one try in 1 s, the next in 2 s, in 4 s, … in 60 s. Counted in Redis
 * for all replicas, and in this process while Redis is away.
 */
export class GrowingDelay {
  private readonly tries: SharedCounter;
  private readonly gate: SharedCounter;

  constructor(
    redis: RedisConnection,
    name: string,
    private readonly free: number,
  ) {
    const counter = (what: string, points: number, duration: number) =>
      new SharedCounter(redis, { keyPrefix: `entries:login:${name}:${what}`, points, duration });
    this.tries = counter('tries', Number.MAX_SAFE_INTEGER, WINDOW_SECONDS);
    this.gate = counter('gate', 1, 1);
  }

  /**
   * Counts a try before it is known how it ends, so that of many at the same instant no more get through.
   *
   * @returns ms until the next is let through; 0: this one is
   */
  async take(key: string): Promise<number> {
    const { consumedPoints } = await this.tries.consume(key);
    const beyond = consumedPoints - this.free;
    if (beyond <= 0) return 0;
    const seconds = Math.min(2 ** Math.min(beyond - 1, 30), LONGEST_SECONDS);
    const gate = await this.gate.consume(key, seconds);
    return gate.consumedPoints > 1 ? gate.msBeforeNext : 0;
  }

  /** Uncounts a try that was no failure. */
  giveBack(key: string): Promise<void> {
    return this.tries.reward(key);
  }

  async forget(key: string): Promise<void> {
    await this.tries.forget(key);
    await this.gate.forget(key);
  }
}
