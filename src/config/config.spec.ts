import { mkdtempSync, readFileSync, rmSync, writeFileSync, mkdirSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import {
  ConfigError,
  loadCommandConfig,
  loadConfig,
  loadMigrationsConfig,
  processEnvironment,
  type Environment,
} from './config.js';
import { environmentNames, environmentSchema } from './config.schema.js';

const SECRET = 'kP3vX9qLz7Rw2Tb8Ny5Hc1Jd4Fg6Ms0A';
const HARD_PASSWORD = 'p@ss:w/rd?#%';
const KNOWN_SECRET = 'an-example-secret-of-32-bytes-or-more';

/** The least that starts the service. */
const LEAST: Environment = {
  DATABASE_URL: 'postgres://entries:pw@localhost:5432/entries',
  JWT_SECRET: SECRET,
};

/** The parts of a database, without the URL. */
const PARTS: Environment = {
  JWT_SECRET: SECRET,
  DB_HOST: 'localhost',
  DB_PORT: '5432',
  DB_USER: 'entries',
  DB_PASSWORD: 'pw',
  DB_NAME: 'entries',
};

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'entries-config-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function errorOf(load: () => unknown): ConfigError {
  try {
    load();
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  throw new Error('the configuration was accepted');
}

function faultsOf(env: Environment): Record<string, string> {
  const { faults } = errorOf(() => loadConfig(env));
  return Object.fromEntries(faults.map(({ name, reason }) => [name, reason]));
}

function file(name: string, content: string): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

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
    expect(loadConfig({ ...LEAST, LOG_FORMAT: 'json' })).toEqual({
      production: false,
      http: {
        host: '0.0.0.0',
        port: 8080,
        bodyLimitBytes: 1_048_576,
        corsOrigins: [],
        trustProxy: false,
        shutdownTimeoutMs: 10_000,
        shutdownDrainMs: 0,
      },
      database,
      migrations: {
        run: true,
        lockTimeoutMs: 120_000,
        database,
        direct: false,
        backup: { run: false, folder: 'backups' },
      },
      redis: undefined,
      jwt: { secret: SECRET, previousSecret: undefined, accessTtlSeconds: 900, refreshTtlSeconds: 2_592_000 },
      passwords: { memoryKib: 19_456, timeCost: 2, parallelism: 1, concurrency: expect.any(Number) },
      rateLimit: { enabled: true, anonymousPerMinute: 100, userPerMinute: 1000, loginPerMinute: 10 },
      overload: { shedding: true },
      log: { level: 'info', format: 'json' },
      metrics: { enabled: true },
      docs: { enabled: true },
    });
  });

  it('takes every value from the environment', () => {
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
      ...PARTS,
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
      production: true,
      http: {
        host: '127.0.0.1',
        port: 0,
        bodyLimitBytes: 2048,
        corsOrigins: ['https://a.example', 'http://localhost:3000'],
        trustProxy: true,
        shutdownTimeoutMs: 500,
        shutdownDrainMs: 400,
      },
      database,
      migrations: {
        run: false,
        lockTimeoutMs: 4000,
        database: { ...database, host: 'direct', password: 'dpw' },
        direct: true,
        backup: { run: true, folder: '/backups' },
      },
      redis: { host: 'redis', port: 6380, username: undefined, password: 'rpw', database: 0, tls: false },
      jwt: {
        secret: SECRET,
        previousSecret: SECRET.toLowerCase(),
        accessTtlSeconds: 300,
        refreshTtlSeconds: 43_200,
      },
      passwords: { memoryKib: 65_536, timeCost: 4, parallelism: 2, concurrency: 5 },
      rateLimit: { enabled: false, anonymousPerMinute: 1, userPerMinute: 2, loginPerMinute: 3 },
      overload: { shedding: false },
      log: { level: 'warn', format: 'pretty' },
      metrics: { enabled: false },
      docs: { enabled: false },
    });
  });

  it('takes an empty value as none', () => {
    const empty = Object.fromEntries(environmentNames.map((name) => [name, '']));
    expect(loadConfig({ ...empty, ...LEAST })).toEqual(loadConfig(LEAST));
  });

  it('is frozen to the bottom', () => {
    const objectsIn = (value: unknown): object[] =>
      typeof value === 'object' && value !== null ? [value, ...Object.values(value).flatMap(objectsIn)] : [];
    const config = loadConfig({ ...LEAST, CORS_ORIGINS: 'https://a.example', REDIS_HOST: 'redis' });
    const objects = objectsIn(config);
    expect(objects).toContain(config.http.corsOrigins);
    expect(objects).toContain(config.migrations.database);
    expect(objects.filter((object) => !Object.isFrozen(object))).toEqual([]);
    expect(objectsIn(loadMigrationsConfig(LEAST)).filter((object) => !Object.isFrozen(object))).toEqual([]);
  });
});

