import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createDatabaseIfMissing, startCluster } from './embedded-postgres.js';
import {
  ROOT,
  STATE_FOLDER,
  databaseSetting,
  isSet,
  makeStateFolder,
  readEnvironment,
} from './environment.js';
import { ExplainedError, explain, shortPath } from './explained-error.js';
import { tryLock } from './lock-file.js';

/**
 * `npm start`: runs the built service, on the database that the environment or `.env` names, or else on an embedded
 * PostgreSQL under `.data`, which is stopped after the service has ended, in whatever way it did.
 */

const PROGRAM = join(ROOT, 'dist', 'main.js');
const DATABASE = 'entries';

/** RFC 7518 §3.2 asks for 32 bytes or more. */
const SECRET_BYTES = 48;

/** A Ctrl-C under npm comes twice, from the terminal and from npm: the second would cut the shutdown short. */
const SAME_SIGNAL_MS = 250;

const REFUSAL_HINT =
  '; make this folder yours to write in, or set DATABASE_URL and JWT_SECRET, and nothing is kept here';

const PARENT_CHECK_MS = 250;

/** @typedef {'SIGINT' | 'SIGTERM' | 'SIGHUP'} StopSignal */

const signals = listenForSignals();
// The terminal or the pipe may be gone before us: what cannot be said any more must not end us half-way.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
process.chdir(ROOT);

try {
  process.exitCode = await start();
} catch (error) {
  console.error(`npm start: ${explain(error)}${isRefusal(error) ? REFUSAL_HINT : ''}`);
  process.exitCode = 1;
}
signals.ignore();

/** @param {unknown} error */
function isRefusal(error) {
  return ['EACCES', 'EPERM', 'EROFS'].includes(/** @type {NodeJS.ErrnoException} */ (error)?.code ?? '');
}

/** @returns {Promise<number>} exit code */
async function start() {
  if (!existsSync(PROGRAM))
    throw new ExplainedError(`${shortPath(PROGRAM)} does not exist: run npm run build`);
  const env = readEnvironment();
  const setting = databaseSetting(env);
  if (setting !== undefined) {
    console.log(`database: the one that ${setting} names`);
    return runService(secretFor(env));
  }
  makeStateFolder();
  const lock = await lockFolder();
  try {
    return await startOnEmbeddedDatabase(env);
  } finally {
    lock.release();
  }
}

/** @throws {ExplainedError} where another `npm start` of this folder runs */
async function lockFolder() {
  for (;;) {
    const lock = tryLock(join(STATE_FOLDER, 'start.lock'));
    if ('release' in lock) return lock;
    const { heldBy } = lock;
    if (heldBy !== 0) {
      throw new ExplainedError(
        `it is running already in this folder, as process ${heldBy}: stop that one first (kill ${heldBy})`,
      );
    }
    await sleep(50);
  }
}

/** @param {import('./environment.js').Environment} env */
async function startOnEmbeddedDatabase(env) {
  const cluster = await startCluster({ directory: join(STATE_FOLDER, 'postgres'), log: console.log });
  try {
    const url = cluster.url(DATABASE);
    await createDatabaseIfMissing(url);
    return await runService({
      DATABASE_URL: url,
      ...(isSet(env, 'HOST') ? {} : { HOST: '127.0.0.1' }),
      ...secretFor(env),
    });
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
 * once. By the IPC channel it notices when this process is killed.
 *
 * @param {Readonly<Record<string, string>>} settings for its environment
 * @returns {Promise<number>} exit code
 */
function runService(settings) {
  const early = signals.received();
  if (early) return Promise.resolve(exitCodeOf(early));
  return new Promise((resolve, reject) => {
    const service = spawn(process.execPath, [PROGRAM], {
      detached: true,
      env: { ...process.env, ...settings },
      // Not the terminal's input: a background process that reads it is stopped.
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    signals.forwardTo((signal) => service.kill(signal));
    service.once('error', reject);
    service.once('exit', (code, signal) => {
      if (signal) console.error(`npm start: the service was ended by ${signal}`);
      resolve(code ?? (signal ? exitCodeOf(signal) : 1));
    });
  });
}

/**
 * The secret that signs tokens, made at the first start, where the environment gives none.
 *
 * @param {import('./environment.js').Environment} env
 * @returns {Record<string, string>}
 */
function secretFor(env) {
  if (isSet(env, 'JWT_SECRET') || isSet(env, 'JWT_SECRET_FILE')) return {};
  const file = join(STATE_FOLDER, 'jwt-secret');
  const kept = readSecret(file);
  if (kept !== undefined) return { JWT_SECRET: kept };
  makeStateFolder();
  // Written whole or not at all, so that no later start reads half of it.
  const draft = `${file}.${process.pid}`;
  rmSync(draft, { force: true });
  writeFileSync(draft, `${randomBytes(SECRET_BYTES).toString('base64url')}\n`, { mode: 0o600, flag: 'wx' });
  renameSync(draft, file);
  console.log(`secret: made one for JWT_SECRET, kept in ${shortPath(file)}`);
  return { JWT_SECRET: readSecret(file) ?? '' };
}

/**
 * @param {string} file
 * @returns {string | undefined} undefined when there is no such file
 */
function readSecret(file) {
  try {
    return readFileSync(file, 'utf8').trim() || undefined;
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code === 'ENOENT') return undefined;
    throw new ExplainedError(
      `cannot read ${shortPath(file)}: give it to the user who runs this, or set JWT_SECRET`,
    );
  }
}

/** From now on a signal ends nothing by itself: what has been started is to be stopped first. */
function listenForSignals() {
  /** @type {StopSignal | undefined} */
  let first;
  /** @type {(signal: StopSignal) => void} */
  let forward = () => {};
  /** @type {Map<StopSignal, number>} */
  const lastAt = new Map();
  /** @param {StopSignal} signal */
  const receive = (signal) => {
    const now = Date.now();
    if (now - (lastAt.get(signal) ?? -Infinity) < SAME_SIGNAL_MS) return;
    lastAt.set(signal, now);
    first ??= signal;
    forward(signal);
  };
  /** @type {StopSignal[]} */
  const stopSignals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
  for (const signal of stopSignals) process.on(signal, receive);
  if (isSet(process.env, 'npm_lifecycle_event')) whenParentEnds(() => receive('SIGTERM'));
  return {
    received: () => first,
    /** @param {(signal: StopSignal) => void} target */
    forwardTo: (target) => (forward = target),
    ignore: () => (forward = () => {}),
  };
}

/**
 * npm passes a SIGTERM on to the shell that it has started us by, and that ends without a word to us.
 *
 * @param {() => void} then
 */
function whenParentEnds(then) {
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    then();
  }, PARENT_CHECK_MS).unref();
}

/**
 * @param {NodeJS.Signals} signal
 * @returns {number} as a shell reports it
 */
function exitCodeOf(signal) {
  return 128 + constants.signals[signal];
}
