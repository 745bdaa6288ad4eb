import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { configErrorOf, HARD_PASSWORD, MINIMAL, SECRET } from '../../test/harness/config.js';
import { loadConfig, readEnvironment, type Environment } from './config.js';

describe('.env', () => {
  const before = process.cwd();
  const environment = process.env;
  let inFolder: string;
  beforeAll(() => {
    inFolder = mkdtempSync(join(tmpdir(), 'entries-env-'));
    writeFileSync(
      join(inFolder, '.env'),
      `DATABASE_URL='postgres://entries:${HARD_PASSWORD}@localhost/entries'\nJWT_SECRET=${SECRET}\nPORT=9000\n`,
    );
  });
  afterAll(() => rmSync(inFolder, { recursive: true }));
  afterEach(() => {
    process.chdir(before);
    process.env = environment;
  });

  function loadThere(env: Environment) {
    process.env = { ...env };
    return loadConfig(readEnvironment(inFolder));
  }

  it('is read in development', () => {
    expect(loadThere({})).toMatchObject({ PORT: 9000, database: { password: HARD_PASSWORD } });
    expect(loadThere({ NODE_ENV: 'development' }).PORT).toBe(9000);
  });

  it('is overridden by the environment', () => {
    expect(loadThere({ PORT: '9001' }).PORT).toBe(9001);
  });

  it.each(['production', 'test'])('is not read in %s', (NODE_ENV) => {
    expect(() => loadThere({ NODE_ENV })).toThrow('DATABASE_URL is missing');
  });

  it('is the one next to package.json, wherever the program is started', () => {
    process.chdir(inFolder);
    process.env = { ...MINIMAL };
    expect(loadConfig().PORT).toBe(8080);
  });

  it('is a fault if it cannot be read', () => {
    const unreadable = join(inFolder, 'unreadable');
    mkdirSync(join(unreadable, '.env'), { recursive: true });
    process.env = { ...MINIMAL };
    expect(configErrorOf(() => loadConfig(readEnvironment(unreadable))).message).toBe(
      `The configuration has a fault:\n  ${join(unreadable, '.env')} cannot be read (EISDIR)`,
    );
  });

  it('may be absent', () => {
    rmSync(join(inFolder, '.env'));
    expect(loadThere(MINIMAL).PORT).toBe(8080);
  });
});
