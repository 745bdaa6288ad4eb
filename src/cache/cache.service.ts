import { CACHE_MANAGER } from '@nestjs/cache-manager';
import { Inject, Injectable } from '@nestjs/common';
import type { Cache } from 'cache-manager';
import { SERVICE_NAME } from '../config/release.js';
import { Metrics } from '../observability/metrics.js';
import { requestContext } from '../observability/request-context.js';
import { RedisConnection } from './redis-connection.js';

/** Increase the number when the shape of cached values changes. */
export const KEY_PREFIX = `${SERVICE_NAME}:cache:1`;

/** TTL, ms. Values never become stale; this removes unused ones. */
const TTL_MS = 600_000;

/**
 * Caches by user, revision of the user's journal, and key. A write creates a new revision, so nothing is invalidated.
 * `cache-manager` reads memory, then Redis; concurrent misses of one key share one load.
 */
@Injectable()
export class CacheService {
  constructor(
    @Inject(CACHE_MANAGER) private readonly cache: Cache,
    private readonly redis: RedisConnection,
    private readonly metrics: Metrics,
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
    this.metrics.countCacheRead(found.hit ? 'hit' : 'miss');
    const context = requestContext.getStore();
    if (context && found.hit) context.cacheHits = (context.cacheHits ?? 0) + 1;
    return value;
  }

  /**
   * Deletes a user's values from Redis. Scans all keys, so use it rarely. Values in memory are evicted later.
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
