import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ExplainedError, shortPath } from './explained-error.js';

/** A lock file without content, or a takeover, is that of a process which died in the midst of it: after 5 s. */
const ABANDONED_AFTER_MS = 5_000;

/**
 * What tells a process from a later one that got the same id: its start time. Undefined when it does not run.
 *
 * @param {number} pid
 * @returns {string | undefined}
 */
export function identityOf(pid) {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: it runs, as another user.
    if (codeOf(error) !== 'EPERM') return undefined;
  }
  if (process.platform === 'win32') return 'unknown';
  if (process.platform === 'linux') {
    try {
      // proc(5): the command, in parentheses, may hold anything; state is the field after it, start time the 20th.
      const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return fields[0] === 'Z' ? undefined : fields[19];
    } catch {
      return undefined;
    }
  }
  try {
    const started = execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], {
      encoding: 'utf8',
      stdio: 'pipe',
    });
    return started.trim().replace(/\s+/g, '-');
  } catch {
    return 'unknown';
  }
}

/**
 * Takes the lock, or says which process has it. A lock whose process has ended is taken over.
 *
 * @param {string} path
 * @returns {{ release: () => void } | { heldBy: number }} heldBy is a process id, 0 while it cannot be told yet
 */
export function tryLock(path) {
  const mine = signature();
  for (;;) {
    try {
      writeFileSync(path, mine, { flag: 'wx', mode: 0o600 });
      return { release: () => release(path, mine) };
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error;
    }
    const holder = readLock(path);
    if (holder === undefined) continue;
    if (holder.alive) return { heldBy: holder.pid };
    if (!removeStale(path, holder.text)) return { heldBy: 0 };
  }
}

/**
 * Runs `task` while holding the lock, waiting for it if need be.
 *
 * @template T
 * @param {string} path
 * @param {() => Promise<T>} task
 * @param {number} [waitMs]
 * @returns {Promise<T>}
 */
export async function withLock(path, task, waitMs = 120_000) {
  const deadline = Date.now() + waitMs;
  for (;;) {
    const lock = tryLock(path);
    if ('release' in lock) {
      try {
        return await task();
      } finally {
        lock.release();
      }
    }
    if (Date.now() > deadline) {
      throw new ExplainedError(
        `process ${lock.heldBy} has held ${shortPath(path)} for ${waitMs / 1000} s: end it`,
      );
    }
    await sleep(50);
  }
}

/**
 * Notes in `folder` that this process uses something shared, until `leave` is called or the process ends.
 *
 * @param {string} folder an existing one
 * @returns {{ others: () => number[], leave: () => void }} others: the living processes noted there, but this one
 */
export function joinUsers(folder) {
  const own = join(folder, String(process.pid));
  writeFileSync(own, signature(), { mode: 0o600 });
  return {
    others: () =>
      readdirSync(folder)
        .filter((name) => name !== String(process.pid))
        .filter((name) => {
          const user = readLock(join(folder, name));
          if (user?.alive === false) rmSync(join(folder, name), { force: true });
          return user?.alive === true;
        })
        .map(Number),
    leave: () => rmSync(own, { force: true }),
  };
}

function signature() {
  return `${process.pid} ${identityOf(process.pid)}\n`;
}

/**
 * @param {string} path
 * @returns {{ text: string, pid: number, alive: boolean } | undefined} undefined when there is no such file
 */
function readLock(path) {
  let text;
  let ageMs;
  try {
    text = readFileSync(path, 'utf8');
    ageMs = Date.now() - statSync(path).mtimeMs;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
  const match = /^(\d+) (\S+)\n$/.exec(text);
  if (!match) return { text, pid: 0, alive: ageMs < ABANDONED_AFTER_MS };
  const pid = Number(match[1]);
  return { text, pid, alive: identityOf(pid) === match[2] };
}

/**
 * Removes a dead process's lock. Of several that try at once only one does, or else the second could remove the
 * lock that the first has just taken.
 *
 * @param {string} path
 * @param {string} staleText what the lock held when it was found stale
 * @returns {boolean} false: another is at it
 */
function removeStale(path, staleText) {
  const takeover = `${path}.takeover`;
  try {
    writeFileSync(takeover, '', { flag: 'wx', mode: 0o600 });
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
    dropAbandoned(takeover);
    return false;
  }
  try {
    if (readLock(path)?.text === staleText) rmSync(path, { force: true });
    return true;
  } finally {
    rmSync(takeover, { force: true });
  }
}

/** @param {string} takeover */
function dropAbandoned(takeover) {
  try {
    if (Date.now() - statSync(takeover).mtimeMs < ABANDONED_AFTER_MS) return;
    const aside = `${takeover}.${randomBytes(4).toString('hex')}`;
    renameSync(takeover, aside);
    rmSync(aside, { force: true });
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
  }
}

/**
 * @param {string} path
 * @param {string} mine
 */
function release(path, mine) {
  if (readLock(path)?.text === mine) rmSync(path, { force: true });
}

/** @param {unknown} error */
function codeOf(error) {
  return /** @type {NodeJS.ErrnoException} */ (error).code;
}