describe('the fault list', () => {
  const broken: Environment = {
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

  it('names every variable at fault, once each', () => {
    const { faults } = errorOf(() => loadConfig(broken));
    const names = faults.map(({ name }) => name);
    expect(names.sort()).toEqual(
      Object.keys(broken)
        .filter((name) => name !== 'DB_HOST')
        .sort(),
    );
  });

  it('says of each what is wrong, what it is for, and gives an example', () => {
    const { message } = errorOf(() => loadConfig({ ...LEAST, PORT: '65536', JWT_SECRET: undefined }));
    expect(message).toBe(
      [
        'The configuration has 2 faults:',
        '  PORT must be a whole number from 0 to 65535',
        '      TCP port; 0 takes a free one; for example PORT=8080',
        '  JWT_SECRET is missing',
        '      signs access tokens, 32 bytes or more; openssl rand -base64 48 makes one; for example ' +
          `JWT_SECRET=${KNOWN_SECRET}`,
      ].join('\n'),
    );
  });

  it('counts a single fault as one', () => {
    expect(errorOf(() => loadConfig({ ...LEAST, PORT: '-1' })).message).toMatch(
      /^The configuration has a fault:\n/,
    );
  });

  it('lists both of the things that are needed when nothing is set', () => {
    expect(faultsOf({})).toEqual({
      JWT_SECRET: 'is missing',
      DATABASE_URL: 'is missing, and so is DB_HOST: give one of the two',
    });
  });

  it('lists a missing database beside a broken setting of it', () => {
    expect(faultsOf({ JWT_SECRET: SECRET, DB_POOL_SIZE: '0' })).toEqual({
      DATABASE_URL: 'is missing, and so is DB_HOST: give one of the two',
      DB_POOL_SIZE: 'must be a whole number from 1 to 1000',
    });
  });

  it('lists a broken DATABASE_URL beside a broken setting of it', () => {
    expect(faultsOf({ ...LEAST, DATABASE_URL: 'mysql://localhost/entries', DB_POOL_SIZE: '0' })).toEqual({
      DATABASE_URL: 'must begin with postgres://',
      DB_POOL_SIZE: 'must be a whole number from 1 to 1000',
    });
  });

  it('lists a weak secret beside the fault of another variable', () => {
    const faults = faultsOf({
      ...LEAST,
      NODE_ENV: 'production',
      JWT_SECRET: KNOWN_SECRET,
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
  ])('never shows the value of %s', (_name, env) => {
    const { message } = errorOf(() => loadConfig({ ...LEAST, ...env }));
    expect(message).not.toContain('hunter22');
  });
});

describe('NAME_FILE', () => {
  it.each<[string, Environment, string, (config: ReturnType<typeof loadConfig>) => unknown]>([
    [
      'DATABASE_URL',
      { JWT_SECRET: SECRET },
      'postgres://entries:from-file@localhost/entries',
      ({ database }) => database.password,
    ],
    [
      'MIGRATIONS_DATABASE_URL',
      LEAST,
      'postgres://entries:from-file@localhost/entries',
      ({ migrations }) => migrations.database.password,
    ],
    ['DB_PASSWORD', { ...PARTS, DB_PASSWORD: undefined }, 'from-file', ({ database }) => database.password],
    ['REDIS_URL', LEAST, 'redis://:from-file@redis', ({ redis }) => redis?.password],
    ['REDIS_PASSWORD', { ...LEAST, REDIS_HOST: 'redis' }, 'from-file', ({ redis }) => redis?.password],
    [
      'JWT_SECRET',
      { ...LEAST, JWT_SECRET: undefined },
      `${SECRET}from-file`,
      ({ jwt }) => jwt.secret.slice(32),
    ],
    ['JWT_SECRET_PREVIOUS', LEAST, `${SECRET}from-file`, ({ jwt }) => jwt.previousSecret?.slice(32)],
  ])('gives %s', (name, env, content, read) => {
    const config = loadConfig({ ...env, [`${name}_FILE`]: file(name, content) });
    expect(read(config)).toBe('from-file');
  });

  it.each([
    ['one line end', 'secret of a file\n', 'secret of a file'],
    ['one line end of Windows', 'secret of a file\r\n', 'secret of a file'],
    ['no more than that', ' secret of a file \n\n', ' secret of a file \n'],
  ])('is read without its last line end: %s', (_what, content, password) => {
    const path = file('line-end', content);
    expect(loadConfig({ ...PARTS, DB_PASSWORD: undefined, DB_PASSWORD_FILE: path }).database.password).toBe(
      password,
    );
  });

  it('counts as not set when it is empty', () => {
    expect(loadConfig({ ...LEAST, JWT_SECRET_FILE: '' })).toEqual(loadConfig(LEAST));
  });

  it('that cannot be read is the one fault: the variable is not called missing too', () => {
    const JWT_SECRET_FILE = join(folder, 'not-there');
    expect(faultsOf({ ...LEAST, JWT_SECRET: undefined, JWT_SECRET_FILE })).toEqual({
      JWT_SECRET_FILE: 'cannot be read (ENOENT)',
    });
  });

  it('that cannot be read is the one fault of a database as well', () => {
    const DATABASE_URL_FILE = join(folder, 'not-there');
    expect(faultsOf({ ...LEAST, DATABASE_URL: undefined, DATABASE_URL_FILE })).toEqual({
      DATABASE_URL_FILE: 'cannot be read (ENOENT)',
    });
    expect(errorOf(() => loadMigrationsConfig({ DATABASE_URL_FILE })).faults).toEqual([
      { name: 'DATABASE_URL_FILE', reason: 'cannot be read (ENOENT)' },
    ]);
  });

  it('that cannot be read is the one fault of a Redis as well', () => {
    const REDIS_URL_FILE = join(folder, 'not-there');
    expect(faultsOf({ ...LEAST, REDIS_URL_FILE, REDIS_PASSWORD: 'pw' })).toEqual({
      REDIS_URL_FILE: 'cannot be read (ENOENT)',
    });
  });

  it('that names a folder is a fault', () => {
    expect(faultsOf({ ...LEAST, REDIS_URL_FILE: folder })).toEqual({
      REDIS_URL_FILE: 'cannot be read (EISDIR)',
    });
  });

  it('that names an empty file is a fault, not an empty secret', () => {
    const JWT_SECRET_FILE = file('empty', '\n');
    expect(faultsOf({ ...LEAST, JWT_SECRET: undefined, JWT_SECRET_FILE })).toEqual({
      JWT_SECRET_FILE: 'names an empty file',
    });
  });

  it('is refused beside the variable itself, and what is wrong with that is told too', () => {
    expect(faultsOf({ ...LEAST, JWT_SECRET: 'short', JWT_SECRET_FILE: file('both', SECRET) })).toEqual({
      JWT_SECRET_FILE: 'is set, and so is JWT_SECRET: give one of the two',
      JWT_SECRET: 'must have 32 bytes or more',
    });
  });

  it('has its own example in the fault list', () => {
    const { message } = errorOf(() =>
      loadConfig({ ...LEAST, REDIS_PASSWORD_FILE: join(folder, 'not-there') }),
    );
    expect(message).toContain('for example REDIS_PASSWORD_FILE=/run/secrets/redis_password');
  });

  it('is for secrets alone', () => {
    expect(loadConfig({ ...LEAST, PORT_FILE: file('port', '9090') }).http.port).toBe(8080);
  });

  it('holds its content to the same rules as the variable', () => {
    const JWT_SECRET_FILE = file('short', 'short');
    expect(faultsOf({ ...LEAST, JWT_SECRET: undefined, JWT_SECRET_FILE })).toEqual({
      JWT_SECRET: 'must have 32 bytes or more',
    });
  });
});

describe('the database', () => {
  const host = 'localhost:5432/entries';

  it.each<[string, Environment]>([
    ['DB_PASSWORD', { ...PARTS, DB_PASSWORD: HARD_PASSWORD }],
    ['DATABASE_URL as it is', { ...LEAST, DATABASE_URL: `postgres://entries:${HARD_PASSWORD}@${host}` }],
    [
      'DATABASE_URL percent-encoded',
      { ...LEAST, DATABASE_URL: `postgres://entries:${encodeURIComponent(HARD_PASSWORD)}@${host}` },
    ],
    [
      'both forms',
      { ...PARTS, DATABASE_URL: `postgres://entries:${HARD_PASSWORD}@${host}`, DB_PASSWORD: HARD_PASSWORD },
    ],
  ])(`takes the password ${HARD_PASSWORD} in %s`, (_form, env) => {
    expect(loadConfig(env).database).toMatchObject({
      host: 'localhost',
      port: 5432,
      user: 'entries',
      password: HARD_PASSWORD,
      name: 'entries',
    });
  });

  it('fills up what the parts leave out as libpq does', () => {
    const { database } = loadConfig({ JWT_SECRET: SECRET, DB_HOST: 'db', DB_USER: 'ada' });
    expect(database).toMatchObject({ host: 'db', port: 5432, user: 'ada', password: '', name: 'ada' });
    expect(loadConfig({ JWT_SECRET: SECRET, DB_HOST: 'db' }).database).toMatchObject({
      user: 'postgres',
      name: 'postgres',
    });
  });

  it('takes both forms where they say the same', () => {
    expect(loadConfig({ ...PARTS, ...LEAST, DB_SSL: 'off' }).database).toEqual(loadConfig(LEAST).database);
  });

  it.each([
    ['DB_HOST', 'db'],
    ['DB_PORT', '5433'],
    ['DB_USER', 'postgres'],
    ['DB_PASSWORD', 'other'],
    ['DB_NAME', 'postgres'],
  ])('refuses both forms where they differ in %s', (name, value) => {
    expect(faultsOf({ ...PARTS, ...LEAST, [name]: value })).toEqual({
      [name]: 'differs from what DATABASE_URL says: give one of the two',
    });
  });

  it('refuses both forms where they differ in DB_SSL', () => {
    const DATABASE_URL = 'postgres://entries:pw@localhost/entries?sslmode=require';
    expect(faultsOf({ ...LEAST, DATABASE_URL, DB_SSL: 'verify-full' })).toEqual({
      DB_SSL: 'differs from what DATABASE_URL says: give one of the two',
    });
  });

  it('takes DB_SSL for a URL that says nothing of it', () => {
    expect(loadConfig({ ...LEAST, DB_SSL: 'require' }).database.ssl).toBe('require');
  });

  it.each([
    ['disable', 'off'],
    ['allow', 'require'],
    ['prefer', 'require'],
    ['require', 'require'],
    ['verify-ca', 'verify-full'],
    ['verify-full', 'verify-full'],
  ])('is never less safe than sslmode=%s', (sslmode, ssl) => {
    const DATABASE_URL = `postgres://entries:pw@localhost/entries?sslmode=${sslmode}`;
    expect(loadConfig({ ...LEAST, DATABASE_URL }).database.ssl).toBe(ssl);
  });

  it('is the same for the migration commands, which need no JWT secret', () => {
    expect(loadMigrationsConfig({ ...LEAST, JWT_SECRET: undefined, PORT: 'broken' })).toEqual(
      loadConfig(LEAST).migrations,
    );
  });

  it('is the same for the commands, which need no JWT secret and run no migration', () => {
    const env = { ...LEAST, REDIS_URL: 'redis://localhost' };
    const { database, migrations } = loadConfig(env);
    const config = loadCommandConfig({ ...env, JWT_SECRET: undefined, PORT: 'broken' });
    expect(config).toEqual({ database, migrations: { ...migrations, run: false } });
  });

  it('has its faults listed for the migration commands too', () => {
    const { faults } = errorOf(() => loadMigrationsConfig({ ...PARTS, DB_PORT: 'x', DB_POOL_SIZE: '1001' }));
    expect(faults).toEqual([
      { name: 'DB_PORT', reason: 'must be a whole number from 1 to 65535' },
      { name: 'DB_POOL_SIZE', reason: 'must be a whole number from 1 to 1000' },
    ]);
  });
});

describe('migrations', () => {
  it("run on the application's database, where no other way is given", () => {
    const { database, migrations } = loadConfig(LEAST);
    expect(migrations).toMatchObject({ database, direct: false });
  });

  it('run by the direct way, where there is one; what is no part of a URL is as for the application', () => {
    const { database, migrations } = loadConfig({
      ...LEAST,
      DB_SSL: 'require',
      DB_STATEMENT_TIMEOUT_MS: '2000',
      MIGRATIONS_DATABASE_URL: `postgres://owner:${HARD_PASSWORD}@direct:6432/entries`,
    });
    expect(database).toMatchObject({ host: 'localhost', user: 'entries', password: 'pw' });
    expect(migrations).toMatchObject({
      direct: true,
      database: {
        host: 'direct',
        port: 6432,
        user: 'owner',
        password: HARD_PASSWORD,
        name: 'entries',
        ssl: 'require',
        statementTimeoutMs: 2000,
      },
    });
  });

  it('take the sslmode of the direct way, where it says one', () => {
    const MIGRATIONS_DATABASE_URL = 'postgres://direct/entries?sslmode=verify-full';
    expect(loadConfig({ ...LEAST, MIGRATIONS_DATABASE_URL }).migrations.database.ssl).toBe('verify-full');
  });

  it('have the same settings for the migration commands, which need neither a JWT secret nor Redis', () => {
    const env = { ...LEAST, MIGRATIONS_DATABASE_URL: 'postgres://direct/entries', MIGRATIONS_RUN: 'off' };
    expect(loadMigrationsConfig({ ...env, JWT_SECRET: undefined, REDIS_URL: 'broken' })).toEqual(
      loadConfig(env).migrations,
    );
  });

  it('have their faults listed for the migration commands too, with those of the database', () => {
    const { faults } = errorOf(() =>
      loadMigrationsConfig({ MIGRATIONS_RUN: 'maybe', MIGRATIONS_DATABASE_URL: 'direct', DB_PORT: 'x' }),
    );
    expect(faults.map(({ name }) => name).sort()).toEqual([
      'DATABASE_URL',
      'DB_PORT',
      'MIGRATIONS_DATABASE_URL',
      'MIGRATIONS_RUN',
    ]);
  });
});

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
      'both forms where they say the same',
      { REDIS_URL: 'redis://:pw@redis', REDIS_HOST: 'redis', REDIS_PORT: '6379', REDIS_PASSWORD: 'pw' },
      { ...none, host: 'redis', port: 6379, password: 'pw' },
    ],
  ])('is found by %s', (_form, env, redis) => {
    expect(loadConfig({ ...LEAST, ...env }).redis).toEqual(redis);
  });

  it.each([
    ['REDIS_HOST', 'other'],
    ['REDIS_PORT', '6380'],
    ['REDIS_PASSWORD', 'other'],
  ])('is refused where both forms differ in %s', (name, value) => {
    expect(faultsOf({ ...LEAST, REDIS_URL: 'redis://:pw@redis', [name]: value })).toEqual({
      [name]: 'differs from what REDIS_URL says: give one of the two',
    });
  });

  it.each([
    ['REDIS_PORT', '6379'],
    ['REDIS_PASSWORD', 'pw'],
  ])('is refused with %s and no host: it would be left out in silence', (name, value) => {
    expect(faultsOf({ ...LEAST, [name]: value })).toEqual({ [name]: 'is set, but REDIS_HOST is not' });
  });

  it('has one fault told for one port', () => {
    expect(faultsOf({ ...LEAST, REDIS_URL: 'redis://redis', REDIS_PORT: '0' })).toEqual({
      REDIS_PORT: 'must be a whole number from 1 to 65535',
    });
    expect(
      errorOf(() => loadConfig({ ...LEAST, REDIS_URL: 'redis://redis', REDIS_PORT: '0' })).faults,
    ).toHaveLength(1);
  });
});

