import { CacheModule as NestCacheModule } from '@nestjs/cache-manager';
import { Global, Module } from '@nestjs/common';
import { KeyvAdapter } from 'cache-manager';
import { Keyv } from 'keyv';
import { LRUCache } from 'lru-cache';
import { Config } from '../config/config.js';
import { CacheService, KEY_PREFIX } from './cache.service.js';
import { RedisConnection } from './redis-connection.js';

/** Limits of the cache in memory: values and bytes. */
const MEMORY_ENTRIES = 10_000;
const MEMORY_BYTES = 33_554_432;

/** Approximate bytes of a value besides its JSON. */
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
  // The Redis store serializes by itself; memory stores objects.
  keyv.serialize = undefined;
  keyv.deserialize = undefined;
  return keyv;
}

/** Keyv passes a TTL to `set` as a number, for which lru-cache throws. Keyv itself stores when a value expires. */
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

/** A cache in Redis: a failure is a miss. */
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
