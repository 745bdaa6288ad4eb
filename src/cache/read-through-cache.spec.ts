import { CACHE_MANAGER } from '@nestjs/cache-manager';
import { Global, Module } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { Cache } from 'cache-manager';
import { loadConfig } from '../config/config.js';
import { ConfigModule } from '../config/config.module.js';
import { CacheModule } from './cache.module.js';
import { ReadThroughCache } from './read-through-cache.js';
import type { RedisConnection } from './redis-connection.js';
import { Sql } from '../database/sql.js';
import type { Mark, UnconfirmedScopes } from './unconfirmed-scopes.js';

const config = loadConfig({
  DATABASE_URL: 'postgres://localhost/entries',
  JWT_SECRET: 'a-secret-for-tests-0123456789abcdefghij',
});

/** Without Redis, nothing is told to other replicas. */
@Global()
@Module({ providers: [{ provide: Sql, useValue: {} }], exports: [Sql] })
class NoDatabase {}

interface Deferred<T> {
  readonly promise: Promise<T>;
  resolve(value: T): void;
  reject(error: Error): void;
}

function defer<T>(): Deferred<T> {
  let settle: Omit<Deferred<T>, 'promise'> | undefined;
  const promise = new Promise<T>((resolve, reject) => (settle = { resolve, reject }));
  return { promise, ...settle! };
}

/** A load that is under way until it is told how it ends. */
function slowLoad<T>() {
  const begun = defer<undefined>();
  const end = defer<T>();
  const load = jest.fn(() => {
    begun.resolve(undefined);
    return end.promise;
  });
  return { load, begun: begun.promise, end };
}

/** What a read gives, and how often it had to load for it. */
function loader<T>(...values: T[]) {
  let loads = 0;
  return {
    load: (): Promise<T> => Promise.resolve(values[Math.min(loads++, values.length - 1)]!),
    get loads() {
      return loads;
    },
  };
}

