import { afterEach, describe, expect, it } from '@jest/globals';
import { faultsOf, IN_PARTS, MINIMAL, SECRET } from '../../test/harness/config.js';
import { environmentSchema } from './config.schema.js';
import { loadCommandConfig, loadConfig } from './config.js';

describe('loadConfig', () => {
  it('needs a database and a JWT secret, and has a default for everything else', () => {
    const database = {
      host: 'localhost',
      port: 5432,
      user: 'entries',
      password: 'pw',
      name: 'entries',
      ssl: 'off',
      poolSize: 10,
      statementTimeoutMs: 10_000,
    };
    expect(loadConfig({ ...MINIMAL, LOG_FORMAT: 'json' })).toEqual({
      NODE_ENV: 'development',
      PORT: 8080,
      HOST: '0.0.0.0',
      TRUST_PROXY: false,
      CORS_ORIGINS: [],
      BODY_LIMIT_BYTES: 1_048_576,
      SHUTDOWN_TIMEOUT_MS: 10_000,
      SHUTDOWN_DRAIN_MS: 0,
      OVERLOAD_SHEDDING: true,
      database,
      MIGRATIONS_RUN: true,
      migrationsDatabase: { ...database, direct: false },
      MIGRATIONS_LOCK_TIMEOUT_MS: 120_000,
      MIGRATIONS_BACKUP: false,
      BACKUP_FOLDER: 'backups',
      redis: undefined,
      JWT_SECRET: SECRET,
      JWT_ACCESS_TTL: 900,
      JWT_REFRESH_TTL: 2_592_000,
      ARGON2_MEMORY_KIB: 19_456,
      ARGON2_TIME_COST: 2,
      ARGON2_PARALLELISM: 1,
      ARGON2_CONCURRENCY: expect.any(Number),
      UV_THREADPOOL_SIZE: 4,
      PUBLIC_URL: 'http://localhost:8080',
      REQUIRE_VERIFIED_EMAIL: false,
      REQUIRE_SECOND_FACTOR: false,
      RATE_LIMIT_ENABLED: true,
      RATE_LIMIT_ANONYMOUS_PER_MINUTE: 100,
      RATE_LIMIT_USER_PER_MINUTE: 1000,
      RATE_LIMIT_LOGIN_PER_MINUTE: 10,
      LOG_LEVEL: 'info',
      LOG_FORMAT: 'json',
      METRICS_ENABLED: true,
      DOCS_ENABLED: true,
    });
  });

  it('reads every value from the environment', () => {
    const database = {
      host: 'localhost',
      port: 5432,
      user: 'entries',
      password: 'pw',
      name: 'entries',
      ssl: 'verify-full',
      poolSize: 3,
      statementTimeoutMs: 2000,
    };
    const config = loadConfig({
      ...IN_PARTS,
      NODE_ENV: 'production',
      PORT: '0',
      HOST: '127.0.0.1',
      DB_SSL: 'verify-full',
      DB_POOL_SIZE: '3',
      DB_STATEMENT_TIMEOUT_MS: '2000',
      MIGRATIONS_RUN: 'false',
      MIGRATIONS_DATABASE_URL: 'postgres://entries:dpw@direct/entries',
      MIGRATIONS_LOCK_TIMEOUT_MS: '4000',
      MIGRATIONS_BACKUP: 'yes',
      BACKUP_FOLDER: '/backups',
      REDIS_HOST: 'redis',
      REDIS_PORT: '6380',
      REDIS_PASSWORD: 'rpw',
      JWT_SECRET_PREVIOUS: SECRET.toLowerCase(),
      JWT_ACCESS_TTL: '5m',
      JWT_REFRESH_TTL: '12h',
      ARGON2_MEMORY_KIB: '65536',
      ARGON2_TIME_COST: '4',
      ARGON2_PARALLELISM: '2',
      ARGON2_CONCURRENCY: '5',
      UV_THREADPOOL_SIZE: '6',
      SMTP_URL: 'smtps://ada:p%40ss@mail.example',
      MAIL_FROM: 'Entries <entries@example.org>',
      PUBLIC_URL: 'https://entries.example/app/',
      REQUIRE_VERIFIED_EMAIL: 'yes',
      REQUIRE_SECOND_FACTOR: 'on',
      RATE_LIMIT_ENABLED: 'off',
      RATE_LIMIT_ANONYMOUS_PER_MINUTE: '1',
      RATE_LIMIT_USER_PER_MINUTE: '2',
      RATE_LIMIT_LOGIN_PER_MINUTE: '3',
      TRUST_PROXY: 'on',
      CORS_ORIGINS: 'https://a.example, http://localhost:3000',
      BODY_LIMIT_BYTES: '2048',
      SHUTDOWN_TIMEOUT_MS: '500',
      SHUTDOWN_DRAIN_MS: '400',
      LOG_LEVEL: 'warn',
      LOG_FORMAT: 'pretty',
      OVERLOAD_SHEDDING: 'off',
      METRICS_ENABLED: '0',
      DOCS_ENABLED: 'no',
    });
    expect(config).toEqual({
      NODE_ENV: 'production',
      PORT: 0,
      HOST: '127.0.0.1',
      TRUST_PROXY: true,
      CORS_ORIGINS: ['https://a.example', 'http://localhost:3000'],
      BODY_LIMIT_BYTES: 2048,
      SHUTDOWN_TIMEOUT_MS: 500,
      SHUTDOWN_DRAIN_MS: 400,
      OVERLOAD_SHEDDING: false,
      database,
      MIGRATIONS_RUN: false,
      migrationsDatabase: { ...database, host: 'direct', password: 'dpw', direct: true },
      MIGRATIONS_LOCK_TIMEOUT_MS: 4000,
      MIGRATIONS_BACKUP: true,
      BACKUP_FOLDER: '/backups',
      redis: { host: 'redis', port: 6380, username: undefined, password: 'rpw', database: 0, tls: false },
      JWT_SECRET: SECRET,
      JWT_SECRET_PREVIOUS: SECRET.toLowerCase(),
      JWT_ACCESS_TTL: 300,
      JWT_REFRESH_TTL: 43_200,
      ARGON2_MEMORY_KIB: 65_536,
      ARGON2_TIME_COST: 4,
      ARGON2_PARALLELISM: 2,
      ARGON2_CONCURRENCY: 5,
      UV_THREADPOOL_SIZE: 6,
      smtp: { host: 'mail.example', port: 465, secure: true, user: 'ada', password: 'p@ss' },
      MAIL_FROM: 'Entries <entries@example.org>',
      PUBLIC_URL: 'https://entries.example/app',
      REQUIRE_VERIFIED_EMAIL: true,
      REQUIRE_SECOND_FACTOR: true,
      RATE_LIMIT_ENABLED: false,
      RATE_LIMIT_ANONYMOUS_PER_MINUTE: 1,
      RATE_LIMIT_USER_PER_MINUTE: 2,
      RATE_LIMIT_LOGIN_PER_MINUTE: 3,
      LOG_LEVEL: 'warn',
      LOG_FORMAT: 'pretty',
      METRICS_ENABLED: false,
      DOCS_ENABLED: false,
    });
  });

  it('counts an empty value as not set', () => {
    const empty = Object.fromEntries(Object.keys(environmentSchema.shape).map((name) => [name, '']));
    expect(loadConfig({ ...empty, ...MINIMAL })).toEqual(loadConfig(MINIMAL));
  });

  it('is frozen, and so is every object in it', () => {
    const objectsIn = (value: unknown): object[] =>
      typeof value === 'object' && value !== null ? [value, ...Object.values(value).flatMap(objectsIn)] : [];
    const config = loadConfig({ ...MINIMAL, CORS_ORIGINS: 'https://a.example', REDIS_HOST: 'redis' });
    const objects = objectsIn(config);
    expect(objects).toContain(config.CORS_ORIGINS);
    expect(objects).toContain(config.migrationsDatabase);
    expect(objects.filter((object) => !Object.isFrozen(object))).toEqual([]);
    expect(objectsIn(loadCommandConfig(MINIMAL)).filter((object) => !Object.isFrozen(object))).toEqual([]);
  });
});