describe('JWT_SECRET', () => {
  it('has 32 bytes at least, however many characters they are', () => {
    const of32Bytes = 'äöüßéèêåÄÖÜçñøæþ';
    expect([of32Bytes.length, Buffer.byteLength(of32Bytes)]).toEqual([16, 32]);
    expect(loadConfig({ ...LEAST, JWT_SECRET: of32Bytes }).jwt.secret).toBe(of32Bytes);
    expect(faultsOf({ ...LEAST, JWT_SECRET: SECRET.slice(1) })).toEqual({
      JWT_SECRET: 'must have 32 bytes or more',
    });
    expect(faultsOf({ ...LEAST, JWT_SECRET_PREVIOUS: SECRET.slice(1) })).toEqual({
      JWT_SECRET_PREVIOUS: 'must have 32 bytes or more',
    });
  });

  const weak = [KNOWN_SECRET, 'a'.repeat(64), '0123456'.repeat(5)];

  it.each(weak)('is refused in production when it is %s', (secret) => {
    for (const name of ['JWT_SECRET', 'JWT_SECRET_PREVIOUS']) {
      expect(faultsOf({ ...LEAST, NODE_ENV: 'production', [name]: secret })).toEqual({
        [name]: 'is a known or guessable value, refused in production',
      });
    }
  });

  it.each(weak)('is taken in development and test when it is %s', (secret) => {
    for (const NODE_ENV of [undefined, 'development', 'test']) {
      const { jwt } = loadConfig({ ...LEAST, NODE_ENV, JWT_SECRET: secret, JWT_SECRET_PREVIOUS: secret });
      expect(jwt).toMatchObject({ secret, previousSecret: secret });
    }
  });

  it.each(['supersecretkey', 'changeme'])('is refused everywhere when it is %s', (secret) => {
    for (const NODE_ENV of ['development', 'test', 'production']) {
      expect(Object.keys(faultsOf({ ...LEAST, NODE_ENV, JWT_SECRET: secret }))).toEqual(['JWT_SECRET']);
    }
  });

  it('is taken in production when it is random', () => {
    expect(loadConfig({ ...LEAST, NODE_ENV: 'production' })).toMatchObject({
      production: true,
      jwt: { secret: SECRET },
    });
  });
});

