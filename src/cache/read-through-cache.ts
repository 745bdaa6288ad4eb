import { randomUUID } from 'node:crypto';
import { CACHE_MANAGER } from '@nestjs/cache-manager';
import { Inject, Injectable } from '@nestjs/common';
import type { Cache } from 'cache-manager';
import { afterSending, RedisConnection, RedisUnavailableError } from './redis-connection.js';
import { UnconfirmedScopes, type Mark } from './unconfirmed-scopes.js';

/** Before every key, in Redis too. */
export const KEY_PREFIX = 'entries:cache';

/** How long a value may be served at most, ms. */
const VALUE_TTL_MS = 60_000;

/** Up to this share less, at random: what was stored together does not expire together. */
const TTL_JITTER = 0.2;

/** Bytes of the strings in a value; what has more is loaded each time. The largest entry has some 45 000. */
const VALUE_BYTES_AT_MOST = 65_536;

/** When Redis has not taken an invalidation within this time, ms, PostgreSQL is told meanwhile. */
const HEDGE_MS = 10;

/** A scope's revision outlives every value that was stored under it, ms. */
const REVISION_TTL_MS = 24 * 3_600_000;

interface Stored {
  readonly revision: string;
  readonly value: unknown;
  /** Of the strings in it. A release before this one stored none. */
  readonly bytes?: number;
}

export type CacheOutcome = 'hit' | 'miss' | 'error';

/**
 * A read-through cache that never lets a request fail and never serves what a write before it changed.
 *
 * Keys belong to a scope (a user). A scope has a revision, a random name; a value counts only while the revision it
 * was stored under stands. A write gives its scope a new revision once it is committed, so a reader that loaded the
 * old row a moment before stores it under a revision that nobody asks for any more. An invalidation that Redis does not
 * take is told to the other replicas by PostgreSQL: {@link UnconfirmedScopes}. docs/operations.md says what is promised.
 */
@Injectable()
export class ReadThroughCache {
  /** Concurrent misses of one key under one revision share a load. */
  private readonly loading = new Map<string, Promise<unknown>>();

  /** Concurrent readers of a scope that has no revision make one, or each would load under one of its own. */
  private readonly beginning = new Map<string, Promise<string | undefined>>();

  private confirming = false;

  /**
   * Told of each read, in its own asynchronous context: ms are of the cache alone, without the load; bytes of what is
   * served from it.
   */
  observe: (outcome: CacheOutcome, ms: number, bytes: number) => void = () => {};

  /** Told of each value that is stored: its bytes. */
  observeStored: (bytes: number) => void = () => {};

  constructor(
    @Inject(CACHE_MANAGER) private readonly cache: Cache,
    private readonly redis: RedisConnection,
    private readonly unconfirmed: UnconfirmedScopes,
  ) {}

  /**
   * @param load is called on a miss; its `undefined` is passed on and not stored, so that asking for what is not there
   *   fills nothing.
   */
  async read<T>(scope: string, key: string, load: () => Promise<T>): Promise<T> {
    if (this.redis.configured && (!this.redis.available || (await this.isUnconfirmed(scope)))) return load();
    const revisionKey = `revision:${scope}`;
    const valueKey = `value:${scope}:${key}`;
    const started = performance.now();
    const told = (outcome: CacheOutcome, bytes = 0) =>
      this.observe(outcome, performance.now() - started, bytes);
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
    if (isHit) {
      told('hit', stored.bytes);
      return stored.value as T;
    }
    told('miss');
    revision ??= await once(this.beginning, scope, () => this.begin(revisionKey));
    if (revision === undefined) return load();
    return this.loadOnce(valueKey, revision, load);
  }

