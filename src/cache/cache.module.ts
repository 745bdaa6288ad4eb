import { CacheModule as NestCacheModule } from '@nestjs/cache-manager';
import { Global, Module } from '@nestjs/common';
import { KeyvAdapter } from 'cache-manager';
import { Keyv } from 'keyv';
import { LRUCache } from 'lru-cache';
import { Config } from '../config/config.js';
import { bytesOf, KEY_PREFIX, ReadThroughCache } from './read-through-cache.js';
import { RedisConnection } from './redis-connection.js';
import { UnconfirmedScopes } from './unconfirmed-scopes.js';

/** Without Redis, how many values this process keeps, and of how many bytes: of the largest, some 500. */
const MEMORY_ENTRIES = 10_000;
const MEMORY_BYTES = 33_554_432;

/** What a value takes beside its strings, about. */
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
      useFactory: async (redis: RedisConnection) => ({ stores: [await createStore(redis)] }),
    }),
  ],
  providers: [ReadThroughCache, UnconfirmedScopes],
  exports: [ReadThroughCache, RedisModule],
})
export class CacheModule {}

async function createStore({ client }: RedisConnection): Promise<Keyv> {
  const store = client ? await redisStore(client) : boundedMemory();
  const keyv = new Keyv({ store, namespace: KEY_PREFIX, throwOnErrors: true, emitErrors: false });
  // The Redis store makes JSON of what it is given, and memory takes objects as they are.
  keyv.serialize = undefined;
  keyv.deserialize = undefined;
  return keyv;
}

/** Loaded where it is used, for it loads the client of Redis. */
async function redisStore(client: NonNullable<RedisConnection['client']>) {
  const module: unknown = await import('cache-manager-redis-yet');
  const { redisInsStore } = (module as { default: typeof import('cache-manager-redis-yet') }).default;
  return new KeyvAdapter(redisInsStore(client as Parameters<typeof redisInsStore>[0]));
}

/**
 * Keyv passes the time to live to `set` as a number; lru-cache wants an object there, and throws. It is left out:
 * Keyv itself keeps when a value expires.
 */
function boundedMemory() {
  const values = new LRUCache<string, object>({
    max: MEMORY_ENTRIES,
    maxSize: MEMORY_BYTES,
    sizeCalculation: (value) => bytesOf(value) + OVERHEAD_BYTES,
  });
  return {
    get: (key: string) => values.get(key),
    set: (key: string, value: object) => values.set(key, value),
    delete: (key: string) => values.delete(key),
    clear: () => values.clear(),
  };
}