describe('ARGON2_MEMORY_KIB and ARGON2_TIME_COST', () => {
  const production = { ...LEAST, JWT_SECRET: SECRET, NODE_ENV: 'production' };

  it.each([
    ['47104', '1'],
    ['19456', '2'],
    ['12288', '3'],
    ['9216', '4'],
    ['7168', '5'],
    ['7168', '50'],
    ['65536', '2'],
  ])('are taken in production as OWASP has them: %s KiB, %s passes', (memory, passes) => {
    const given = { ...production, ARGON2_MEMORY_KIB: memory, ARGON2_TIME_COST: passes };
    expect(loadConfig(given).passwords).toMatchObject({
      memoryKib: Number(memory),
      timeCost: Number(passes),
    });
  });

  it.each([
    ['47103', '1', '47104'],
    ['19455', '2', '19456'],
    ['7167', '5', '7168'],
    ['7167', '50', '7168'],
  ])('are refused in production when they are weaker: %s KiB, %s passes', (memory, passes, floor) => {
    const weak = { ARGON2_MEMORY_KIB: memory, ARGON2_TIME_COST: passes };
    expect(faultsOf({ ...production, ...weak })).toEqual({
      ARGON2_MEMORY_KIB: `must be ${floor} or more in production, with an ARGON2_TIME_COST of ${passes}`,
    });
    expect(() => loadConfig({ ...LEAST, ...weak })).not.toThrow();
  });
});

