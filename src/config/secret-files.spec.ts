import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { configErrorOf, faultsOf, IN_PARTS, MINIMAL, SECRET } from '../../test/harness/config.js';
import { loadConfig, loadCommandConfig, type Environment } from './config.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'entries-config-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, content: string): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

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
      MINIMAL,
      'postgres://entries:from-file@localhost/entries',
      ({ migrationsDatabase }) => migrationsDatabase.password,
    ],
    [
      'DB_PASSWORD',
      { ...IN_PARTS, DB_PASSWORD: undefined },
      'from-file',
      ({ database }) => database.password,
    ],
    ['REDIS_URL', MINIMAL, 'redis://:from-file@redis', ({ redis }) => redis?.password],
    ['REDIS_PASSWORD', { ...MINIMAL, REDIS_HOST: 'redis' }, 'from-file', ({ redis }) => redis?.password],
    [
      'JWT_SECRET',
      { ...MINIMAL, JWT_SECRET: undefined },
      `${SECRET}from-file`,
      (config) => config.JWT_SECRET.slice(32),
    ],
    ['JWT_SECRET_PREVIOUS', MINIMAL, `${SECRET}from-file`, (config) => config.JWT_SECRET_PREVIOUS?.slice(32)],
  ])('sets %s', (name, env, content, read) => {
    const config = loadConfig({ ...env, [`${name}_FILE`]: file(name, content) });
    expect(read(config)).toBe('from-file');
  });

  it.each([
    ['LF', 'secret of a file\n', 'secret of a file'],
    ['CRLF', 'secret of a file\r\n', 'secret of a file'],
    ['only one, and no spaces', ' secret of a file \n\n', ' secret of a file \n'],
  ])('loses its last line break: %s', (_what, content, password) => {
    const path = file('line-end', content);
    expect(
      loadConfig({ ...IN_PARTS, DB_PASSWORD: undefined, DB_PASSWORD_FILE: path }).database.password,
    ).toBe(password);
  });

  it('counts as not set if it is empty', () => {
    expect(loadConfig({ ...MINIMAL, JWT_SECRET_FILE: '' })).toEqual(loadConfig(MINIMAL));
  });

  it('is the only fault if it cannot be read: the variable is not reported as missing', () => {
    const JWT_SECRET_FILE = join(folder, 'not-there');
    expect(faultsOf({ ...MINIMAL, JWT_SECRET: undefined, JWT_SECRET_FILE })).toEqual({
      JWT_SECRET_FILE: 'cannot be read (ENOENT)',
    });
  });

  it('is the only fault of the database if it cannot be read', () => {
    const DATABASE_URL_FILE = join(folder, 'not-there');
    expect(faultsOf({ ...MINIMAL, DATABASE_URL: undefined, DATABASE_URL_FILE })).toEqual({
      DATABASE_URL_FILE: 'cannot be read (ENOENT)',
    });
    expect(configErrorOf(() => loadCommandConfig({ DATABASE_URL_FILE })).faults).toEqual([
      { name: 'DATABASE_URL_FILE', reason: 'cannot be read (ENOENT)' },
    ]);
  });

  it('is the only fault of Redis if it cannot be read', () => {
    const REDIS_URL_FILE = join(folder, 'not-there');
    expect(faultsOf({ ...MINIMAL, REDIS_URL_FILE, REDIS_PASSWORD: 'pw' })).toEqual({
      REDIS_URL_FILE: 'cannot be read (ENOENT)',
    });
  });

  it('is a fault if it names a folder', () => {
    expect(faultsOf({ ...MINIMAL, REDIS_URL_FILE: folder })).toEqual({
      REDIS_URL_FILE: 'cannot be read (EISDIR)',
    });
  });

  it('is a fault if it names an empty file', () => {
    const JWT_SECRET_FILE = file('empty', '\n');
    expect(faultsOf({ ...MINIMAL, JWT_SECRET: undefined, JWT_SECRET_FILE })).toEqual({
      JWT_SECRET_FILE: 'names an empty file',
    });
  });

  it('is a fault if the variable is set too, and the variable is still checked', () => {
    expect(faultsOf({ ...MINIMAL, JWT_SECRET: 'short', JWT_SECRET_FILE: file('both', SECRET) })).toEqual({
      JWT_SECRET_FILE: 'is set, and so is JWT_SECRET: set one of them',
      JWT_SECRET: 'must have 32 bytes or more',
    });
  });

  it('has its own example in the list of faults', () => {
    const { message } = configErrorOf(() =>
      loadConfig({ ...MINIMAL, REDIS_PASSWORD_FILE: join(folder, 'not-there') }),
    );
    expect(message).toContain('Example: REDIS_PASSWORD_FILE=/run/secrets/redis_password');
  });

  it('is read for secrets only', () => {
    expect(loadConfig({ ...MINIMAL, PORT_FILE: file('port', '9090') }).PORT).toBe(8080);
  });

  it('follows the same rules as the variable', () => {
    const JWT_SECRET_FILE = file('short', 'short');
    expect(faultsOf({ ...MINIMAL, JWT_SECRET: undefined, JWT_SECRET_FILE })).toEqual({
      JWT_SECRET: 'must have 32 bytes or more',
    });
  });
});
