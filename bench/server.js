import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { ROOT } from '../scripts/environment.js';
import { freePort } from '../scripts/free-port.js';

const READY_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 15_000;

/** Between two tries of /health: what a boot time is measured to. */
const PROBE_MS = 5;

/** USER_HZ of Linux on every architecture that Node supports: proc_pid_stat(5) counts in it. */
const TICKS_PER_SECOND = 100;

/** @typedef {Readonly<Record<string, string>>} Environment */

/** A program that serves HTTP, as a process of its own. */
export class Server {
  /** Every one that runs. */
  static #running = new Set();

  /**
   * Starts a program on a free port of the loopback interface and returns when its /health answers 200.
   *
   * @param {string} program
   * @param {Environment} environment all of it, but for HOST and PORT
   * @param {{ signal: AbortSignal, nodeOptions?: string[], command?: string[], output?: 'ignore' }} options
   *   command runs the program: Node. What it logs goes to standard error, if not ignored
   */
  static async start(
    program,
    environment,
    { signal, nodeOptions = [], command = [process.execPath], output },
  ) {
    const port = await freePort();
    signal.throwIfAborted();
    const started = performance.now();
    const [executable = program, ...args] = [...command, ...nodeOptions, program];
    const child = spawn(executable, args, {
      cwd: ROOT,
      env: { ...environment, HOST: '127.0.0.1', PORT: String(port) },
      // A Ctrl-C is passed on by us alone. By the IPC channel it notices when we are killed.
      detached: true,
      stdio: ['ignore', output ?? process.stderr, process.stderr, 'ipc'],
    });
    const server = new Server(child, `http://127.0.0.1:${port}`);
    try {
      await server.#ready(signal);
      server.bootMs = performance.now() - started;
      return server;
    } catch (error) {
      await server.stop();
      throw error;
    }
  }

  /** What a process that ends at once can still do. */
  static killAll() {
    for (const server of Server.#running) server.child.kill('SIGKILL');
  }

  /** From the start of the process to the first 200 of /health. */
  bootMs = NaN;

  /**
   * @param {import('node:child_process').ChildProcess} child
   * @param {string} url
   */
  constructor(child, url) {
    this.child = child;
    this.url = url;
    Server.#running.add(this);
    this.exited = once(child, 'exit').finally(() => Server.#running.delete(this));
    this.exited.catch(() => {});
  }

  get running() {
    return this.child.exitCode === null && this.child.signalCode === null && this.child.pid !== undefined;
  }

  /** Resident memory, MiB. */
  rssMiB() {
    const status = this.#proc('status');
    const kibibytes =
      status === undefined
        ? execFileSync('ps', ['-o', 'rss=', '-p', String(this.child.pid)], { encoding: 'utf8' })
        : /^VmRSS:\s+(\d+)/m.exec(status)?.[1];
    return Number(kibibytes) / 1024;
  }

  /** Processor time used so far by all of its threads, ms. NaN but on Linux. */
  cpuMs() {
    return cpuMsOf(this.child.pid ?? NaN);
  }

  /** Returns when it has ended. */
  async stop() {
    if (this.running) {
      this.child.kill('SIGTERM');
      const timer = setTimeout(() => this.child.kill('SIGKILL'), STOP_TIMEOUT_MS);
      await this.exited;
      clearTimeout(timer);
    }
  }

  /** @param {AbortSignal} signal */
  async #ready(signal) {
    const deadline = performance.now() + READY_TIMEOUT_MS;
    while (performance.now() < deadline) {
      signal.throwIfAborted();
      if (!this.running) throw new Error(`a program ended at boot: ${this.child.spawnargs.join(' ')}`);
      if (await this.#healthy()) return;
      await sleep(PROBE_MS);
    }
    throw new Error(
      `a program was not ready within ${READY_TIMEOUT_MS} ms: ${this.child.spawnargs.join(' ')}`,
    );
  }

  async #healthy() {
    try {
      const response = await fetch(`${this.url}/health`, { signal: AbortSignal.timeout(READY_TIMEOUT_MS) });
      await response.arrayBuffer();
      return response.ok;
    } catch {
      return false;
    }
  }

  /** @param {'status'} file */
  #proc(file) {
    return procFile(`${this.child.pid}/${file}`);
  }
}

/**
 * Processor time of a process so far, all of its threads, ms. NaN but on Linux.
 *
 * @param {number} pid
 */
export function cpuMsOf(pid) {
  const stat = procFile(`${pid}/stat`);
  if (stat === undefined) return NaN;
  // The second field, the name, may hold spaces: the third begins after its last parenthesis.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS_PER_SECOND;
}

/**
 * The same of the processes that a process has started and that still run.
 *
 * @param {number} pid
 */
export function cpuMsOfChildren(pid) {
  const children = procFile(`${pid}/task/${pid}/children`)?.trim().split(' ').map(Number) ?? [NaN];
  return children.reduce((sum, child) => sum + cpuMsOf(child), 0);
}

/** @param {string} path below /proc */
function procFile(path) {
  return existsSync(`/proc/${path}`) ? readFileSync(`/proc/${path}`, 'utf8') : undefined;
}