describe('SHUTDOWN_DRAIN_MS', () => {
  it('is refused where it leaves no time to finish in', () => {
    expect(faultsOf({ ...LEAST, SHUTDOWN_DRAIN_MS: '500', SHUTDOWN_TIMEOUT_MS: '500' })).toEqual({
      SHUTDOWN_DRAIN_MS: 'must be less than SHUTDOWN_TIMEOUT_MS, which is 500',
    });
  });
});

describe('ARGON2_CONCURRENCY', () => {
  it('is by default one less than there are processors, and threads in the pool', () => {
    const at = (UV_THREADPOOL_SIZE: string) =>
      loadConfig({ ...LEAST, UV_THREADPOOL_SIZE }).passwords.concurrency;
    expect(at('2')).toBe(1);
    expect(at('1024')).toBe(Math.max(1, availableParallelism() - 1));
  });

  it('leaves at least one thread of the pool to files and DNS', () => {
    expect(loadConfig({ ...LEAST, ARGON2_CONCURRENCY: '3' }).passwords.concurrency).toBe(3);
    expect(
      loadConfig({ ...LEAST, ARGON2_CONCURRENCY: '8', UV_THREADPOOL_SIZE: '9' }).passwords.concurrency,
    ).toBe(8);
    for (const [ARGON2_CONCURRENCY, UV_THREADPOOL_SIZE] of [
      ['4', undefined],
      ['8', '8'],
    ] as const) {
      expect(faultsOf({ ...LEAST, ARGON2_CONCURRENCY, UV_THREADPOOL_SIZE })).toEqual({
        ARGON2_CONCURRENCY: `must be less than UV_THREADPOOL_SIZE, which is ${UV_THREADPOOL_SIZE ?? 4}`,
      });
    }
  });
});

