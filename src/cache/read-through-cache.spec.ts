import { CACHE_MANAGER } from '@nestjs/cache-manager';
import { Test, type TestingModule } from '@nestjs/testing';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { Cache } from 'cache-manager';
import { loadConfig } from '../config/config.js';
import { ConfigModule } from '../config/config.module.js';
import { CacheModule } from './cache.module.js';
import { ReadThroughCache } from './read-through-cache.js';
import type { RedisConnection } from './redis-connection.js';

const config = loadConfig({
  DATABASE_URL: 'postgres://localhost/entries',
  JWT_SECRET: 'a-secret-for-tests-0123456789abcdefghij',
});

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
      imports: [ConfigModule.forRoot(config), CacheModule],
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

  let redis: Redis;
  let cache: ReadThroughCache;
  beforeEach(() => {
    redis = new Redis();
    cache = new ReadThroughCache(redis as unknown as Cache, redis as unknown as RedisConnection);
  });

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
      imports: [ConfigModule.forRoot(config), CacheModule],
    }).compile();
    const store = module.get<Cache>(CACHE_MANAGER);
    for (let key = 0; key <= 10_000; key++) await store.set(`key ${key}`, key);
    expect(await store.get('key 0')).toBeUndefined();
    expect(await store.get('key 1')).toBe(1);
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