  /**
   * Makes every value of the scope unreadable, to every replica. To be awaited after the commit and before the answer.
   *
   * @throws where neither Redis nor PostgreSQL takes it: the write must not be acknowledged
   */
  async invalidate(scope: string): Promise<void> {
    const taken = this.store(`revision:${scope}`, randomUUID(), REVISION_TTL_MS);
    if (await within(HEDGE_MS, taken)) return;
    await Promise.any([
      taken.then((done) => done || Promise.reject(new RedisUnavailableError('Redis did not take it'))),
      this.unconfirmed.add(scope),
    ]);
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

  /**
   * Gives a scope its first revision: that of the replica which is first, or each would load under one of its own.
   *
   * @returns undefined where Redis does not take it
   */
  private async begin(revisionKey: string): Promise<string | undefined> {
    const { client } = this.redis;
    const first = randomUUID();
    if (!client) return (await this.store(revisionKey, first, REVISION_TTL_MS)) ? first : undefined;
    try {
      // In the form that Keyv gives to what it stores: it has no command for what is not to be there yet.
      const stored = JSON.stringify({ value: first, expires: Date.now() + REVISION_TTL_MS });
      await this.attempt(() =>
        client.set(`${KEY_PREFIX}:${revisionKey}`, stored, { NX: true, PX: REVISION_TTL_MS }),
      );
      return await this.attempt(() => this.cache.get<string>(revisionKey));
    } catch {
      return undefined;
    }
  }

  private async isUnconfirmed(scope: string): Promise<boolean> {
    const { has, marks } = await this.unconfirmed.look(scope);
    if (marks.length > 0) void this.confirm(marks);
    return has;
  }

  /** Makes up for what Redis did not take, whichever replica it was. */
  private async confirm(marks: readonly Mark[]): Promise<void> {
    if (this.confirming) return;
    this.confirming = true;
    try {
      for (const mark of marks) {
        if (!(await this.store(`revision:${mark.scope}`, randomUUID(), REVISION_TTL_MS))) break;
        await this.unconfirmed.remove(mark);
      }
    } catch {
      // PostgreSQL went away: the marks stay, and the next read that sees them tries again.
    } finally {
      this.confirming = false;
    }
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

  private loadOnce<T>(valueKey: string, revision: string, load: () => Promise<T>): Promise<T> {
    const key = `${revision}:${valueKey}`;
    const running = this.loading.get(key) as Promise<T> | undefined;
    if (running) return running;
    const loaded = load();
    this.loading.set(key, loaded);
    // Until the store has it: who asks in between would find it neither there nor here.
    loaded
      .then((value) => this.keep(valueKey, revision, value))
      .catch(() => {})
      .finally(() => this.loading.delete(key));
    return loaded;
  }

  private async keep(valueKey: string, revision: string, value: unknown): Promise<void> {
    if (value === undefined) return;
    const bytes = bytesOf(value);
    if (bytes > VALUE_BYTES_AT_MOST) return;
    const ttlMs = Math.round(VALUE_TTL_MS * (1 - TTL_JITTER * Math.random()));
    const stored: Stored = { revision, value, bytes };
    if (await this.store(valueKey, stored, ttlMs)) this.observeStored(bytes);
  }
}

/** Who asks for the same while it is under way shares it. */
function once<T>(running: Map<string, Promise<T>>, key: string, begin: () => Promise<T>): Promise<T> {
  const shared = running.get(key);
  if (shared) return shared;
  const started = begin().finally(() => running.delete(key));
  running.set(key, started);
  return started;
}

/** Whether it came true in time. */
async function within(ms: number, coming: Promise<boolean>): Promise<boolean> {
  let stop: (() => void) | undefined;
  const late = new Promise<false>((resolve) => {
    stop = afterSending(ms, () => resolve(false));
  });
  try {
    return await Promise.race([coming, late]);
  } finally {
    stop?.();
  }
}

/** Of the strings in it, without making JSON of it a second time. */
export function bytesOf(value: unknown): number {
  if (typeof value === 'string') return Buffer.byteLength(value);
  if (typeof value !== 'object' || value === null) return 0;
  return Object.values(value).reduce<number>((sum, inner) => sum + bytesOf(inner), 0);
}