describe('durations', () => {
  it.each([
    ['1s', 1],
    ['90s', 90],
    ['15m', 900],
    ['2h', 7200],
    ['30d', 2_592_000],
  ])('%s is %d seconds', (JWT_ACCESS_TTL, seconds) => {
    expect(loadConfig({ ...LEAST, JWT_ACCESS_TTL }).jwt.accessTtlSeconds).toBe(seconds);
  });

  it.each(['0s', '15', 'm', '1.5h', '-1d', '1w', '15 m', '15M', '12345678s'])('%s is refused', (text) => {
    expect(faultsOf({ ...LEAST, JWT_REFRESH_TTL: text })).toEqual({
      JWT_REFRESH_TTL: 'must be a number and a unit: s, m, h or d',
    });
  });
});

describe('switches', () => {
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
    expect(loadConfig({ ...LEAST, MIGRATIONS_RUN }).migrations.run).toBe(run);
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
  ])('%s is taken', (TRUST_PROXY, trustProxy) => {
    expect(loadConfig({ ...LEAST, TRUST_PROXY }).http.trustProxy).toBe(trustProxy);
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
  ])('%s is refused here, and not by Fastify with a stack', (TRUST_PROXY) => {
    expect(faultsOf({ ...LEAST, TRUST_PROXY })).toEqual({
      TRUST_PROXY: 'must be off, on, or addresses and networks',
    });
  });
});

