import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { readEnvironment } from '../src/config/environment.js';
import { DIST, databaseSetting } from './environment.js';
import { ExplainedError, codeOf, explain } from './explained-error.js';
import { onEmbeddedDatabase } from './postgres/embedded-postgres.js';

/**
 * `libpq-settings.ts <program> …` runs a program with libpq's settings for the database that the service's configuration
 * names (past a pooler, where there is MIGRATIONS_DATABASE_URL), or else for the embedded one of `npm start`.
 */

const CONFIG = new URL('config/config.js', DIST);
const BACKUP = new URL('database/migration-backup.js', DIST);

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  console.error(explain(error));
  process.exitCode = 1;
}

async function main([program = '', ...args]: readonly string[]): Promise<number> {
  const env = readEnvironment();
  if (!existsSync(CONFIG)) throw new ExplainedError('dist/ does not exist: run npm run build');
  const { loadCommandConfig } = (await import(CONFIG.href)) as typeof import('../src/config/config.js');
  const { libpqSettings } = (await import(
    BACKUP.href
  )) as typeof import('../src/database/migration-backup.js');
  const runOn = (source: typeof env) =>
    run(program, args, libpqSettings(loadCommandConfig(source).migrationsDatabase));
  if (databaseSetting(env) !== undefined) return runOn(env);
  return onEmbeddedDatabase(
    (line) => console.error(line),
    (url) => runOn({ DATABASE_URL: url }),
  );
}

/** @returns exit code */
function run(program: string, args: readonly string[], settings: Readonly<Record<string, string>>) {
  // Without what else libpq would read, such as PGSERVICE and PGOPTIONS, but for the certificates.
  const others = Object.entries(process.env).filter(([name]) => !/^PG(?!SSL)/.test(name));
  const env = { ...Object.fromEntries(others), ...settings };
  const { PGSSLROOTCERT } = process.env;
  if (PGSSLROOTCERT) env['PGSSLROOTCERT'] = PGSSLROOTCERT;
  return new Promise<number>((resolve, reject) => {
    const child = spawn(program, args, { stdio: 'inherit', env });
    // From the terminal it reaches the program as well: wait for that to clean up.
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
      process.on(signal, () => child.kill(signal));
    child.once('error', (error) =>
      reject(codeOf(error) === 'ENOENT' ? new ExplainedError(`${program} is not installed`) : error),
    );
    child.once('exit', (code, signal) => resolve(code ?? 128 + constants.signals[signal ?? 'SIGTERM']));
  });
}
