import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createDatabaseIfMissing, startCluster, startEphemeralCluster } from './embedded-postgres.js';
import { ROOT, STATE_FOLDER, databaseSetting, makeStateFolder, readEnvironment } from './environment.js';
import { ExplainedError, explain } from './explained-error.js';

/**
 * `npm run migration:<command>`: TypeORM's migration commands on the built application, on the database that the
 * environment or `.env` names, or else on the embedded one of `npm start`.
 *
 * `generate` and `check` compare the entities with what the migrations make, so both work on a scratch database that
 * the migrations have just filled: what the developer's own database holds does not matter, and is not touched.
 * `verify` makes such a database itself.
 */

const DIST = new URL('../dist', import.meta.url).href;
const TYPEORM = join(ROOT, 'node_modules', 'typeorm', 'cli.js');
const PRETTIER = join(ROOT, 'node_modules', 'prettier', 'bin', 'prettier.cjs');
const MIGRATE = join(ROOT, 'dist', 'database', 'migrate.js');
const DATA_SOURCE = join('dist', 'database', 'data-source.js');
const COMPILED_MIGRATIONS = join(ROOT, 'dist', 'database', 'migrations');
const USAGE = 'npm run migration:generate -- src/database/migrations/<Name>';

const log = {
  /** @param {string} line */
  info: (line) => console.log(line),
  /** @param {string} line */
  warn: (line) => console.warn(line),
};

/** @typedef {Readonly<Record<string, string>>} Target environment variables that name the database to work on */

/** @type {Set<import('node:child_process').ChildProcess>} */
const children = new Set();

/** Of the built application. Computed paths, since there need be no build when these lines are type-checked. */
const built = {
  /** @returns {Promise<typeof import('../src/config/config.js')>} */
  config: () => import(`${DIST}/config/config.js`),
  /** @returns {Promise<typeof import('../src/migrator/apply/apply-migrations.js')>} */
  applyMigrations: () => import(`${DIST}/migrator/apply/apply-migrations.js`),
  /** @returns {Promise<typeof import('../src/database/migrator-options.js')>} */
  migratorOptions: () => import(`${DIST}/database/migrator-options.js`),
  /** @returns {Promise<typeof import('../src/migrator/verify/scratch-database.js')>} */
  scratchDatabase: () => import(`${DIST}/migrator/verify/scratch-database.js`),
};

/** @type {Readonly<Record<string, (args: string[]) => Promise<number>>>} */
const COMMANDS = { generate, check, verify, run, revert, show };

process.chdir(ROOT);
try {
  const [name = '', ...args] = process.argv.slice(2);
  const command = COMMANDS[name];
  if (!command) throw new ExplainedError(`no such command; there are ${Object.keys(COMMANDS).join(', ')}`);
  process.exitCode = await command(args);
} catch (error) {
  const { name, message } = /** @type {Error} */ (error);
  // What the application says for a person to read.
  const told = ['ConfigError', 'MigrationError', 'MigrationLockTimeoutError', 'MigrationLockError'].includes(
    name,
  );
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
    for (const name of readdirSync(folder).filter((file) => !before.has(file)))
      await finish(join(folder, name));
    return code;
  });
}

/**
 * Adds what TypeORM does not know to write: an index is not built concurrently in a transaction.
 *
 * @param {string} file a generated migration
 */
async function finish(file) {
  const text = readFileSync(file, 'utf8');
  if (/\bINDEX CONCURRENTLY\b/.test(text)) {
    writeFileSync(file, text.replace(/^(\s*)(name = .*)$/m, '$1$2\n$1transaction = false;'));
  }
  await runNode([PRETTIER, '--write', '--log-level=warn', file], {});
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

/** @param {string[]} args */
async function verify(args) {
  const task = (/** @type {Target} */ target) => runNode([MIGRATE, 'verify', ...args], target);
  return databaseSetting(readEnvironment()) === undefined ? onEphemeralCluster(task) : task({});
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
    const { revertNewest } = await built.applyMigrations();
    const reverted = (await revertNewest(await configOf(target), log))?.name;
    console.log(reverted === undefined ? 'migrations: none is applied' : `migration reverted: ${reverted}`);
    return 0;
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
    return await task(only(url));
  } finally {
    await cluster.stop();
  }
}

/** @param {(target: Target) => Promise<number>} task */
async function onScratchDatabase(task) {
  /** @param {Target} target */
  const filled = async (target) => {
    await fill(target);
    return task(target);
  };
  if (databaseSetting(readEnvironment()) === undefined) return onEphemeralCluster(filled);
  const { withScratchDatabase } = await built.scratchDatabase();
  const { database } = await configOf({});
  return withScratchDatabase(database, log, (scratch) => filled(partsOf(scratch.database)));
}

/** @param {(target: Target) => Promise<number>} task */
async function onEphemeralCluster(task) {
  // Not by the signal itself: the cluster stops after those who use it, or goes when this process exits.
  const end = () => {
    if (children.size === 0) process.exit(1);
    for (const child of children) child.kill();
  };
  process.once('SIGINT', end).once('SIGTERM', end);
  const cluster = await startEphemeralCluster();
  try {
    return await task(only(cluster.url('postgres')));
  } finally {
    await cluster.stop();
    process.off('SIGINT', end).off('SIGTERM', end);
  }
}

/**
 * @param {string} url
 * @returns {Target} that database, for migrations too
 */
function only(url) {
  return { DATABASE_URL: url, MIGRATIONS_DATABASE_URL: '', MIGRATIONS_DATABASE_URL_FILE: '' };
}

/**
 * @param {import('../src/migrator/migrator-options.js').DatabaseOptions} database
 * @returns {Target}
 */
function partsOf({ host, port, user, password, name, ssl }) {
  return {
    ...only(''),
    DATABASE_URL_FILE: '',
    DB_PASSWORD_FILE: '',
    DB_HOST: host,
    DB_PORT: String(port),
    DB_USER: user,
    DB_PASSWORD: password,
    DB_NAME: name,
    DB_SSL: ssl,
  };
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
  return apply(await configOf(target), log);
}

/** @param {Target} target */
async function configOf(target) {
  const { loadMigrationsConfig } = await built.config();
  const { migratorOptions } = await built.migratorOptions();
  return migratorOptions(loadMigrationsConfig({ ...readEnvironment(), ...target }));
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
    children.add(child);
    child.once('error', reject);
    child.once('exit', (code) => {
      children.delete(child);
      resolve(code ?? 1);
    });
  });
}