describe('CORS_ORIGINS', () => {
  it.each([
    '*',
    'null',
    'app.example.org',
    'https://app.example.org/',
    'https://a.example,https://b.example/x',
  ])('%s is refused: no browser sends it as an origin', (CORS_ORIGINS) => {
    expect(Object.keys(faultsOf({ ...LEAST, CORS_ORIGINS }))).toEqual(['CORS_ORIGINS']);
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
    ['what was asked for on a terminal', true, 'json', 'json'],
    ['what was asked for elsewhere', false, 'pretty', 'pretty'],
  ])('is %s', (_what, terminal, LOG_FORMAT, format) => {
    Object.defineProperty(stdout, 'isTTY', { value: terminal, configurable: true });
    expect(loadConfig({ ...LEAST, LOG_FORMAT }).log.format).toBe(format);
  });
});

describe('.env', () => {
  const before = process.cwd();
  const environment = process.env;
  let inFolder: string;
  beforeAll(() => {
    inFolder = mkdtempSync(join(folder, 'env-'));
    writeFileSync(
      join(inFolder, '.env'),
      `DATABASE_URL='postgres://entries:${HARD_PASSWORD}@localhost/entries'\nJWT_SECRET=${SECRET}\nPORT=9000\n`,
    );
  });
  afterEach(() => {
    process.chdir(before);
    process.env = environment;
  });

  function loadThere(env: Environment) {
    process.env = { ...env };
    return loadConfig(processEnvironment(inFolder));
  }

  it('is read in development', () => {
    expect(loadThere({})).toMatchObject({ http: { port: 9000 }, database: { password: HARD_PASSWORD } });
    expect(loadThere({ NODE_ENV: 'development' }).http.port).toBe(9000);
  });

  it('gives way to the environment', () => {
    expect(loadThere({ PORT: '9001' }).http.port).toBe(9001);
  });

  it.each(['production', 'test'])('is not read in %s', (NODE_ENV) => {
    expect(() => loadThere({ NODE_ENV })).toThrow('DATABASE_URL is missing');
  });

  it('is that beside package.json, wherever the program is started', () => {
    process.chdir(inFolder);
    process.env = { ...LEAST };
    expect(loadConfig().http.port).toBe(8080);
  });

  it('is a fault where it cannot be read', () => {
    const unreadable = join(inFolder, 'unreadable');
    mkdirSync(join(unreadable, '.env'), { recursive: true });
    process.env = { ...LEAST };
    expect(errorOf(() => loadConfig(processEnvironment(unreadable))).message).toBe(
      `The configuration has a fault:\n  ${join(unreadable, '.env')} cannot be read (EISDIR)`,
    );
  });

  it('may be absent', () => {
    rmSync(join(inFolder, '.env'));
    expect(loadThere(LEAST).http.port).toBe(8080);
  });
});

