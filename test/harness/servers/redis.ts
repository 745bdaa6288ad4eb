import { describe } from '@jest/globals';

/** The Redis that test-servers.ts has started, or that TEST_REDIS_URL names; undefined where there is none. */
export const redisUrl = process.env['TEST_REDIS_URL'];

/** Left out where there is no Redis; the reporter says so at the end. */
export const describeWithRedis = redisUrl === undefined ? describe.skip : describe;
