import { chmodSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseEnv } from 'node:util';
import { ExplainedError } from './explained-error.js';

/** The project's folder. */
export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

/** Where everything is kept that the project makes for itself on this machine. */
export const STATE_FOLDER = join(ROOT, '.data');

/** @typedef {Readonly<Record<string, string | undefined>>} Environment */

/** Makes the folder passable whatever the umask: started by root, PostgreSQL runs as another user below it. */
export function makeStateFolder() {
  if (mkdirSync(STATE_FOLDER, { recursive: true }) !== undefined) chmodSync(STATE_FOLDER, 0o755);
}

/**
 * The environment as src/config/config.ts sees it: the process's, over what `.env` holds in development.
 *
 * @returns {Environment}
 */
export function readEnvironment() {
  const { env } = process;
  if (env['NODE_ENV'] === 'production' || env['NODE_ENV'] === 'test') return env;
  try {
    return { ...parseEnv(readFileSync(join(ROOT, '.env'), 'utf8')), ...env };
  } catch (error) {
    const { code } = /** @type {NodeJS.ErrnoException} */ (error);
    if (code === 'ENOENT') return env;
    throw new ExplainedError(`${join(ROOT, '.env')} cannot be read (${code})`);
  }
}

/**
 * The variable that says which database to use. Undefined: none does, so it is the embedded one.
 *
 * @param {Environment} env
 * @returns {string | undefined}
 * @throws {ExplainedError} for half a setting, which would otherwise be passed over
 */
export function databaseSetting(env) {
  const setting = ['DATABASE_URL', 'DATABASE_URL_FILE', 'DB_HOST'].find((name) => isSet(env, name));
  const half = ['DB_PORT', 'DB_USER', 'DB_PASSWORD', 'DB_PASSWORD_FILE', 'DB_NAME'].find((name) =>
    isSet(env, name),
  );
  if (setting === undefined && half !== undefined) {
    throw new ExplainedError(
      `${half} is set, but neither DB_HOST nor DATABASE_URL: set one of them, or remove ${half}`,
    );
  }
  return setting;
}

/**
 * An empty value counts as none, so that a variable can be switched off.
 *
 * @param {Environment} env
 * @param {string} name
 */
export function isSet(env, name) {
  return env[name] !== undefined && env[name] !== '';
}
