/** The client of Redis and its store, in a module of their own that is loaded where a Redis is configured. */
export { createClient } from '@redis/client';
export { redisInsStore } from 'cache-manager-redis-yet';
