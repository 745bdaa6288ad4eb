import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import pg from 'pg';
import { createDatabaseIfMissing, startCluster, startEphemeralCluster } from './embedded-postgres.js';
import { ROOT, STATE_FOLDER, databaseSetting, makeStateFolder, readEnvironment } from './environment.js';
import { ExplainedError, explain } from './explained-error.js';

/**
 * `npm run migration:<command>`: TypeORM's migration commands on the built application, on the database that the
 * environment or `.env` names, or else on the embedded one of `npm start`.
 *
 * `generate` and `check` compare the entities with what the migrations make, so both work on a scratch database that
 * the migrations have just filled: what the developer's own database holds does not matter, and is not touched.
 */

const DIST = new URL('../dist', import.meta.url).href;
const TYPEORM = join(ROOT, 'node_modules', 'typeorm', 'cli.js');
const PRETTIER = join(ROOT, 'node_modules', 'prettier', 'bin', 'prettier.cjs');
const DATA_SOURCE = join('dist', 'database', 'data-source.js');
const COMPILED_MIGRATIONS = join(ROOT, 'dist', 'database', 'migrations');
const USAGE = 'npm run migration:generate -- src/database/migrations/<Name>';

const LOCK_TIMEOUT_MS = 120_000;

/** SQLSTATE */
const INSUFFICIENT_PRIVILEGE = '42501';

/** @typedef {Readonly<Record<string, string>>} Target environment variables that name the database to work on */

/** Of the built application. Computed paths, since there need be no build when these lines are type-checked. */
const built = {
  /** @returns {Promise<typeof import('../src/config/config.js')>} */
  config: () => import(`${DIST}/config/config.js`),
  /** @returns {Promise<typeof import('../src/database/apply-migrations.js')>} */
  applyMigrations: () => import(`${DIST}/database/apply-migrations.js`),
  /** @returns {Promise<typeof import('../src/database/data-source-options.js')>} */
  dataSourceOptions: () => import(`${DIST}/database/data-source-options.js`),
  /** @returns {Promise<typeof import('../src/database/migration-lock.js')>} */
  migrationLock: () => import(`${DIST}/database/migration-lock.js`),
};

/** @type {Readonly<Record<string, (args: string[]) => Promise<number>>>} */
const COMMANDS = { generate, check, run, revert, show };

process.chdir(ROOT);
try {
  const [name = '', ...args] = process.argv.slice(2);
  const command = COMMANDS[name];
  if (!command) throw new ExplainedError(`no such command; there are ${Object.keys(COMMANDS).join(', ')}`);
  process.exitCode = await command(args);
} catch (error) {
  const { name, message } = /** @type {Error} */ (error);
  // What the application says for a person to read.
  const told = ['ConfigError', 'MigrationError', 'MigrationLockTimeoutError'].includes(name);
  console.error(`migrations: ${told ? message : explain(error)}`);
  process.exitCode = 1;
}

/** @param {string[]} args */
async function generate(args) {
  const [path] = args;
  if (args.length !== 1 || path === undefined || existsSync(path) || !/\/[A-Za-z][A-Za-z0-9]*$/.test(path)) {
    throw new ExplainedError(`the new migration needs a name of letters and digits: ${USAGE}`);
  }
  const folder = dirname(path);
  mkdirSync(folder, { recursive: true });
  const before = new Set(readdirSync(folder));
  return onScratchDatabase(async (target) => {
    const code = await typeorm(target, ['migration:generate', '--pretty', '--esm', path]);
    const made = readdirSync(folder).filter((name) => !before.has(name));
    if (made.length > 0) {
      await runNode([PRETTIER, '--write', '--log-level=warn', ...made.map((name) => join(folder, name))], {});
    }
    return code;
  });
}

async function check() {
  return onScratchDatabase(async (target) => {
    const code = await typeorm(target, [
      'migration:generate',
      '--check',
      '--pretty',
      '--esm',
      'src/database/migrations/Missing',
    ]);
    if (code === 0) console.log('migrations: they make what the entities describe');
    else console.error(`migrations: they do not make what the entities describe: ${USAGE}`);
    return code;
  });
}

async function run() {
  return onOwnDatabase(async (target) => {
    const applied = await applyMigrations(target);
    console.log(
      applied.length === 0 ? 'migrations: none pending' : `migrations applied: ${applied.join(', ')}`,
    );
    return 0;
  });
}