describe('.env.example', () => {
  const text = readFileSync('.env.example', 'utf8');
  const lines = text.split('\n').flatMap((line) => {
    const [, comment, name, value] = /^(# )?([A-Z][A-Z0-9_]*)=(.*)$/.exec(line) ?? [];
    return name === undefined
      ? []
      : [{ commentedOut: comment !== undefined, name, line: `${name}=${value}` }];
  });
  const commentedOut = lines.filter((line) => line.commentedOut);

  it('lists each variable once, and no other', () => {
    expect(lines.map(({ name }) => name).sort()).toEqual([...environmentNames].sort());
  });

  it('copied to .env gives a service in development, all by default', () => {
    const { database, jwt, migrations, ...rest } = loadConfig(parseEnv(text));
    const defaults = loadConfig(LEAST);
    expect(database).toMatchObject({ host: 'localhost', port: 5432, ssl: 'off' });
    expect(jwt).toEqual({ ...defaults.jwt, secret: KNOWN_SECRET });
    expect(migrations).toEqual({ ...defaults.migrations, database });
    expect(rest).toEqual({
      production: false,
      http: defaults.http,
      redis: undefined,
      passwords: defaults.passwords,
      rateLimit: defaults.rateLimit,
      overload: defaults.overload,
      log: defaults.log,
      metrics: defaults.metrics,
      docs: defaults.docs,
    });
  });

  it('is refused in production, for its secret', () => {
    expect(faultsOf({ ...parseEnv(text), NODE_ENV: 'production' })).toEqual({
      JWT_SECRET: 'is a known or guessable value, refused in production',
    });
  });

  it('shows the true default of each variable that has one', () => {
    const shape: Readonly<
      Record<string, { safeParse(value: unknown): { success: boolean; data?: unknown } }>
    > = environmentSchema.shape;
    const withDefault = commentedOut.filter(({ name }) => {
      const parsed = shape[name]!.safeParse(undefined);
      return parsed.success && parsed.data !== undefined;
    });
    expect(withDefault.length).toBeGreaterThan(15);
    for (const { name, line } of withDefault) {
      const shown = parseEnv(line)[name];
      const { data } = shape[name]!.safeParse(shown === '' ? undefined : shown);
      expect([name, data]).toEqual([name, shape[name]!.safeParse(undefined).data]);
    }
  });

  it('shows an example that is taken for each variable that has no default', () => {
    const read = (names: RegExp) =>
      parseEnv(commentedOut.flatMap((l) => (names.test(l.name) ? [l.line] : [])).join('\n'));
    expect(
      loadConfig({
        JWT_SECRET: SECRET,
        ...read(/^(DB_|JWT_|LOG_|ARGON2_)/),
        ...read(/^REDIS_(HOST|PORT|PASSWORD)$/),
      }),
    ).toMatchObject({
      database: { host: 'localhost', port: 5432, password: HARD_PASSWORD },
      redis: { host: 'localhost', port: 6379 },
    });
    expect(loadConfig({ ...LEAST, ...read(/^(REDIS|MIGRATIONS_DATABASE)_URL$/) }).redis).toMatchObject({
      host: 'localhost',
      port: 6379,
    });
  });
});

describe('README.md', () => {
  it('has each variable in its configuration table, once, and no other', () => {
    const rows = readFileSync('README.md', 'utf8')
      .split('\n')
      .filter((line) => /^\| *`[A-Z]/.test(line));
    const names = rows.flatMap((row) => {
      const firstCell = row.split('|')[1] ?? '';
      return [...firstCell.matchAll(/`([A-Z][A-Z0-9_]*)`/g)].map(([, name]) => name!);
    });
    expect(names.sort()).toEqual([...environmentNames].sort());
  });
});
