import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { ROOT } from '../../scripts/environment.js';
import { freePort } from '../../scripts/free-port.js';

export type Settings = Readonly<Record<string, string>>;

export const BUILT_SERVICE = join(ROOT, 'dist', 'main.js');

const READY_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 15_000;
/** The resolution of a measured boot time. */
const PROBE_INTERVAL_MS = 5;
/** USER_HZ of Linux on every architecture that Node supports: proc_pid_stat(5) counts in it. */
const TICKS_PER_SECOND = 100;

const running = new Set<Server>();
process.once('exit', () => {
  for (const server of running) server.kill();
});

/** Starts our service, set up as in production but without rate limits. */
export function startService(databaseUrl: string, settings: Settings = {}, program = BUILT_SERVICE) {
  return Server.start([process.execPath, program], serviceSettings(databaseUrl, settings));
}

export function serviceSettings(databaseUrl: string, settings: Settings = {}): Settings {
  return {
    NODE_ENV: 'production',
    DATABASE_URL: databaseUrl,
    DB_POOL_SIZE: '10',
    JWT_SECRET: 'a-secret-of-the-benchmark-0123456789abcdef',
    JWT_ACCESS_TTL: '12h',
    LOG_LEVEL: 'warn',
    LOG_FORMAT: 'json',
    RATE_LIMIT_ENABLED: 'false',
    ...settings,
  };
}

export async function stopServers(): Promise<void> {
  await Promise.all([...running].map((server) => server.stop()));
}

/** A program that serves HTTP, in a process of its own. */
export class Server {
  /** Time from the start of the process to the first 200 of /health, ms. */
  bootMs = NaN;
  private readonly exited: Promise<unknown>;

  private constructor(
    private readonly child: ChildProcess,
    readonly url: string,
  ) {
    running.add(this);
    this.exited = once(child, 'exit').finally(() => running.delete(this));
  }

  /** Starts a program on a free port, with nothing in its environment but `settings`; waits until /health says 200. */
  static async start([program = '', ...args]: readonly string[], settings: Settings): Promise<Server> {
    const port = await freePort();
    const started = performance.now();
    const child = spawn(program, args, {
      env: { ...settings, HOST: '127.0.0.1', PORT: String(port) },
      // Standard output is for tables. One log line for each request would bury everything else.
      stdio: ['ignore', settings['LOG_LEVEL'] === 'info' ? 'ignore' : process.stderr, process.stderr],
    });
    const server = new Server(child, `http://127.0.0.1:${port}`);
    while (!(await server.isReady())) {
      if (child.exitCode !== null || performance.now() - started > READY_TIMEOUT_MS) {
        throw new Error(`not ready: ${child.spawnargs.join(' ')}`);
      }
      await sleep(PROBE_INTERVAL_MS);
    }
    server.bootMs = performance.now() - started;
    return server;
  }

  /** Resident memory, MiB; Linux. */
  rssMiB(): number {
    return Number(/^VmRSS:\s+(\d+)/m.exec(this.procFile('status'))?.[1]) / 1024;
  }

  /** Processor time that all threads have used so far, ms; Linux. */
  cpuMs(): number {
    const stat = this.procFile('stat');
    // The second field, the name, may hold spaces: the third begins after its last parenthesis.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS_PER_SECOND;
  }

  /** @returns the exit code */
  async stop(): Promise<number | null> {
    this.child.kill('SIGTERM');
    const timer = setTimeout(() => this.kill(), STOP_TIMEOUT_MS);
    await this.exited;
    clearTimeout(timer);
    return this.child.exitCode;
  }

  kill(): void {
    this.child.kill('SIGKILL');
  }

  private async isReady(): Promise<boolean> {
    try {
      const response = await fetch(`${this.url}/health`);
      await response.arrayBuffer();
      return response.ok;
    } catch {
      return false;
    }
  }

  private procFile(name: string): string {
    return readFileSync(`/proc/${this.child.pid ?? ''}/${name}`, 'utf8');
  }
}
