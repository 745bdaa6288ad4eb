import { existsSync, readFileSync } from 'node:fs';
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
  const file = join(folder, '.env');
  if (env['NODE_ENV'] === 'production' || env['NODE_ENV'] === 'test' || !existsSync(file)) return env;
  try {
    // Node sizes its thread pool by the real environment.
    return { ...parseEnv(readText(file)), UV_THREADPOOL_SIZE: undefined, ...env };
  } catch (error) {
    throw new ConfigError([{ name: file, reason: (error as Error).message }]);
  }
}

/** @throws {Error} whose message is the reason of a fault */
export function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new Error(`cannot be read (${(error as NodeJS.ErrnoException).code})`, { cause: error });
  }
}
