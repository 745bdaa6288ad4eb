import { execFileSync } from 'node:child_process';
import {
  closeSync,
  openSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { giveTo } from './data-directory.js';
import { ExplainedError, shortPath } from './explained-error.js';
import { freePort } from './free-port.js';
import { identityOf } from './lock-file.js';
import { reasonIn, run } from './postgres-program.js';

/** Crash recovery included. */
const START_TIMEOUT_MS = 120_000;
const FAST_STOP_TIMEOUT_S = 20;
const IMMEDIATE_STOP_TIMEOUT_S = 10;
const LOG_LIMIT_BYTES = 10 * 1024 * 1024;

/** SQLSTATE of a wrong password: no later try will do better. */
const INVALID_PASSWORD = '28P01';

/** @typedef {import('./data-directory.js').Places} Places */
/** @typedef {import('./postgres-program.js').Installation} Installation */

/**
 * Returns when the server answers, whoever started it.
 *
 * @param {Places} places
 * @param {Installation} installation
 * @param {Readonly<Record<string, string>>} settings
 * @returns {Promise<{ port: number, adopted: boolean }>}
 */
export async function ensureRunning(places, installation, settings) {
  const deadline = Date.now() + START_TIMEOUT_MS;
  let adopted = true;
  let problem = '';
  while (Date.now() < deadline) {
    const running = readPostmaster(places);
    if (running) {
      problem = await probe(connection(places, running.port).url('postgres'));
      if (problem === '') {
        writeFileSync(places.port, `${running.port}\n`, { mode: 0o600 });
        return { port: running.port, adopted };
      }
      // On its way up or, after a stop that was broken off, down.
      await sleep(100);
    } else {
      adopted = false;
      problem = await startPostmaster(places, installation, settings);
      if (problem !== '') await sleep(500);
    }
  }
  throw new ExplainedError(
    `PostgreSQL in ${shortPath(places.home)} does not come up: ${problem}; its log is ${shortPath(places.log)}`,
  );
}

/**
 * @param {Places} places
 * @param {Installation} installation
 * @param {'fast' | 'immediate'} mode
 */
export async function stopPostmaster(places, installation, mode) {
  const timeout = mode === 'fast' ? FAST_STOP_TIMEOUT_S : IMMEDIATE_STOP_TIMEOUT_S;
  if (!readPostmaster(places)) return;
  const { output } = await run(places, installation, installation.binaries.pg_ctl, [
    'stop',
    `--pgdata=${places.data}`,
    `--mode=${mode}`,
    `--timeout=${timeout}`,
    '--wait',
    '--silent',
  ]);
  const left = readPostmaster(places);
  if (!left) return;
  if (mode === 'fast') return stopPostmaster(places, installation, 'immediate');
  throw new ExplainedError(`PostgreSQL (process ${left.pid}) does not stop: ${reasonIn(output)}`);
}

/**
 * Ends the server at once and with no time to wait: it lets go of its children, and recovers at the next start.
 *
 * @param {Places} places
 */
export function killPostmaster(places) {
  const running = readPostmaster(places);
  // https://www.postgresql.org/docs/current/server-shutdown.html: SIGQUIT is the immediate shutdown.
  if (running) process.kill(running.pid, 'SIGQUIT');
}

/**
 * @param {Places} places
 * @param {number} port
 */
export function connection(places, port) {
  const password = readFileSync(places.password, 'utf8').trim();
  return {
    port,
    /** @param {string} databaseName */
    url: (databaseName) =>
      `postgres://postgres:${password}@127.0.0.1:${port}/${encodeURIComponent(databaseName)}`,
  };
}

/**
 * @param {string} url
 * @returns {Promise<string>} the reason to try again, empty when the server answers
 * @throws {ExplainedError} where trying again is of no use
 */
async function probe(url) {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2_000 });
  client.on('error', () => {});
  try {
    await client.connect();
    return '';
  } catch (error) {
    const { code, message } = /** @type {pg.DatabaseError} */ (error);
    if (code === INVALID_PASSWORD) {
      throw new ExplainedError(
        'the embedded PostgreSQL refuses the password kept beside its data: put that file back',
      );
    }
    return message || String(code);
  } finally {
    await client.end().catch(() => {});
  }
}

