import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import { ConfigError } from './config-error.js';
import { PROJECT_FOLDER } from './release.js';

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The environment, and in development what `.env` in the project's folder adds to it. Nothing else reads `process.env`.
 *
 * @throws {ConfigError} if there is an `.env` that cannot be read
 */
export function readEnvironment(folder = PROJECT_FOLDER): Environment {
  const { env } = process;
  if (env['NODE_ENV'] === 'production' || env['NODE_ENV'] === 'test') return env;
  const file = join(folder, '.env');
  try {
    // Node sizes its thread pool by the real environment.
    return { ...parseEnv(readFileSync(file, 'utf8')), UV_THREADPOOL_SIZE: undefined, ...env };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return env;
    throw new ConfigError([{ name: file, reason: `cannot be read (${code})` }]);
  }
}
