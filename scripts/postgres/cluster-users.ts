import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { lock } from 'proper-lockfile';
import { ExplainedError, codeOf, shortPath } from '../explained-error.js';

/** A lock that was not refreshed for so long is of a process that was killed. */
const STALE_AFTER_MS = 5_000;
const LOCK_TRIES = 600;
const LOCK_TRY_MS = 200;

/** Runs a task that no other process runs for this folder at the same time. */
export async function withLock<T>(folder: string, task: () => Promise<T>): Promise<T> {
  const release = await lock(folder, {
    stale: STALE_AFTER_MS,
    retries: { retries: LOCK_TRIES, factor: 1, minTimeout: LOCK_TRY_MS },
  }).catch((error: unknown) => {
    if (codeOf(error) !== 'ELOCKED') throw error;
    const waited = (LOCK_TRIES * LOCK_TRY_MS) / 1000;
    throw new ExplainedError(
      `another process starts or stops ${shortPath(folder)} for over ${waited} s: end it`,
    );
  });
  try {
    return await task();
  } finally {
    await release();
  }
}

/**
 * The processes that use a cluster: a file for each, named by its id, with what tells it from a later process that got
 * the same id. proper-lockfile cannot do this part: it cannot say which process holds a lock, and takes 5 s to notice
 * that one was killed. To be called under the lock.
 */
export class ClusterUsers {
  private readonly own: string;

  constructor(private readonly folder: string) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    this.own = join(folder, String(process.pid));
  }

  /** @param purpose only one process can have it at a time */
  join(purpose = ''): void {
    const same = this.others().find((user) => purpose !== '' && user.purpose === purpose);
    if (same) {
      throw new ExplainedError(
        `it is running already in this folder, as process ${same.pid}: stop that one first (kill ${same.pid})`,
      );
    }
    const identity = String(identityOf(process.pid));
    writeFileSync(this.own, `${process.pid} ${identity} ${purpose}\n`, { mode: 0o600 });
  }

  leave(): void {
    rmSync(this.own, { force: true });
  }

  /** The living ones but this process. */
  others(): { pid: number; purpose: string }[] {
    return readdirSync(this.folder).flatMap((name) => {
      const pid = Number(name);
      if (pid === process.pid) return [];
      const file = join(this.folder, name);
      const [, identity, purpose = ''] = /^\d+ (\S+) ?(.*)\n$/.exec(readFileSync(file, 'utf8')) ?? [];
      if (identity !== undefined && identityOf(pid) === identity) return { pid, purpose };
      rmSync(file, { force: true });
      return [];
    });
  }
}

/** What tells a process from a later one that got the same id: its start time. Undefined when it does not run. */
export function identityOf(pid: number): string | undefined {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: it runs, as another user.
    if (codeOf(error) !== 'EPERM') return undefined;
  }
  if (process.platform === 'win32') return 'unknown';
  try {
    if (process.platform === 'linux') {
      // proc(5): the command, in parentheses, may hold anything; state is the field after it, start time the 20th.
      const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return fields[0] === 'Z' ? undefined : fields[19];
    }
    const started = execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], {
      encoding: 'utf8',
      stdio: 'pipe',
    });
    return started.trim().replace(/\s+/g, '-');
  } catch {
    return process.platform === 'linux' ? undefined : 'unknown';
  }
}
