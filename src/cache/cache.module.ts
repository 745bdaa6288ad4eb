import { CacheModule as NestCacheModule } from '@nestjs/cache-manager';
import { Global, Module } from '@nestjs/common';
import { KeyvAdapter } from 'cache-manager';
import { Keyv } from 'keyv';
import { LRUCache } from 'lru-cache';
import { Config } from '../config/config.js';
import { CacheService, KEY_PREFIX } from './cache.service.js';
import { RedisConnection } from './redis-connection.js';

/** How many values this process keeps in memory, and of how many bytes. */
const MEMORY_ENTRIES = 10_000;
const MEMORY_BYTES = 33_554_432;

/** What a value takes beside its JSON, about. */
const OVERHEAD_BYTES = 256;

@Module({
  providers: [
    {
      provide: RedisConnection,
      inject: [Config],
      useFactory: (config: Config) => RedisConnection.open(config),
    },
  ],
  exports: [RedisConnection],
})
class RedisModule {}

@Global()
@Module({
  imports: [
    RedisModule,
    NestCacheModule.registerAsync({
      imports: [RedisModule],
      inject: [RedisConnection],
      useFactory: async (redis: RedisConnection) => ({
        stores: [memoryStore(), ...(redis.configured ? [await redisStore(redis)] : [])],
      }),
    }),
  ],
  providers: [CacheService],
  exports: [CacheService, RedisModule],
})
export class CacheModule {}

function keyvOf(store: object): Keyv {
  const keyv = new Keyv({ store, namespace: KEY_PREFIX });
  // The Redis store makes JSON of what it is given, and memory takes objects as they are.
  keyv.serialize = undefined;
  keyv.deserialize = undefined;
  return keyv;
}

/**
 * Keyv passes the time to live to `set` as a number; lru-cache wants an object there, and throws. It is left out:
 * Keyv itself keeps when a value expires.
 */
function memoryStore(): Keyv {
  const values = new LRUCache<string, object>({
    max: MEMORY_ENTRIES,
    maxSize: MEMORY_BYTES,
    sizeCalculation: (value) => JSON.stringify(value).length + OVERHEAD_BYTES,
  });
  return keyvOf({
    get: (key: string) => values.get(key),
    set: (key: string, value: object) => values.set(key, value),
    delete: (key: string) => values.delete(key),
    clear: () => values.clear(),
  });
}

/** Redis as a cache that may vanish at any time: what fails is a miss, and is not stored. */
async function redisStore(redis: RedisConnection): Promise<Keyv> {
  const { redisInsStore } = await import('./redis-client.js');
  const store = redisInsStore(redis.client as unknown as Parameters<typeof redisInsStore>[0]);
  return keyvOf(
    new KeyvAdapter({
      ...store,
      get: <T>(key: string) => redis.attempt(() => store.get<T>(key)).catch(() => undefined),
      set: (key: string, value: unknown, ttl?: number) =>
        redis.attempt(() => store.set(key, value, ttl)).catch(() => undefined),
    }),
  );
}