describe('ReadThroughCache in memory', () => {
  let module: TestingModule;
  let cache: ReadThroughCache;
  beforeEach(async () => {
    module = await Test.createTestingModule({
      imports: [ConfigModule.forRoot(config), NoDatabase, CacheModule],
    }).compile();
    cache = module.get(ReadThroughCache);
  });
  afterEach(() => module.close());

  it('loads once, and serves what it loaded', async () => {
    const total = loader(1, 2);
    expect(await cache.read('ada', 'total', total.load)).toBe(1);
    expect(await cache.read('ada', 'total', total.load)).toBe(1);
    expect(total.loads).toBe(1);
  });

  it.each([[0], [''], [null], [false], [[1, { two: 3 }]], [{ version: 1, json: '{}' }]])(
    'serves %j as it was',
    async (value) => {
      const { load } = loader<unknown>(value, 'loaded again');
      await cache.read('ada', 'key', load);
      expect(await cache.read('ada', 'key', load)).toEqual(value);
    },
  );

  it('passes undefined on, and asks again: what is not there may come to be', async () => {
    const entry = loader<string | undefined>(undefined, 'written since');
    expect(await cache.read('ada', 'entry', entry.load)).toBeUndefined();
    expect(await cache.read('ada', 'entry', entry.load)).toBe('written since');
  });

  it('keeps nothing of what is not there, however much of it is asked for', async () => {
    const set = jest.spyOn(module.get<Cache>(CACHE_MANAGER), 'set');
    for (let key = 0; key < 100; key += 1)
      await cache.read('ada', `entry ${key}`, () => Promise.resolve(undefined));
    expect(set.mock.calls.map(([key]) => key)).toEqual(['revision:ada']);
  });

  it('keeps scopes and keys apart', async () => {
    for (const scope of ['ada', 'bob', 'ada:x']) {
      for (const key of ['total', 'x:total', 'entry']) {
        await cache.read(scope, key, () => Promise.resolve(`${scope}/${key}`));
      }
    }
    // `ada` + `x:total` and `ada:x` + `total` meet in one store key; the revision tells them apart.
    for (const scope of ['ada', 'bob', 'ada:x']) {
      for (const key of ['total', 'x:total', 'entry']) {
        expect(await cache.read(scope, key, () => Promise.resolve(`${scope}/${key}`))).toBe(
          `${scope}/${key}`,
        );
      }
    }
  });

  it('makes one load of a hundred misses at the same time, also of a scope that is new', async () => {
    const total = loader(1);
    const reads = Array.from({ length: 100 }, () => cache.read('ada', 'total', total.load));
    expect(new Set(await Promise.all(reads))).toEqual(new Set([1]));
    expect(total.loads).toBe(1);
  });

  it('keeps nothing of more than 64 KiB', async () => {
    const of = (bytes: number, key: string) => {
      const entry = loader({ version: 1, json: 'é'.repeat(bytes / 2) });
      return { ...entry, read: () => cache.read('ada', key, entry.load), loads: () => entry.loads };
    };
    const [largest, larger] = [of(65_536, 'largest'), of(65_538, 'larger')];
    for (const entry of [largest, larger, largest, larger]) await entry.read();
    expect([largest.loads(), larger.loads()]).toEqual([1, 2]);
  });

  it('lets what was stored together expire apart, within 48 to 60 seconds', async () => {
    const set = jest.spyOn(module.get<Cache>(CACHE_MANAGER), 'set');
    for (let key = 0; key < 50; key += 1) await cache.read('ada', `key ${key}`, () => Promise.resolve(key));
    const lives = set.mock.calls
      .filter(([key]) => key.startsWith('value:'))
      .map(([, , ttl]) => ttl as number);
    expect(lives).toHaveLength(50);
    expect(Math.min(...lives)).toBeGreaterThanOrEqual(48_000);
    expect(Math.max(...lives)).toBeLessThanOrEqual(60_000);
    expect(Math.max(...lives) - Math.min(...lives)).toBeGreaterThan(1000);
  });

  it('passes on the error of a load, and does not keep it', async () => {
    await expect(cache.read('ada', 'total', () => Promise.reject(new Error('no database')))).rejects.toThrow(
      'no database',
    );
    expect(await cache.read('ada', 'total', () => Promise.resolve(1))).toBe(1);
  });

  describe('after invalidate', () => {
    it('loads every key of the scope again', async () => {
      const total = loader(1, 2);
      const entry = loader('old', 'new');
      await cache.read('ada', 'total', total.load);
      await cache.read('ada', 'entry', entry.load);
      await cache.invalidate('ada');
      expect(await cache.read('ada', 'total', total.load)).toBe(2);
      expect(await cache.read('ada', 'entry', entry.load)).toBe('new');
      expect(await cache.read('ada', 'entry', entry.load)).toBe('new');
      expect(entry.loads).toBe(2);
    });

    it('leaves the other scopes alone', async () => {
      const total = loader(1, 2);
      await cache.read('ada', 'total', total.load);
      await cache.invalidate('bob');
      expect(await cache.read('ada', 'total', total.load)).toBe(1);
    });

    it('does not serve what a load found that had begun before', async () => {
      const { load, begun, end } = slowLoad<string>();
      const slow = cache.read('ada', 'entry', load);
      await begun;
      await cache.invalidate('ada');
      end.resolve('old');
      expect(await slow).toBe('old');
      expect(await cache.read('ada', 'entry', () => Promise.resolve('new'))).toBe('new');
      expect(await cache.read('ada', 'entry', () => Promise.resolve('not asked for'))).toBe('new');
    });

    it('does not hand a reader the load that had begun before', async () => {
      const { load, begun, end } = slowLoad<string>();
      const before = cache.read('ada', 'entry', load);
      await begun;
      await cache.invalidate('ada');
      expect(await cache.read('ada', 'entry', () => Promise.resolve('new'))).toBe('new');
      end.resolve('old');
      await before;
      expect(await cache.read('ada', 'entry', () => Promise.resolve('newer'))).not.toBe('old');
    });
  });

  describe('when several miss at once', () => {
    it('loads once for all', async () => {
      await cache.invalidate('ada');
      const { load, begun, end } = slowLoad<number>();
      const reads = Array.from({ length: 20 }, () => cache.read('ada', 'total', load));
      await begun;
      end.resolve(7);
      expect(await Promise.all(reads)).toEqual(Array.from({ length: 20 }, () => 7));
      expect(load).toHaveBeenCalledTimes(1);
    });

    it('fails for all, and loads anew for the next', async () => {
      await cache.invalidate('ada');
      const { load, begun, end } = slowLoad<number>();
      const reads = [1, 2, 3].map(() => cache.read('ada', 'total', load));
      await begun;
      end.reject(new Error('no database'));
      expect((await Promise.allSettled(reads)).map(({ status }) => status)).toEqual([
        'rejected',
        'rejected',
        'rejected',
      ]);
      expect(await cache.read('ada', 'total', () => Promise.resolve(1))).toBe(1);
    });

    it('loads once for each key', async () => {
      await cache.invalidate('ada');
      const [total, entry] = await Promise.all([
        cache.read<unknown>('ada', 'total', () => Promise.resolve(3)),
        cache.read<unknown>('ada', 'entry', () => Promise.resolve('text')),
      ]);
      expect([total, entry]).toEqual([3, 'text']);
    });
  });

  it('forgets a value after a minute, whatever became of its invalidation', async () => {
    const total = loader(1, 2);
    await cache.read('ada', 'total', total.load);
    // It is stored behind the answer.
    await new Promise(setImmediate);
    const inAMinute = Date.now() + 60_001;
    const clock = jest.spyOn(Date, 'now').mockReturnValue(inAMinute);
    expect(await cache.read('ada', 'total', total.load)).toBe(2);
    clock.mockRestore();
  });

  it('never serves an old value, however reads and writes are interleaved', async () => {
    const random = seeded(20_260_301);
    const someTurns = async () => {
      for (let turns = random(6); turns > 0; turns--) await Promise.resolve();
    };
    /** What the database holds, and the newest of it that a writer was told to be written. */
    let row = 0;
    let told = 0;
    const wrong: string[] = [];

    const write = async () => {
      await someTurns();
      const value = ++row;
      await cache.invalidate('ada');
      told = Math.max(told, value);
    };
    const read = async () => {
      await someTurns();
      const least = told;
      const seen = await cache.read('ada', 'total', async () => {
        const value = row;
        await someTurns();
        return value;
      });
      if (seen < least) wrong.push(`read ${seen} after ${least} was told`);
    };
    for (let round = 0; round < 300; round++) {
      await Promise.all(Array.from({ length: 6 }, () => (random(3) === 0 ? write() : read())));
    }
    expect(row).toBeGreaterThan(300);
    expect(wrong).toEqual([]);
  });
});

