import { describe, expect, it } from '@jest/globals';
import { configErrorOf, faultsOf, MINIMAL, SECRET } from '../../test/harness/config.js';
import { EXAMPLE_SECRET } from './config.schema.js';
import { loadConfig, type Environment } from './config.js';

describe('the fault list', () => {
  const invalid: Environment = {
    NODE_ENV: 'staging',
    PORT: '80a80',
    DB_HOST: 'localhost',
    DB_PORT: '0',
    DB_SSL: 'true',
    DB_POOL_SIZE: '0',
    DB_STATEMENT_TIMEOUT_MS: '-1',
    MIGRATIONS_RUN: 'maybe',
    MIGRATIONS_DATABASE_URL: 'localhost',
    MIGRATIONS_LOCK_TIMEOUT_MS: '1.5',
    REDIS_URL: 'http://localhost:6379',
    JWT_SECRET: 'too short',
    JWT_SECRET_PREVIOUS: 'too short as well',
    JWT_ACCESS_TTL: '15',
    JWT_REFRESH_TTL: '0d',
    RATE_LIMIT_ENABLED: '2',
    RATE_LIMIT_ANONYMOUS_PER_MINUTE: '0',
    RATE_LIMIT_USER_PER_MINUTE: '1e3',
    RATE_LIMIT_LOGIN_PER_MINUTE: '9999999',
    TRUST_PROXY: '1',
    CORS_ORIGINS: '*',
    BODY_LIMIT_BYTES: '1MiB',
    SHUTDOWN_TIMEOUT_MS: '0',
    LOG_LEVEL: 'verbose',
    LOG_FORMAT: 'xml',
    METRICS_ENABLED: 'y e s',
    DOCS_ENABLED: '-',
  };

  it('names every invalid variable once', () => {
    const { faults } = configErrorOf(() => loadConfig(invalid));
    const names = faults.map(({ name }) => name);
    expect(names.sort()).toEqual(
      Object.keys(invalid)
        .filter((name) => name !== 'DB_HOST')
        .sort(),
    );
  });

  it('gives the reason, the description and an example of each', () => {
    const { message } = configErrorOf(() => loadConfig({ ...MINIMAL, PORT: '65536', JWT_SECRET: undefined }));
    expect(message).toBe(
      [
        'The configuration has 2 faults:',
        '  PORT must be a whole number from 0 to 65535',
        '      TCP port. 0 picks a free one. Example: PORT=8080',
        '  JWT_SECRET is missing',
        '      Signs access tokens, 32 bytes or more. `openssl rand -base64 48` generates one. ' +
          `Example: JWT_SECRET=${EXAMPLE_SECRET}`,
      ].join('\n'),
    );
  });

  it('has no plural for a single fault', () => {
    expect(configErrorOf(() => loadConfig({ ...MINIMAL, PORT: '-1' })).message).toMatch(
      /^The configuration has a fault:\n/,
    );
  });

  it('names the two required settings when nothing is set', () => {
    expect(faultsOf({})).toEqual({
      JWT_SECRET: 'is missing',
      DATABASE_URL: 'is missing, and so is DB_HOST: set one of them',
    });
  });

  it('lists a missing database next to an invalid setting of it', () => {
    expect(faultsOf({ JWT_SECRET: SECRET, DB_POOL_SIZE: '0' })).toEqual({
      DATABASE_URL: 'is missing, and so is DB_HOST: set one of them',
      DB_POOL_SIZE: 'must be a whole number from 1 to 1000',
    });
  });

  it('lists an invalid DATABASE_URL next to an invalid setting of it', () => {
    expect(faultsOf({ ...MINIMAL, DATABASE_URL: 'mysql://localhost/entries', DB_POOL_SIZE: '0' })).toEqual({
      DATABASE_URL: 'must be postgres://user:password@host:port/database',
      DB_POOL_SIZE: 'must be a whole number from 1 to 1000',
    });
  });

  it('lists a weak secret next to the fault of another variable', () => {
    const faults = faultsOf({
      ...MINIMAL,
      NODE_ENV: 'production',
      JWT_SECRET: EXAMPLE_SECRET,
      LOG_LEVEL: 'loud',
      METRICS_ENABLED: 'maybe',
    });
    expect(Object.keys(faults).sort()).toEqual(['JWT_SECRET', 'LOG_LEVEL', 'METRICS_ENABLED']);
  });

  it.each<[string, Environment]>([
    ['DATABASE_URL', { DATABASE_URL: 'postgres://entries:hunter22@' }],
    ['DATABASE_URL by its port', { DATABASE_URL: 'postgres://entries:hunter22@localhost:70000/entries' }],
    ['DATABASE_URL by its sslmode', { DATABASE_URL: 'postgres://u:hunter22@localhost/entries?sslmode=no' }],
    ['REDIS_URL', { REDIS_URL: 'redis://:hunter22@localhost:6379/first' }],
    ['DB_PASSWORD', { DB_PASSWORD: 'hunter22' }],
    ['REDIS_PASSWORD', { REDIS_PASSWORD: 'hunter22' }],
    ['JWT_SECRET', { JWT_SECRET: 'hunter22' }],
  ])('does not show the value of %s', (_name, env) => {
    const { message } = configErrorOf(() => loadConfig({ ...MINIMAL, ...env }));
    expect(message).not.toContain('hunter22');
  });
});