describe('a duration', () => {
  it.each([
    ['1s', 1],
    ['90s', 90],
    ['15m', 900],
    ['2h', 7200],
    ['30d', 2_592_000],
  ])('%s is %d seconds', (JWT_ACCESS_TTL, seconds) => {
    expect(loadConfig({ ...MINIMAL, JWT_ACCESS_TTL }).JWT_ACCESS_TTL).toBe(seconds);
  });

  it.each(['0s', '15', 'm', '1.5h', '-1d', '1w', '15 m', '15M', '12345678s'])('refuses %s', (text) => {
    expect(faultsOf({ ...MINIMAL, JWT_REFRESH_TTL: text })).toEqual({
      JWT_REFRESH_TTL: 'must be a number and a unit: s, m, h or d',
    });
  });
});

describe('a boolean', () => {
  it.each([
    ['true', true],
    ['TRUE', true],
    ['1', true],
    ['yes', true],
    ['on', true],
    ['false', false],
    ['False', false],
    ['0', false],
    ['no', false],
    ['off', false],
  ])('%s is %s', (MIGRATIONS_RUN, run) => {
    expect(loadConfig({ ...MINIMAL, MIGRATIONS_RUN }).MIGRATIONS_RUN).toBe(run);
  });
});

describe('CORS_ORIGINS', () => {
  it.each([
    '*',
    'null',
    'app.example.org',
    'https://app.example.org/',
    'https://a.example,https://b.example/x',
  ])('refuses %s, because no browser sends it as an origin', (CORS_ORIGINS) => {
    expect(Object.keys(faultsOf({ ...MINIMAL, CORS_ORIGINS }))).toEqual(['CORS_ORIGINS']);
  });
});

