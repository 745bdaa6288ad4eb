import { describe, expect, it } from '@jest/globals';
import {
  configErrorOf,
  faultsOf,
  HARD_PASSWORD,
  IN_PARTS,
  MINIMAL,
  SECRET,
} from '../../test/harness/config.js';
import { loadCommandConfig, loadConfig, type Environment } from './config.js';

describe('the database', () => {
  const host = 'localhost:5432/entries';

  it.each<[string, Environment]>([
    ['DB_PASSWORD', { ...IN_PARTS, DB_PASSWORD: HARD_PASSWORD }],
    [
      'DATABASE_URL, not encoded',
      { ...MINIMAL, DATABASE_URL: `postgres://entries:${HARD_PASSWORD}@${host}` },
    ],
    [
      'DATABASE_URL, percent-encoded',
      { ...MINIMAL, DATABASE_URL: `postgres://entries:${encodeURIComponent(HARD_PASSWORD)}@${host}` },
    ],
    [
      'both forms',
      {
        ...IN_PARTS,
        DATABASE_URL: `postgres://entries:${HARD_PASSWORD}@${host}`,
        DB_PASSWORD: HARD_PASSWORD,
      },
    ],
  ])(`accepts the password ${HARD_PASSWORD} in %s`, (_form, env) => {
    expect(loadConfig(env).database).toMatchObject({
      host: 'localhost',
      port: 5432,
      user: 'entries',
      password: HARD_PASSWORD,
      name: 'entries',
    });
  });

  it('has the defaults of libpq for missing parts', () => {
    const { database } = loadConfig({ JWT_SECRET: SECRET, DB_HOST: 'db', DB_USER: 'ada' });
    expect(database).toMatchObject({ host: 'db', port: 5432, user: 'ada', password: '', name: 'ada' });
    expect(loadConfig({ JWT_SECRET: SECRET, DB_HOST: 'db' }).database).toMatchObject({
      user: 'postgres',
      name: 'postgres',
    });
  });

  it('accepts URL and parts that agree', () => {
    expect(loadConfig({ ...IN_PARTS, ...MINIMAL, DB_SSL: 'off' }).database).toEqual(
      loadConfig(MINIMAL).database,
    );
  });

  it.each([
    ['DB_HOST', 'db'],
    ['DB_PORT', '5433'],
    ['DB_USER', 'postgres'],
    ['DB_PASSWORD', 'other'],
    ['DB_NAME', 'postgres'],
  ])('refuses URL and parts that differ in %s', (name, value) => {
    expect(faultsOf({ ...IN_PARTS, ...MINIMAL, [name]: value })).toEqual({
      [name]: 'differs from DATABASE_URL: set one of them',
    });
  });

  it('refuses an sslmode that differs from DB_SSL', () => {
    const DATABASE_URL = 'postgres://entries:pw@localhost/entries?sslmode=require';
    expect(faultsOf({ ...MINIMAL, DATABASE_URL, DB_SSL: 'verify-full' })).toEqual({
      DB_SSL: 'differs from DATABASE_URL: set one of them',
    });
  });

  it('uses DB_SSL for a URL without sslmode', () => {
    expect(loadConfig({ ...MINIMAL, DB_SSL: 'require' }).database.ssl).toBe('require');
  });

  it.each([
    ['disable', 'off'],
    ['allow', 'require'],
    ['prefer', 'require'],
    ['require', 'require'],
    ['verify-ca', 'verify-full'],
    ['verify-full', 'verify-full'],
  ])('maps sslmode=%s to %s, which is never weaker', (sslmode, ssl) => {
    const DATABASE_URL = `postgres://entries:pw@localhost/entries?sslmode=${sslmode}`;
    expect(loadConfig({ ...MINIMAL, DATABASE_URL }).database.ssl).toBe(ssl);
  });

  it('is the same for commands, which need no JWT secret, port or Redis', () => {
    const invalid = { JWT_SECRET: undefined, PORT: 'x', REDIS_URL: 'x' };
    expect(loadConfig(MINIMAL)).toMatchObject(loadCommandConfig({ ...MINIMAL, ...invalid }));
  });

  it('has its faults listed for migration commands too', () => {
    const { faults } = configErrorOf(() =>
      loadCommandConfig({ ...IN_PARTS, DB_PORT: 'x', DB_POOL_SIZE: '1001' }),
    );
    expect(faults).toEqual([
      { name: 'DB_PORT', reason: 'must be a whole number from 1 to 65535' },
      { name: 'DB_POOL_SIZE', reason: 'must be a whole number from 1 to 1000' },
    ]);
  });
});

describe('migrations', () => {
  it('run on the database of the service by default', () => {
    const { database, migrationsDatabase } = loadConfig(MINIMAL);
    expect(migrationsDatabase).toEqual({ ...database, direct: false });
  });

  it('run on MIGRATIONS_DATABASE_URL if it is set, with the other settings of the database', () => {
    const { database, migrationsDatabase } = loadConfig({
      ...MINIMAL,
      DB_SSL: 'require',
      DB_STATEMENT_TIMEOUT_MS: '2000',
      MIGRATIONS_DATABASE_URL: `postgres://owner:${HARD_PASSWORD}@direct:6432/entries`,
    });
    expect(database).toMatchObject({ host: 'localhost', user: 'entries', password: 'pw' });
    expect(migrationsDatabase).toMatchObject({
      direct: true,
      host: 'direct',
      port: 6432,
      user: 'owner',
      password: HARD_PASSWORD,
      name: 'entries',
      ssl: 'require',
      statementTimeoutMs: 2000,
    });
  });

  it('use the sslmode of MIGRATIONS_DATABASE_URL if it has one', () => {
    const MIGRATIONS_DATABASE_URL = 'postgres://direct/entries?sslmode=verify-full';
    expect(loadConfig({ ...MINIMAL, MIGRATIONS_DATABASE_URL }).migrationsDatabase.ssl).toBe('verify-full');
  });

  it('have the same settings for migration commands, which need neither a JWT secret nor Redis', () => {
    const env = { ...MINIMAL, MIGRATIONS_DATABASE_URL: 'postgres://direct/entries', MIGRATIONS_RUN: 'off' };
    expect(loadConfig(env)).toMatchObject(
      loadCommandConfig({ ...env, JWT_SECRET: undefined, REDIS_URL: 'broken' }),
    );
  });

  it('have their faults listed for migration commands too, with those of the database', () => {
    const { faults } = configErrorOf(() =>
      loadCommandConfig({ MIGRATIONS_RUN: 'maybe', MIGRATIONS_DATABASE_URL: 'direct', DB_PORT: 'x' }),
    );
    expect(faults.map(({ name }) => name).sort()).toEqual([
      'DATABASE_URL',
      'DB_PORT',
      'MIGRATIONS_DATABASE_URL',
      'MIGRATIONS_RUN',
    ]);
  });
});
