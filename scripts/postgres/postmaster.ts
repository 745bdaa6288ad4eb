import { execFileSync } from 'node:child_process';
import { closeSync, openSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { ExplainedError, codeOf, shortPath } from '../explained-error.js';
import { freePort } from '../free-port.js';
import { giveTo, reasonIn, run, type ClusterHome } from './cluster-home.js';
import { identityOf } from './cluster-users.js';

/** Crash recovery included. */
const START_TIMEOUT_MS = 120_000;
const FAST_STOP_TIMEOUT_S = 20;
const IMMEDIATE_STOP_TIMEOUT_S = 10;
const LOG_LIMIT_BYTES = 10 * 1024 * 1024;

/** SQLSTATE of a wrong password: no retry can help. */
const INVALID_PASSWORD = '28P01';

/** Values without spaces. */
export type Settings = Readonly<Record<string, string>>;

/** Returns when the server answers, whoever started it. */
export async function ensureRunning(
  home: ClusterHome,
  settings: Settings,
): Promise<{ port: number; adopted: boolean }> {
  const deadline = Date.now() + START_TIMEOUT_MS;
  let adopted = true;
  let problem = '';
  while (Date.now() < deadline) {
    const running = readPostmaster(home);
    if (running) {
      problem = await probe(urlOf(home, running.port, 'postgres'));
      if (problem === '') {
        writeFileSync(home.portFile, `${running.port}\n`, { mode: 0o600 });
        return { port: running.port, adopted };
      }
      // On its way up or, after a stop that was interrupted, down.
      await sleep(100);
    } else {
      adopted = false;
      problem = await startPostmaster(home, settings);
      if (problem !== '') await sleep(500);
    }
  }
  throw new ExplainedError(
    `PostgreSQL in ${shortPath(home.folder)} does not come up: ${problem}; its log is ${shortPath(home.logFile)}`,
  );
}

export async function stopPostmaster(home: ClusterHome, mode: 'fast' | 'immediate'): Promise<void> {
  if (!readPostmaster(home)) return;
  const { output } = await run(home, home.binaries.pg_ctl, [
    'stop',
    `--pgdata=${home.data}`,
    `--mode=${mode}`,
    `--timeout=${mode === 'fast' ? FAST_STOP_TIMEOUT_S : IMMEDIATE_STOP_TIMEOUT_S}`,
    '--wait',
    '--silent',
  ]);
  const left = readPostmaster(home);
  if (!left) return;
  if (mode === 'fast') return stopPostmaster(home, 'immediate');
  throw new ExplainedError(`PostgreSQL (process ${left.pid}) does not stop: ${reasonIn(output)}`);
}

/** Ends the server at once, without waiting; it recovers at the next start. */
export function killPostmaster(home: ClusterHome): void {
  const running = readPostmaster(home);
  // https://www.postgresql.org/docs/current/server-shutdown.html: SIGQUIT is the immediate shutdown.
  if (running) process.kill(running.pid, 'SIGQUIT');
}

export function urlOf({ passwordFile }: ClusterHome, port: number, databaseName: string): string {
  const password = readFileSync(passwordFile, 'utf8').trim();
  return `postgres://postgres:${password}@127.0.0.1:${port}/${encodeURIComponent(databaseName)}`;
}

/**
 * @returns the reason to try again, empty when the server answers
 * @throws {ExplainedError} where trying again is of no use
 */
async function probe(url: string): Promise<string> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2_000 });
  client.on('error', () => {});
  try {
    await client.connect();
    return '';
  } catch (error) {
    if (codeOf(error) === INVALID_PASSWORD) {
      throw new ExplainedError(
        'the embedded PostgreSQL refuses the password kept beside its data: put that file back',
      );
    }
    return (error as Error).message || String(codeOf(error));
  } finally {
    await client.end().catch(() => {});
  }
}

/**
 * @returns the reason to try again, empty when it was started
 * @throws {ExplainedError} where trying again is of no use
 */
async function startPostmaster(home: ClusterHome, settings: Settings): Promise<string> {
  const port = await freePort(readPort(home.portFile));
  const options = Object.entries({ ...settings, port }).map(([name, value]) => `-c ${name}=${value}`);
  const logStart = prepareLog(home);
  const { code, output } = await run(home, home.binaries.pg_ctl, [
    'start',
    `--pgdata=${home.data}`,
    `--log=${home.logFile}`,
    `--options=${options.join(' ')}`,
    `--timeout=${START_TIMEOUT_MS / 1000}`,
    '--wait',
    '--silent',
  ]);
  if (code === 0) return '';
  const log = readFileSync(home.logFile).subarray(logStart).toString();
  const reason = reasonIn(log) || reasonIn(output);
  // A port that was taken meanwhile; a postmaster that another process has just started; and, when the postmaster
  // alone was killed, its children, which end as soon as they notice.
  if (/could not bind|could not create any TCP|already exists|still in use/.test(log)) {
    rmSync(home.portFile, { force: true });
    return reason;
  }
  throw new ExplainedError(
    `PostgreSQL in ${shortPath(home.folder)} did not start: ${reason}; its log is ${shortPath(home.logFile)}`,
  );
}

/** @returns size of the log, in bytes */
function prepareLog({ logFile, user }: ClusterHome): number {
  const size = statSync(logFile, { throwIfNoEntry: false })?.size ?? 0;
  if (size > LOG_LIMIT_BYTES) renameSync(logFile, `${logFile}.old`);
  closeSync(openSync(logFile, 'a', 0o600));
  giveTo(user, logFile);
  return statSync(logFile).size;
}

function readPort(file: string): number | undefined {
  try {
    const port = Number(readFileSync(file, 'utf8'));
    return Number.isInteger(port) && port > 0 && port < 65_536 ? port : undefined;
  } catch {
    return undefined;
  }
}

/**
 * The running server of this data directory, by the file it keeps there. A file whose process id now belongs to
 * another program is removed, since PostgreSQL would not start; PostgreSQL itself handles an id that nothing has.
 */
function readPostmaster({ data }: ClusterHome): { pid: number; port: number } | undefined {
  const file = join(data, 'postmaster.pid');
  let lines: string[];
  try {
    lines = readFileSync(file, 'utf8').split('\n');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
  // https://www.postgresql.org/docs/18/storage-file-layout.html: process id, data directory, start, port, …
  const pid = Number(lines[0]);
  if (!Number.isInteger(pid) || pid < 2 || identityOf(pid) === undefined) return undefined;
  if (!isPostmasterOf(data, pid)) {
    rmSync(file, { force: true });
    return undefined;
  }
  return { pid, port: Number(lines[3]) };
}

/** @param pid of a running process */
function isPostmasterOf(data: string, pid: number): boolean {
  if (process.platform === 'win32') return true;
  try {
    if (process.platform === 'linux') {
      const [program = '', ...options] = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
      return basename(program) === 'postgres' && options.includes(data);
    }
    const command = execFileSync('ps', ['-ww', '-o', 'command=', '-p', String(pid)], { encoding: 'utf8' });
    return command.includes('postgres') && command.includes(data);
  } catch {
    return false;
  }
}