async function revert() {
  return onOwnDatabase(async (target) => {
    const { withMigrationLock } = await built.migrationLock();
    return withMigrationLock(await databaseOf(target), LOCK_TIMEOUT_MS, console.log, () =>
      typeorm(target, ['migration:revert']),
    );
  });
}

async function show() {
  // TypeORM's own exit code says whether any is pending, which is no failure.
  return onOwnDatabase((target) => typeorm(target, ['migration:show']).then(() => 0));
}

/** @param {(target: Target) => Promise<number>} task */
async function onOwnDatabase(task) {
  if (databaseSetting(readEnvironment()) !== undefined) return task({});
  makeStateFolder();
  const cluster = await startCluster({ directory: join(STATE_FOLDER, 'postgres'), log: console.log });
  try {
    const url = cluster.url('entries');
    await createDatabaseIfMissing(url);
    return await task({ DATABASE_URL: url });
  } finally {
    await cluster.stop();
  }
}

/** @param {(target: Target) => Promise<number>} task */
async function onScratchDatabase(task) {
  const setting = databaseSetting(readEnvironment());
  if (setting !== undefined) return onScratchDatabaseOf(setting, task);
  const cluster = await startEphemeralCluster();
  try {
    const target = { DATABASE_URL: cluster.url('postgres') };
    await fill(target);
    return await task(target);
  } finally {
    await cluster.stop();
  }
}

/**
 * @param {string} setting the variable that names the server
 * @param {(target: Target) => Promise<number>} task
 */
async function onScratchDatabaseOf(setting, task) {
  const { clientConfig } = await built.dataSourceOptions();
  const database = await databaseOf({});
  const name = `entries_scratch_${randomBytes(6).toString('hex')}`;
  const client = new pg.Client(clientConfig(database, 'entries migrations'));
  await client.connect();
  try {
    await client.query(`CREATE DATABASE ${name}`);
    try {
      const target = {
        DATABASE_URL: '',
        DATABASE_URL_FILE: '',
        DB_PASSWORD_FILE: '',
        DB_HOST: database.host,
        DB_PORT: String(database.port),
        DB_USER: database.user,
        DB_PASSWORD: database.password,
        DB_NAME: name,
        DB_SSL: database.ssl,
      };
      await fill(target);
      return await task(target);
    } finally {
      await client.query(`DROP DATABASE ${name} WITH (FORCE)`);
    }
  } catch (error) {
    if (/** @type {pg.DatabaseError} */ (error).code !== INSUFFICIENT_PRIVILEGE) throw error;
    throw new ExplainedError(
      `this needs a scratch database, and the user that ${setting} names may not make one: ` +
        `ALTER ROLE … CREATEDB, or take the embedded PostgreSQL by an empty ${setting}`,
    );
  } finally {
    await client.end();
  }
}

/**
 * Applies the migrations there are; before the first one is generated there is none.
 *
 * @param {Target} target
 */
async function fill(target) {
  const isEmpty = !existsSync(COMPILED_MIGRATIONS) || readdirSync(COMPILED_MIGRATIONS).length === 0;
  if (!isEmpty) await applyMigrations(target);
}

/**
 * @param {Target} target
 * @returns {Promise<string[]>} the names of those applied
 */
async function applyMigrations(target) {
  const { applyMigrations: apply } = await built.applyMigrations();
  return apply(await databaseOf(target), LOCK_TIMEOUT_MS, console.log);
}

/** @param {Target} target */
async function databaseOf(target) {
  const { loadDatabaseConfig } = await built.config();
  return loadDatabaseConfig({ ...readEnvironment(), ...target });
}

/**
 * @param {Target} target
 * @param {string[]} args
 */
function typeorm(target, args) {
  const [command = '', ...rest] = args;
  return runNode([TYPEORM, command, '--dataSource', DATA_SOURCE, ...rest], target);
}

/**
 * @param {string[]} args
 * @param {Target} target
 * @returns {Promise<number>} exit code
 */
function runNode(args, target) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { stdio: 'inherit', env: { ...process.env, ...target } });
    child.once('error', reject);
    child.once('exit', (code) => resolve(code ?? 1));
  });
}
