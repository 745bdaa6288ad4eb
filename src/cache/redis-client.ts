/** Loaded only if Redis is configured. */
export { createClient } from '@redis/client';
export { redisInsStore } from 'cache-manager-redis-yet';
