import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { readEnvironment } from '../src/config/environment.js';
import { DIST, ROOT, databaseSetting } from './environment.js';
import { ExplainedError, explain } from './explained-error.js';
import { onEmbeddedDatabase, startEphemeralCluster } from './postgres/embedded-postgres.js';

/**
 * `npm run migration:<command>`: the commands of dist/database/migrate.js on the database that the environment or `.env`
 * names, or else on the embedded one of `npm start`.
 *
 * `generate` and `check` compare the entities with what the migrations make, and `verify` takes those back: in a scratch
 * database of that server, or of an ephemeral one. The developer's own database is not touched.
 */

const PRETTIER = join(ROOT, 'node_modules', 'prettier', 'bin', 'prettier.cjs');
const MIGRATE = join(ROOT, 'dist', 'database', 'migrate.js');
const USAGE = 'npm run migration:generate -- src/database/migrations/<Name>';

const COMMANDS: Readonly<Record<string, (args: readonly string[]) => Promise<number>>> = {
  generate: (args) => develop(['generate', ...args]),
  check: () => develop(['check']),
  verify: (args) => onServer((target) => runNode([MIGRATE, 'verify', ...args], target)),
  run: (args) => onOwnDatabase('up', ...args),
  revert: (args) => onOwnDatabase('down', '--yes', ...args),
  show: (args) => onOwnDatabase('status', ...args),
  plan: (args) => onOwnDatabase('plan', ...args),
  baseline: (args) => onOwnDatabase('baseline', ...args),
};

/** Environment variables that name the database to work on. */
type Target = Readonly<Record<string, string>>;

const children = new Set<ChildProcess>();

process.chdir(ROOT);
try {
  const [name = '', ...args] = process.argv.slice(2);
  const command = COMMANDS[name];
  if (!command) throw new ExplainedError(`no such command; there are ${Object.keys(COMMANDS).join(', ')}`);
  process.exitCode = await command(args);
} catch (error) {
  console.error(`migrations: ${explain(error)}`);
  process.exitCode = 1;
}

async function develop(args: string[]): Promise<number> {
  const { runCommand } = (await import(
    `${DIST.href}migrator/commands/command.js`
  )) as typeof import('../src/migrator/commands/command.js');
  const { develop: commands } = (await import(
    `${DIST.href}migrator/commands/develop.js`
  )) as typeof import('../src/migrator/commands/develop.js');
  const { loadCommandConfig } = (await import(
    `${DIST.href}config/config.js`
  )) as typeof import('../src/config/config.js');
  const { migratorOptions } = (await import(
    `${DIST.href}database/migrator-options.js`
  )) as typeof import('../src/database/migrator-options.js');
  const format = (files: readonly string[]) =>
    runNode([PRETTIER, '--write', '--log-level=warn', ...files], {});
  return runCommand('npm run migration:generate --', args, [commands(USAGE, format)], {
    log: { info: (line) => console.log(line), warn: (line) => console.warn(line) },
    withOptions: (work) =>
      onServer((target) => work(migratorOptions(loadCommandConfig({ ...readEnvironment(), ...target })))),
  });
}

function onOwnDatabase(...args: readonly string[]): Promise<number> {
  if (databaseSetting(readEnvironment()) !== undefined) return runNode([MIGRATE, ...args], {});
  return onEmbeddedDatabase(
    (line) => console.error(line),
    (url) => runNode([MIGRATE, ...args], only(url)),
  );
}

/**
 * On the server that the settings name, or on an ephemeral one.
 *
 * @param task makes a scratch database of its own
 */
async function onServer<T>(task: (target: Target) => Promise<T>): Promise<T> {
  if (databaseSetting(readEnvironment()) !== undefined) return task({});
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

/** That database, for migrations too. */
function only(url: string): Target {
  return { DATABASE_URL: url, MIGRATIONS_DATABASE_URL: '', MIGRATIONS_DATABASE_URL_FILE: '' };
}

/** @returns exit code */
function runNode(args: readonly string[], target: Target): Promise<number> {
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
