import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { openHome, type ClusterHome } from '../../../scripts/postgres/cluster-home.js';
import { startEphemeralCluster, type Cluster } from '../../../scripts/postgres/embedded-postgres.js';
import { ensureRunning, stopPostmaster } from '../../../scripts/postgres/postmaster.js';
import { query } from '../database/database.js';

/** A PostgreSQL server that can be crashed, started again and hung. */
export class PostgresServer {
  private constructor(
    private readonly cluster: Cluster,
    private readonly home: ClusterHome,
  ) {}

  /** With commits that survive the server's crash, and 40 connections. */
  static async start(): Promise<PostgresServer> {
    const cluster = await startEphemeralCluster();
    const [row] = await query<{ folder: string }>(
      cluster.url('postgres'),
      `SELECT current_setting('data_directory') AS folder`,
    );
    const server = new PostgresServer(cluster, await openHome(dirname(row!.folder)));
    // Tests' clusters run with synchronous_commit off.
    await server.crash();
    await server.startAgain();
    return server;
  }

  get user() {
    return this.home.user;
  }

  url(database: string): string {
    return this.cluster.url(database);
  }

  query<Row extends object>(database: string, text: string, values: readonly unknown[] = []): Promise<Row[]> {
    return query(this.url(database), text, values);
  }

  /** Ends at once, without a message to its clients, as in a power failure. */
  crash(): Promise<void> {
    return stopPostmaster(this.home, 'immediate');
  }

  /** On the same port. */
  async startAgain(): Promise<void> {
    await ensureRunning(this.home, {
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

  resume(): void {
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
    const postmaster = Number(readFileSync(join(this.home.data, 'postmaster.pid'), 'utf8').split('\n')[0]);
    const children = `/proc/${postmaster}/task/${postmaster}/children`;
    const pids = existsSync(children) ? readFileSync(children, 'utf8').trim().split(' ').map(Number) : [];
    return [postmaster, ...pids];
  }
}
