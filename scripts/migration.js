import { spawn } from 'node:child_process';
import { join } from 'node:path';
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
  /** @returns {Promise<typeof import('../src/migrator/commands/command.js')>} */
  command: () => import(`${DIST}/migrator/commands/command.js`),
  /** @returns {Promise<typeof import('../src/migrator/commands/develop.js')>} */
  develop: () => import(`${DIST}/migrator/commands/develop.js`),
};

/** @type {Readonly<Record<string, (args: string[]) => Promise<number>>>} */
const COMMANDS = { generate, check, verify, run, revert, show, baseline };

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
  return develop(['generate', ...args]);
}

async function check() {
  return develop(['check']);
}

/** @param {string[]} args */
async function develop(args) {
  const [{ runCommand }, { develop: commands }] = [await built.command(), await built.develop()];
  const format = (/** @type {readonly string[]} */ files) =>
    runNode([PRETTIER, '--write', '--log-level=warn', ...files], {});
  return runCommand('npm run migration:generate --', args, [commands(USAGE, format)], {
    log,
    withOptions: (work) => onServer(async (target) => work(await configOf(target))),
  });
}

/** @param {string[]} args */
async function verify(args) {
  return onServer((target) => runNode([MIGRATE, 'verify', ...args], target));
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

/** @param {string[]} args */
async function baseline(args) {
  return onOwnDatabase((target) => runNode([MIGRATE, 'baseline', ...args], target));
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

/**
 * On the server that the settings name, or on an ephemeral one.
 *
 * @template T
 * @param {(target: Target) => Promise<T>} task makes a scratch database of its own
 */
function onServer(task) {
  return databaseSetting(readEnvironment()) === undefined ? onEphemeralCluster(task) : task({});
}

/**
 * @template T
 * @param {(target: Target) => Promise<T>} task
 */
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