describe('ReadThroughCache with a store that fails', () => {
  /** Redis as `RedisConnection` shows it, and a store that can be told to fail. */
  class Redis {
    readonly configured = true;
    available = true;
    readonly stored = new Map<string, unknown>();
    failing: 'nothing' | 'reads' | 'writes' | 'everything' = 'nothing';

    async attempt<T>(command: () => Promise<T>): Promise<T> {
      if (!this.available) throw new Error('Redis is away');
      return command();
    }

    mget(keys: string[]): Promise<unknown[]> {
      if (this.failing === 'reads' || this.failing === 'everything')
        return Promise.reject(new Error('LOADING'));
      return Promise.resolve(keys.map((key) => this.stored.get(key)));
    }

    set(key: string, value: unknown): Promise<void> {
      if (this.failing === 'writes' || this.failing === 'everything') throw new Error('READONLY');
      this.stored.set(key, value);
      return Promise.resolve();
    }
  }

  /** The table, as every replica sees it. */
  class Table {
    readonly rows = new Map<string, string>();
    failing = false;
    private next = 0;

    add(scope: string): Promise<void> {
      if (this.failing) return Promise.reject(new Error('the database is away'));
      this.rows.set(scope, String((this.next += 1)));
      return Promise.resolve();
    }

    look(scope: string): Promise<{ has: boolean; marks: Mark[] }> {
      const marks = [...this.rows].map(([its, mark]) => ({ scope: its, mark }));
      return Promise.resolve({ has: this.rows.has(scope), marks });
    }

    remove({ scope, mark }: Mark): Promise<void> {
      if (this.rows.get(scope) === mark) this.rows.delete(scope);
      return Promise.resolve();
    }
  }

  let table: Table;
  let redis: Redis;
  let cache: ReadThroughCache;
  beforeEach(() => {
    table = new Table();
    redis = new Redis();
    cache = replica(redis);
  });

  const replica = (its: Redis) =>
    new ReadThroughCache(
      its as unknown as Cache,
      its as unknown as RedisConnection,
      table as unknown as UnconfirmedScopes,
    );

  it.each(['reads', 'writes', 'everything'] as const)(
    'never throws where %s fail, and loads',
    async (failing) => {
      redis.failing = failing;
      const total = loader(1, 2, 3);
      await cache.invalidate('ada');
      expect(await cache.read('ada', 'total', total.load)).toBe(1);
      expect(await cache.read('ada', 'total', total.load)).toBe(2);
      await cache.invalidate('ada');
      expect(await cache.read('ada', 'total', total.load)).toBe(3);
    },
  );

  it('never throws while Redis is away, and loads', async () => {
    redis.available = false;
    const total = loader(1, 2);
    await cache.invalidate('ada');
    expect(await cache.read('ada', 'total', total.load)).toBe(1);
    expect(await cache.read('ada', 'total', total.load)).toBe(2);
  });

  it('answers before the value is stored, and does not mind when that fails', async () => {
    await cache.invalidate('ada');
    const total = loader(1, 2);
    expect(
      await cache.read('ada', 'total', () => {
        redis.failing = 'writes';
        return total.load();
      }),
    ).toBe(1);
    redis.failing = 'nothing';
    expect(await cache.read('ada', 'total', total.load)).toBe(2);
  });

  it('serves again what it holds once Redis is back', async () => {
    const total = loader(1, 2);
    await cache.read('ada', 'total', total.load);
    redis.available = false;
    expect(await cache.read('ada', 'total', total.load)).toBe(2);
    redis.available = true;
    expect(await cache.read('ada', 'total', total.load)).toBe(1);
    expect(total.loads).toBe(2);
  });

  it('is not served by a replica that still reaches it, after one that does not has written', async () => {
    const cutOff = new Redis();
    cutOff.available = false;
    expect(await cache.read('ada', 'total', () => Promise.resolve('old'))).toBe('old');
    await replica(cutOff).invalidate('ada');
    expect(await cache.read('ada', 'total', () => Promise.resolve('new'))).toBe('new');
    // The other has made up for it meanwhile, and hits resume.
    expect(await cache.read('ada', 'total', () => Promise.resolve('new'))).toBe('new');
    expect(table.rows.size).toBe(0);
    expect(await cache.read('ada', 'total', () => Promise.resolve('not asked for'))).toBe('new');
  });

  it('does not wait for a Redis that hangs, but for PostgreSQL', async () => {
    jest.spyOn(redis, 'set').mockReturnValue(new Promise(() => {}));
    await cache.invalidate('ada');
    expect([...table.rows.keys()]).toEqual(['ada']);
  });

  it('has the write fail where neither Redis nor PostgreSQL takes it', async () => {
    redis.available = false;
    table.failing = true;
    await expect(cache.invalidate('ada')).rejects.toThrow(AggregateError);
  });

  describe('that did not take an invalidation', () => {
    const total = () => cache.read('ada', 'total', () => Promise.resolve('new'));
    beforeEach(async () => {
      await cache.read('ada', 'total', () => Promise.resolve('old'));
      redis.available = false;
      await cache.invalidate('ada');
    });

    it('is read past, as long as it is away', async () => {
      expect(await total()).toBe('new');
    });

    it('has it made up for before the first read after it is back', async () => {
      redis.available = true;
      expect(await total()).toBe('new');
      expect(await total()).toBe('new');
      expect(await cache.read('ada', 'total', () => Promise.resolve('not asked for'))).toBe('new');
    });

    it('is read past as long as it does not take it', async () => {
      redis.available = true;
      redis.failing = 'writes';
      expect(await total()).toBe('new');
      redis.failing = 'nothing';
      expect(await total()).toBe('new');
    });

    it('has it made up for also after more than a minute: a slow load may have stored the old value since', async () => {
      const clock = jest.spyOn(Date, 'now').mockReturnValue(Date.now() + 61_000);
      redis.available = true;
      expect(await total()).toBe('new');
      clock.mockRestore();
    });

    it('is trusted in the other scopes all the same', async () => {
      redis.available = true;
      redis.failing = 'writes';
      redis.stored.set('revision:bob', 'r1').set('value:bob:total', { revision: 'r1', value: 5 });
      expect(await cache.read('bob', 'total', () => Promise.resolve(6))).toBe(5);
    });
  });
});

describe('CacheModule', () => {
  it('keeps at most 10 000 values in memory', async () => {
    const module = await Test.createTestingModule({
      imports: [ConfigModule.forRoot(config), NoDatabase, CacheModule],
    }).compile();
    const store = module.get<Cache>(CACHE_MANAGER);
    for (let key = 0; key <= 10_000; key++) await store.set(`key ${key}`, key);
    expect(await store.get('key 0')).toBeUndefined();
    expect(await store.get('key 1')).toBe(1);
    await module.close();
  });

  it('keeps at most 32 MiB in memory', async () => {
    const module = await Test.createTestingModule({
      imports: [ConfigModule.forRoot(config), NoDatabase, CacheModule],
    }).compile();
    const store = module.get<Cache>(CACHE_MANAGER);
    const largest = 'x'.repeat(65_536);
    for (let key = 0; key < 1000; key++) await store.set(`key ${key}`, { json: largest });
    const kept = [];
    for (let key = 0; key < 1000; key++) if (await store.get(`key ${key}`)) kept.push(key);
    expect(kept).toEqual(Array.from({ length: 510 }, (_each, i) => 490 + i));
    await module.close();
  });
});

/** A number below `below` each time, the same ones in each run: mulberry32. */
function seeded(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}
