import { chmodSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Environment } from '../src/config/environment.js';
import { ExplainedError } from './explained-error.js';

/** The project's folder. */
export const ROOT = dirname(import.meta.dirname);

/** The build. Imported by computed paths, since there need be none when these lines are type-checked. */
export const DIST = new URL('../dist/', import.meta.url);

/** Where the project keeps what it makes for itself on this machine. */
export const STATE_FOLDER = join(ROOT, '.data');

/** Makes the folder passable whatever the umask: started by root, PostgreSQL runs as another user below it. */
export function makeStateFolder(): void {
  if (mkdirSync(STATE_FOLDER, { recursive: true }) !== undefined) chmodSync(STATE_FOLDER, 0o755);
}

/**
 * The variable that says which database to use. Undefined: none does, so it is the embedded one.
 *
 * @throws {ExplainedError} for half a setting, which would otherwise be ignored
 */
export function databaseSetting(env: Environment): string | undefined {
  const firstSet = (...names: string[]) => names.find((name) => isSet(env, name));
  const setting = firstSet('DATABASE_URL', 'DATABASE_URL_FILE', 'DB_HOST');
  const half = firstSet('DB_PORT', 'DB_USER', 'DB_PASSWORD', 'DB_PASSWORD_FILE', 'DB_NAME');
  if (setting === undefined && half !== undefined) {
    throw new ExplainedError(
      `${half} is set, but neither DB_HOST nor DATABASE_URL: set one of them, or remove ${half}`,
    );
  }
  return setting;
}

/** An empty value counts as none, so that a variable can be switched off. */
export function isSet(env: Environment, name: string): boolean {
  return env[name] !== undefined && env[name] !== '';
}
