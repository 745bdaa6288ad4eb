import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Client } from 'pg';
import { placesIn } from '../../scripts/data-directory.js';
import { startEphemeralCluster } from '../../scripts/embedded-postgres.js';
import { freePort } from '../../scripts/free-port.js';
import { findPostgres, versionOf } from '../../scripts/postgres-binaries.js';
import { userForPostgres } from '../../scripts/postgres-user.js';
import { ensureRunning, stopPostmaster } from '../../scripts/postmaster.js';

/** A Redis of a test's own, to be killed and hung. */
export class OwnRedis {
  private server: ChildProcess | undefined;

  private constructor(
    readonly port: number,
    private readonly folder: string,
  ) {}

  static async start(): Promise<OwnRedis> {
    const redis = new OwnRedis(await freePort(), mkdtempSync(join(tmpdir(), 'entries-own-redis-')));
    await redis.start();
    return redis;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  async start(): Promise<void> {
    const options = { port: this.port, bind: '127.0.0.1', dir: this.folder, save: '', appendonly: 'no' };
    const server = spawn(
      'redis-server',
      Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]),
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    this.server = server;
    await new Promise<void>((resolve, reject) => {
      server.once('exit', () => reject(new Error('redis-server did not start')));
      server.stdout.on('data', (chunk: Buffer) => {
        if (chunk.includes('Ready to accept connections')) resolve();
      });
    });
    server.removeAllListeners('exit');
  }

  async kill(): Promise<void> {
    if (!this.server || this.server.exitCode !== null || this.server.signalCode !== null) return;
    const exited = once(this.server, 'exit');
    this.server.kill('SIGKILL');
    await exited;
  }

  hang(): void {
    this.server?.kill('SIGSTOP');
  }

  goOn(): void {
    this.server?.kill('SIGCONT');
  }

  async remove(): Promise<void> {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** A PostgreSQL server of a test's own, to be restarted and hung. */
export class OwnPostgres {
  private constructor(
    private readonly cluster: Awaited<ReturnType<typeof startEphemeralCluster>>,
    private readonly places: ReturnType<typeof placesIn>,
    private readonly installation: Parameters<typeof ensureRunning>[1],
  ) {}

  /** With commits that survive the server's crash, and 40 connections. */
  static async start(): Promise<OwnPostgres> {
    const cluster = await startEphemeralCluster();
    const [row] = await ask<{ folder: string }>(
      cluster.url('postgres'),
      `SELECT current_setting('data_directory') AS folder`,
    );
    const places = placesIn(dirname(row!.folder));
    const binaries = await findPostgres();
    const server = new OwnPostgres(cluster, places, {
      binaries,
      version: await versionOf(binaries),
      user: userForPostgres(places.data, () => {}),
    });
    // Tests' clusters run with synchronous_commit off.
    await server.crash();
    await server.startAgain();
    return server;
  }

  get user() {
    return this.installation.user;
  }

  url(database: string): string {
    return this.cluster.url(database);
  }

  query<Row extends object>(database: string, text: string, values: unknown[] = []): Promise<Row[]> {
    return ask(this.url(database), text, values);
  }

  /** Without a word to its clients, as by a loss of power. */
  crash(): Promise<void> {
    return stopPostmaster(this.places, this.installation, 'immediate');
  }

  /** On the same port. */
  async startAgain(): Promise<void> {
    await ensureRunning(this.places, this.installation, {
      listen_addresses: '127.0.0.1',
      unix_socket_directories: '',
      max_connections: '40',
      // A crash of the server is no crash of the machine.
      fsync: 'off',
    });
  }

  hang(): void {
    this.signal('SIGSTOP');
  }

  goOn(): void {
    this.signal('SIGCONT');
  }

  async remove(): Promise<void> {
    await this.cluster.stop();
  }

  private signal(name: NodeJS.Signals): void {
    for (const pid of this.processes()) {
      try {
        process.kill(pid, name);
      } catch (error) {
        // It ended since it was listed.
        if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
      }
    }
  }

  /** The postmaster and its children; Linux. */
  private processes(): number[] {
    const postmaster = Number(readFileSync(join(this.places.data, 'postmaster.pid'), 'utf8').split('\n')[0]);
    const children = `/proc/${postmaster}/task/${postmaster}/children`;
    const pids = existsSync(children) ? readFileSync(children, 'utf8').trim().split(' ').map(Number) : [];
    return [postmaster, ...pids];
  }
}

async function ask<Row extends object>(url: string, text: string, values: unknown[] = []): Promise<Row[]> {
  const client = new Client({ connectionString: url });
  client.on('error', () => {});
  await client.connect();
  try {
    return (await client.query<Row>(text, values)).rows;
  } finally {
    await client.end();
  }
}
