import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { faultsOf, HARD_PASSWORD, MINIMAL } from '../../test/harness/config.js';
import { describeVariable, environmentSchema, EXAMPLE_SECRET } from './config.schema.js';
import { loadConfig } from './config.js';

describe('docs/configuration.md and .env.example', () => {
  it('are what npm run docs:configuration writes', () => {
    execFileSync('node_modules/.bin/tsx', ['scripts/docs-configuration.ts', '--check']);
  });
});

describe('.env.example', () => {
  const text = readFileSync('.env.example', 'utf8');

  it('copied to .env starts the service in development, with all defaults', () => {
    const config = loadConfig(parseEnv(text));
    const defaults = loadConfig(MINIMAL);
    const database = { ...defaults.database, password: 'password' };
    const migrationsDatabase = { ...database, direct: false };
    const JWT_SECRET = EXAMPLE_SECRET;
    expect(config).toEqual(Object.assign({}, defaults, { database, migrationsDatabase, JWT_SECRET }));
  });

  it('is refused in production, because of its secret', () => {
    expect(faultsOf({ ...parseEnv(text), NODE_ENV: 'production' })).toEqual({
      JWT_SECRET: 'is known or guessable, and refused in production',
    });
  });

  it('shows values that are valid, of PostgreSQL and Redis in parts too', () => {
    const shown = parseEnv(text.replaceAll(/^# (?=[A-Z0-9_]+=)/gm, ''));
    expect(Object.keys(shown).sort()).toEqual(Object.keys(environmentSchema.shape).sort());
    const { DATABASE_URL, REDIS_URL, ...parts } = shown;
    expect(loadConfig({ ...MINIMAL, DATABASE_URL, REDIS_URL }).redis).toMatchObject({ host: 'localhost' });
    expect(loadConfig(parts)).toMatchObject({
      database: { host: 'localhost', password: HARD_PASSWORD, name: 'entries' },
      redis: { host: 'localhost', port: 6379 },
    });
  });
});

describe('describeVariable', () => {
  it.each(Object.keys(environmentSchema.shape))('has a description and an example of %s', (name) => {
    const { description, example } = describeVariable(name)!;
    expect(description).toMatch(/^.+\.$/);
    // An empty list is the default.
    if (name !== 'CORS_ORIGINS') expect(example).not.toBe('');
  });
});
