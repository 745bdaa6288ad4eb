import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { readEnvironment, type Environment } from '../src/config/environment.js';
import { ROOT, STATE_FOLDER, databaseSetting, isSet, makeStateFolder } from './environment.js';
import { ExplainedError, codeOf, explain, shortPath } from './explained-error.js';
import { entriesDatabaseOf, startCluster } from './postgres/embedded-postgres.js';

/**
 * `npm start`: runs the built service, on the database that the environment or `.env` names, or else on an embedded
 * PostgreSQL under `.data`, which is stopped after the service has ended, in whatever way it did.
 *
 * `npm run start:dev` is the same with `--watch`: `nest start --watch` builds the service and runs it.
 */

const IS_WATCHING = process.argv.includes('--watch');
const COMMAND = IS_WATCHING ? 'npm run start:dev' : 'npm start';

/** By `exec`, the service takes the place of the shell that Nest's CLI starts it in: so a signal reaches the service. */
const NEST_START = [
  join(ROOT, 'node_modules', '@nestjs', 'cli', 'bin', 'nest.js'),
  ...['start', '--watch', '--preserveWatchOutput', '--exec', 'exec node'],
];
const PROGRAM = join(ROOT, 'dist', 'main.js');

/** RFC 7518 §3.2 asks for 32 bytes or more. */
const SECRET_BYTES = 48;

/** A Ctrl-C under npm comes twice, from the terminal and from npm: the second would cut the shutdown short. */
const SAME_SIGNAL_MS = 250;

const PARENT_CHECK_MS = 250;

const REFUSAL_HINT =
  '; make this folder yours to write in, or set DATABASE_URL and JWT_SECRET, and nothing is kept here';

let firstSignal: NodeJS.Signals | undefined;
let service: ChildProcess | undefined;

stopOnSignals();
// The terminal or the pipe may be gone before us: what cannot be printed must not end us half-way.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
process.chdir(ROOT);

try {
  process.exitCode = await start();
} catch (error) {
  const isRefused = ['EACCES', 'EPERM', 'EROFS'].includes(codeOf(error) ?? '');
  console.error(`${COMMAND}: ${explain(error)}${isRefused ? REFUSAL_HINT : ''}`);
  process.exitCode = 1;
}

/** @returns exit code */
async function start(): Promise<number> {
  if (!IS_WATCHING && !existsSync(PROGRAM))
    throw new ExplainedError(`${shortPath(PROGRAM)} does not exist: run npm run build`);
  const env = readEnvironment();
  const setting = databaseSetting(env);
  if (setting !== undefined) {
    console.log(`database: the one that ${setting} names`);
    return runService(secretFor(env));
  }
  const cluster = await startCluster((line) => console.log(line), 'npm start');
  try {
    const host = isSet(env, 'HOST') ? {} : { HOST: '127.0.0.1' };
    return await runService({ DATABASE_URL: await entriesDatabaseOf(cluster), ...host, ...secretFor(env) });
  } finally {
    const folder = shortPath(join(STATE_FOLDER, 'postgres'));
    const stopped = await cluster.stop();
    console.log(
      stopped
        ? `stopped: data is kept in ${folder}`
        : `stopped, but for the database in ${folder}, which another process is using`,
    );
  }
}

/**
 * Runs the service until it ends, in a process group of its own: so a Ctrl-C reaches it through this process alone,
 * once. By the IPC channel it notices when this process is killed; Nest's CLI does not.
 *
 * @param settings for its environment
 * @returns exit code
 */
async function runService(settings: Environment): Promise<number> {
  if (firstSignal) return exitCodeOf(firstSignal);
  console.log('stop: Ctrl-C');
  // Under Nest's CLI too: its output need not be a terminal.
  const log = isSet(readEnvironment(), 'LOG_FORMAT') ? {} : { LOG_FORMAT: 'pretty' };
  const child = spawn(process.execPath, IS_WATCHING ? NEST_START : [PROGRAM], {
    detached: true,
    env: { ...process.env, ...(IS_WATCHING && log), ...settings },
    // Not the terminal's input: a background process that reads it is stopped.
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  service = child;
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      service = undefined;
      if (IS_WATCHING) endGroup(child.pid);
      if (signal) console.error(`${COMMAND}: the service was ended by ${signal}`);
      resolve(code ?? (signal ? exitCodeOf(signal) : 1));
    });
  });
}

/** Ends the service if Nest's CLI has left it running. */
function endGroup(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGTERM');
  } catch (error) {
    if (codeOf(error) !== 'ESRCH') throw error;
  }
}

/** As a shell reports it. */
function exitCodeOf(signal: NodeJS.Signals): number {
  return 128 + constants.signals[signal];
}

/** The secret that signs tokens, made at the first start, where the environment gives none. */
function secretFor(env: Environment): Record<string, string> {
  if (isSet(env, 'JWT_SECRET') || isSet(env, 'JWT_SECRET_FILE')) return {};
  const file = join(STATE_FOLDER, 'jwt-secret');
  const kept = readSecret(file);
  if (kept !== undefined) return { JWT_SECRET: kept };
  makeStateFolder();
  // Renamed when it is complete, so that no later start reads half of it.
  const draft = `${file}.${process.pid}`;
  rmSync(draft, { force: true });
  const secret = randomBytes(SECRET_BYTES).toString('base64url');
  writeFileSync(draft, `${secret}\n`, { mode: 0o600, flag: 'wx' });
  renameSync(draft, file);
  console.log(`secret: made one for JWT_SECRET, kept in ${shortPath(file)}`);
  return { JWT_SECRET: secret };
}

function readSecret(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8').trim() || undefined;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw new ExplainedError(
      `cannot read ${shortPath(file)}: give it to the user who runs this, or set JWT_SECRET`,
    );
  }
}

/** A signal stops the service, and so lets this process stop the database. */
function stopOnSignals(): void {
  const lastAt = new Map<NodeJS.Signals, number>();
  const receive = (signal: NodeJS.Signals) => {
    const now = Date.now();
    if (now - (lastAt.get(signal) ?? -Infinity) < SAME_SIGNAL_MS) return;
    lastAt.set(signal, now);
    firstSignal ??= signal;
    // Nest's CLI does not pass a SIGHUP on.
    service?.kill(IS_WATCHING ? 'SIGTERM' : signal);
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, receive);
  // npm passes a SIGTERM on to the shell that it has started us by, which ends without passing it on.
  if (!isSet(process.env, 'npm_lifecycle_event')) return;
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    receive('SIGTERM');
  }, PARENT_CHECK_MS).unref();
}
