import { CACHE_MANAGER } from '@nestjs/cache-manager';
import { Inject, Injectable } from '@nestjs/common';
import type { Cache } from 'cache-manager';
import { RedisConnection } from './redis-connection.js';

/** Before every key, in Redis too. The number changes with the shape of what is cached. */
export const KEY_PREFIX = 'entries:cache:1';

/** How long a value is kept, ms. It never goes out of date: this bounds what nobody asks for any more. */
const TTL_MS = 600_000;

/**
 * Caches by revision: a value is kept under the user, the revision of the user's journal that it was read with, and a key.
 * A write makes a new revision, so nothing is ever invalidated. `cache-manager` looks in memory, then in Redis, and lets
 * concurrent misses of one key share one load.
 */
@Injectable()
export class CacheService {
  /** Called for each read: whether the cache had the value. */
  observe: (outcome: 'hit' | 'miss') => void = () => {};

  constructor(
    @Inject(CACHE_MANAGER) private readonly cache: Cache,
    private readonly redis: RedisConnection,
  ) {}

  async read<T>(userId: string, revision: string, key: string, load: () => Promise<T>): Promise<T> {
    const found = { hit: true };
    const value = await this.cache.wrap(
      `${userId}:${revision}:${key}`,
      () => {
        found.hit = false;
        return load();
      },
      TTL_MS,
    );
    this.observe(found.hit ? 'hit' : 'miss');
    return value;
  }

  /**
   * Deletes what Redis has of a user. Scans all keys: for what happens rarely. Memory drops its values as it fills.
   *
   * @throws {RedisUnavailableError}
   */
  async forget(userId: string): Promise<void> {
    const { client } = this.redis;
    if (!client) return;
    let cursor = 0;
    do {
      const found = await this.redis.attempt(() =>
        client.scan(cursor, { MATCH: `${KEY_PREFIX}:${userId}:*`, COUNT: 1000 }),
      );
      cursor = found.cursor;
      if (found.keys.length > 0) await this.redis.attempt(() => client.unlink(found.keys));
    } while (cursor !== 0);
  }
}
