import { randomUUID } from 'node:crypto';
import { CACHE_MANAGER } from '@nestjs/cache-manager';
import { Inject, Injectable } from '@nestjs/common';
import type { Cache } from 'cache-manager';
import { RedisConnection } from './redis-connection.js';

/** How long a value may be served, ms. It bounds what an invalidation that was lost can cost. */
const VALUE_TTL_MS = 60_000;

/** A scope's revision outlives every value that was stored under it, ms. */
const REVISION_TTL_MS = 24 * 3_600_000;

interface Stored {
  readonly revision: string;
  readonly value: unknown;
}

export type CacheOutcome = 'hit' | 'miss' | 'error';

/**
 * A read-through cache that never lets a request fail and never serves what a write before it changed.
 *
 * Keys belong to a scope (a user). A scope has a revision, a random name; a value counts only while the revision it
 * was stored under stands. A write gives its scope a new revision once it is committed, so a reader that loaded the
 * old row a moment before stores it under a revision that nobody asks for any more.
 */
@Injectable()
export class ReadThroughCache {
  /** Concurrent misses of one key under one revision share a load. */
  private readonly loading = new Map<string, Promise<unknown>>();

  /** Scopes whose invalidation Redis did not take. They are read past the cache until it does. */
  private readonly unconfirmed = new Set<string>();

  /** Told of each read, in its own asynchronous context: ms are of the cache alone, without the load. */
  observe: (outcome: CacheOutcome, ms: number) => void = () => {};

  constructor(
    @Inject(CACHE_MANAGER) private readonly cache: Cache,
    private readonly redis: RedisConnection,
  ) {}

  /** @param load is called on a miss; its `undefined` is passed on and not stored. */
  async read<T>(scope: string, key: string, load: () => Promise<T>): Promise<T> {
    if (!(await this.confirmed(scope))) return load();
    const revisionKey = `revision:${scope}`;
    const valueKey = `value:${scope}:${key}`;
    const started = performance.now();
    const told = (outcome: CacheOutcome) => this.observe(outcome, performance.now() - started);
    let found: [unknown?, unknown?];
    try {
      found = (await this.attempt(() => this.cache.mget<unknown>([revisionKey, valueKey]))) as [
        unknown?,
        unknown?,
      ];
    } catch {
      told('error');
      return load();
    }
    const stored = found[1] as Stored | undefined;
    let revision = found[0] as string | undefined;
    const isHit = revision !== undefined && stored?.revision === revision;
    told(isHit ? 'hit' : 'miss');
    if (isHit) return stored.value as T;
    if (revision === undefined) {
      revision = randomUUID();
      if (!(await this.store(revisionKey, revision, REVISION_TTL_MS))) return load();
    }
    return this.loadOnce(`${revision}:${key}`, async () => {
      const value = await load();
      if (value !== undefined) void this.store(valueKey, { revision, value }, VALUE_TTL_MS);
      return value;
    });
  }

  /** Makes every value of the scope unreadable. To be awaited after the commit and before the answer. */
  async invalidate(scope: string): Promise<void> {
    if (await this.store(`revision:${scope}`, randomUUID(), REVISION_TTL_MS)) this.unconfirmed.delete(scope);
    else this.unconfirmed.add(scope);
  }

  /**
   * Makes every value of the scope unreadable, and leaves none in Redis, nor the scope's name. Memory drops them as it
   * fills. Walks all keys: for what happens seldom.
   *
   * @throws {RedisUnavailableError}
   */
  async forget(scope: string): Promise<void> {
    await this.invalidate(scope);
    const { client } = this.redis;
    if (!client) {
      await this.cache.del(`revision:${scope}`);
      return;
    }
    let cursor = 0;
    do {
      const found = await this.redis.attempt(() =>
        client.scan(cursor, { MATCH: `*:${scope}*`, COUNT: 1000 }),
      );
      cursor = found.cursor;
      const keys = found.keys.filter(
        (key) => key.endsWith(`:revision:${scope}`) || key.includes(`:value:${scope}:`),
      );
      if (keys.length > 0) await this.redis.attempt(() => client.unlink(keys));
    } while (cursor !== 0);
  }

  private async confirmed(scope: string): Promise<boolean> {
    if (!this.unconfirmed.has(scope)) return true;
    if (this.redis.available) await this.invalidate(scope);
    return !this.unconfirmed.has(scope);
  }

  private async store(key: string, value: unknown, ttlMs: number): Promise<boolean> {
    try {
      await this.attempt(() => this.cache.set(key, value, ttlMs));
      return true;
    } catch {
      return false;
    }
  }

  private attempt<T>(command: () => Promise<T>): Promise<T> {
    return this.redis.configured ? this.redis.attempt(command) : command();
  }

  private loadOnce<T>(key: string, load: () => Promise<T>): Promise<T> {
    const running = this.loading.get(key) as Promise<T> | undefined;
    if (running) return running;
    const started = load().finally(() => this.loading.delete(key));
    this.loading.set(key, started);
    return started;
  }
}