describe('TRUST_PROXY', () => {
  it.each([
    ['off', false],
    ['false', false],
    ['on', true],
    ['TRUE', true],
    ['10.0.0.1', '10.0.0.1'],
    ['10.0.0.0/8, FD00::/8', '10.0.0.0/8, fd00::/8'],
  ])('accepts %s', (TRUST_PROXY, trustProxy) => {
    expect(loadConfig({ ...MINIMAL, TRUST_PROXY }).TRUST_PROXY).toBe(trustProxy);
  });

  it.each([
    '1',
    '10.0.0',
    '10.0.0.256',
    '10.0.0.0/33',
    '10.0.0.0/0',
    'fd00::/129',
    '10.0.0.1,',
    'a.b',
    '1.2.3.4/8/8',
  ])('refuses %s, which Fastify would refuse with a stack', (TRUST_PROXY) => {
    expect(faultsOf({ ...MINIMAL, TRUST_PROXY })).toEqual({
      TRUST_PROXY: 'must be off, on, or addresses and networks',
    });
  });
});

describe('LOG_FORMAT', () => {
  const { stdout } = process;
  const isTTY = Object.getOwnPropertyDescriptor(stdout, 'isTTY');
  afterEach(() => {
    if (isTTY) Object.defineProperty(stdout, 'isTTY', isTTY);
    else Reflect.deleteProperty(stdout, 'isTTY');
  });

  it.each([
    ['pretty on a terminal', true, undefined, 'pretty'],
    ['json elsewhere', false, undefined, 'json'],
    ['the one that is set on a terminal', true, 'json', 'json'],
    ['the one that is set elsewhere', false, 'pretty', 'pretty'],
  ])('is %s', (_what, terminal, LOG_FORMAT, format) => {
    Object.defineProperty(stdout, 'isTTY', { value: terminal, configurable: true });
    expect(loadConfig({ ...MINIMAL, LOG_FORMAT }).LOG_FORMAT).toBe(format);
  });
});

describe('SHUTDOWN_DRAIN_MS', () => {
  it('must leave time for the requests that are open', () => {
    expect(faultsOf({ ...MINIMAL, SHUTDOWN_DRAIN_MS: '500', SHUTDOWN_TIMEOUT_MS: '500' })).toEqual({
      SHUTDOWN_DRAIN_MS: 'must be less than SHUTDOWN_TIMEOUT_MS, which is 500',
    });
  });
});
