import { describe, expect, it } from '@jest/globals';
import { configErrorOf, faultsOf, HARD_PASSWORD, MINIMAL } from '../../test/harness/config.js';
import { loadConfig, type Environment } from './config.js';

describe('Redis', () => {
  const none = { username: undefined, password: undefined, database: 0, tls: false };

  it.each<[string, Environment, object]>([
    ['REDIS_HOST', { REDIS_HOST: 'redis' }, { ...none, host: 'redis', port: 6379 }],
    [
      'REDIS_HOST, REDIS_PORT and REDIS_PASSWORD',
      { REDIS_HOST: 'redis', REDIS_PORT: '6380', REDIS_PASSWORD: HARD_PASSWORD },
      { ...none, host: 'redis', port: 6380, password: HARD_PASSWORD },
    ],
    ['REDIS_URL', { REDIS_URL: 'redis://redis' }, { ...none, host: 'redis', port: 6379 }],
    [
      'REDIS_URL, TLS, user, password and database',
      { REDIS_URL: `rediss://ada:${encodeURIComponent(HARD_PASSWORD)}@redis:6380/3` },
      { host: 'redis', port: 6380, username: 'ada', password: HARD_PASSWORD, database: 3, tls: true },
    ],
    [
      'URL and parts that agree',
      { REDIS_URL: 'redis://:pw@redis', REDIS_HOST: 'redis', REDIS_PORT: '6379', REDIS_PASSWORD: 'pw' },
      { ...none, host: 'redis', port: 6379, password: 'pw' },
    ],
  ])('is set by %s', (_form, env, redis) => {
    expect(loadConfig({ ...MINIMAL, ...env }).redis).toEqual(redis);
  });

  it.each([
    ['REDIS_HOST', 'other'],
    ['REDIS_PORT', '6380'],
    ['REDIS_PASSWORD', 'other'],
  ])('is refused if URL and parts differ in %s', (name, value) => {
    expect(faultsOf({ ...MINIMAL, REDIS_URL: 'redis://:pw@redis', [name]: value })).toEqual({
      [name]: 'differs from REDIS_URL: set one of them',
    });
  });

  it.each([
    ['REDIS_PORT', '6379'],
    ['REDIS_PASSWORD', 'pw'],
  ])('is refused with %s and no host', (name, value) => {
    expect(faultsOf({ ...MINIMAL, [name]: value })).toEqual({ [name]: 'is set, but REDIS_HOST is not' });
  });

  it('has one fault for one port', () => {
    expect(faultsOf({ ...MINIMAL, REDIS_URL: 'redis://redis', REDIS_PORT: '0' })).toEqual({
      REDIS_PORT: 'must be a whole number from 1 to 65535',
    });
    expect(
      configErrorOf(() => loadConfig({ ...MINIMAL, REDIS_URL: 'redis://redis', REDIS_PORT: '0' })).faults,
    ).toHaveLength(1);
  });
});
