import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { createDatabaseIfMissing, startCluster } from './embedded-postgres.js';
import { STATE_FOLDER, databaseSetting, makeStateFolder, readEnvironment } from './environment.js';
import { ExplainedError, explain } from './explained-error.js';

/**
 * `node scripts/libpq-settings.js <program> …`: runs a program with libpq's settings for the database that the
 * service's configuration names (past a pooler, where there is MIGRATIONS_DATABASE_URL), or else for the embedded one
 * of `npm start`.
 */

const CONFIG = new URL('../dist/config/config.js', import.meta.url);

const SSL_MODES = { off: 'disable', require: 'require', 'verify-full': 'verify-full' };

/** @typedef {import('../src/config/config.js').DatabaseConfig} DatabaseConfig */

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const { name, message } = /** @type {Error} */ (error);
  console.error(name === 'ConfigError' ? message : explain(error));
  process.exitCode = 1;
}

/** @param {string[]} command */
async function main(command) {
  const env = readEnvironment();
  if (!existsSync(CONFIG)) throw new ExplainedError('dist/ does not exist: run npm run build');
  /** @type {typeof import('../src/config/config.js')} */
  const { loadMigrationsConfig } = await import(CONFIG.href);
  if (databaseSetting(env) !== undefined) return run(command, loadMigrationsConfig(env).database);
  makeStateFolder();
  const cluster = await startCluster({ directory: join(STATE_FOLDER, 'postgres'), log: console.error });
  try {
    const url = cluster.url('entries');
    await createDatabaseIfMissing(url);
    return await run(command, loadMigrationsConfig({ DATABASE_URL: url }).database);
  } finally {
    await cluster.stop();
  }
}

/**
 * @param {string[]} command
 * @param {DatabaseConfig} database
 * @returns {Promise<number>} exit code
 */
function run([program = '', ...args], database) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: 'inherit', env: environmentFor(database) });
    // From the terminal it reaches the program as well: wait for that to clear up after itself.
    for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
      process.on(signal, () => child.kill(signal));
    }
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(code ?? 128 + constants.signals[signal ?? 'SIGTERM']));
  });
}

/** @param {DatabaseConfig} database */
function environmentFor({ host, port, user, password, name, ssl }) {
  // Without what else libpq would read, such as PGSERVICE and PGOPTIONS, but for the certificates.
  const others = Object.entries(process.env).filter(([key]) => !/^PG(?!SSL)/.test(key));
  return {
    ...Object.fromEntries(others),
    DATABASE_SETTINGS: 'libpq',
    PGHOST: host,
    PGPORT: String(port),
    PGUSER: user,
    PGPASSWORD: password,
    PGDATABASE: name,
    PGSSLMODE: SSL_MODES[ssl],
    // As Node does: by the certificates that the system trusts. libpq knows this from PostgreSQL 16 on.
    ...(ssl === 'verify-full' && { PGSSLROOTCERT: process.env['PGSSLROOTCERT'] ?? 'system' }),
  };
}