/**
 * @param {Places} places
 * @param {Installation} installation
 * @param {Readonly<Record<string, string>>} settings values without spaces
 * @returns {Promise<string>} the reason to try again, empty when it was started
 * @throws {ExplainedError} where trying again is of no use
 */
async function startPostmaster(places, installation, settings) {
  const port = await freePort(readNumber(places.port));
  const options = Object.entries({ ...settings, port }).map(([name, value]) => `-c ${name}=${value}`);
  const logStart = prepareLog(places, installation);
  const { code, output } = await run(places, installation, installation.binaries.pg_ctl, [
    'start',
    `--pgdata=${places.data}`,
    `--log=${places.log}`,
    `--options=${options.join(' ')}`,
    `--timeout=${START_TIMEOUT_MS / 1000}`,
    '--wait',
    '--silent',
  ]);
  if (code === 0) return '';
  const log = readFileSync(places.log).subarray(logStart).toString();
  const reason = reasonIn(log) || reasonIn(output);
  // A port that was taken meanwhile; a postmaster that another process has just started; and, when the postmaster
  // alone was killed, its children, which end as soon as they notice.
  if (/could not bind|could not create any TCP|already exists|still in use/.test(log)) {
    rmSync(places.port, { force: true });
    return reason;
  }
  throw new ExplainedError(
    `PostgreSQL in ${shortPath(places.home)} did not start: ${reason}; its log is ${shortPath(places.log)}`,
  );
}

/**
 * @param {Places} places
 * @param {Installation} installation
 * @returns {number} size of the log, in bytes
 */
function prepareLog(places, installation) {
  const size = statSync(places.log, { throwIfNoEntry: false })?.size ?? 0;
  if (size > LOG_LIMIT_BYTES) renameSync(places.log, `${places.log}.old`);
  closeSync(openSync(places.log, 'a', 0o600));
  giveTo(installation.user, places.log);
  return statSync(places.log).size;
}

/**
 * The running server of this data directory, by the file it keeps there. A file whose process id now belongs to
 * something else is removed, since PostgreSQL would not start beside it; it deals with one that belongs to nothing.
 *
 * @param {Places} places
 * @returns {{ pid: number, port: number } | undefined}
 */
function readPostmaster({ data }) {
  const file = join(data, 'postmaster.pid');
  let lines;
  try {
    lines = readFileSync(file, 'utf8').split('\n');
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code === 'ENOENT') return undefined;
    throw error;
  }
  // https://www.postgresql.org/docs/18/storage-file-layout.html: process id, data directory, start, port, …
  const pid = Number(lines[0]);
  const port = Number(lines[3]);
  if (!Number.isInteger(pid) || pid < 2 || identityOf(pid) === undefined) return undefined;
  if (!isPostmasterOf(data, pid)) {
    rmSync(file, { force: true });
    return undefined;
  }
  return { pid, port };
}

/**
 * @param {string} data
 * @param {number} pid of a running process
 */
function isPostmasterOf(data, pid) {
  if (process.platform === 'win32') return true;
  if (process.platform === 'linux') {
    try {
      if (readlinkSync(`/proc/${pid}/cwd`) === data) return true;
    } catch {
      // Of another user, and in a container not even root may look: the command line is for all to see.
    }
    try {
      const [program = '', ...options] = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
      return basename(program) === 'postgres' && options.includes(data);
    } catch {
      return false;
    }
  }
  try {
    const command = execFileSync('ps', ['-ww', '-o', 'command=', '-p', String(pid)], { encoding: 'utf8' });
    return command.includes('postgres') && command.includes(data);
  } catch {
    return false;
  }
}

/** @param {string} file */
function readNumber(file) {
  try {
    const number = Number(readFileSync(file, 'utf8'));
    return Number.isInteger(number) && number > 0 && number < 65_536 ? number : undefined;
  } catch {
    return undefined;
  }
}
