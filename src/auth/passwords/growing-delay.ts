import { SERVICE_NAME } from '../../config/release.js';
import type { RedisConnection } from '../../cache/redis-connection.js';
import { SharedCounter } from '../../http/rate-limit/shared-counter.js';

const WINDOW_SECONDS = 3600;

/** Longest delay. Bounded, so that an attacker cannot lock out the owner. */
const LONGEST_SECONDS = 60;

/**
 * Allows `free` failures per hour without delay, then one attempt in 1 s, 2 s, 4 s, … 60 s. Counts in Redis for all
 * replicas, and in memory while Redis is unavailable.
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
      new SharedCounter(redis, { keyPrefix: `${SERVICE_NAME}:login:${name}:${what}`, points, duration });
    this.tries = counter('tries', Number.MAX_SAFE_INTEGER, WINDOW_SECONDS);
    this.gate = counter('gate', 1, 1);
  }

  /**
   * Counts an attempt before its result is known, so that concurrent attempts cannot exceed the limit.
   *
   * @returns 0 if the attempt is allowed, otherwise ms until the next one is
   */
  async take(key: string): Promise<number> {
    const { consumedPoints } = await this.tries.consume(key);
    const beyond = consumedPoints - this.free;
    if (beyond <= 0) return 0;
    const seconds = Math.min(2 ** Math.min(beyond - 1, 30), LONGEST_SECONDS);
    const gate = await this.gate.consume(key, seconds);
    return gate.consumedPoints > 1 ? gate.msBeforeNext : 0;
  }

  /** Takes back an attempt that was not a failure. */
  giveBack(key: string): Promise<void> {
    return this.tries.reward(key);
  }

  async forget(key: string): Promise<void> {
    await this.tries.forget(key);
    await this.gate.forget(key);
  }
}
