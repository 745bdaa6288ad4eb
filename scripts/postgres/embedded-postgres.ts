import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { STATE_FOLDER, makeStateFolder } from '../environment.js';
import { codeOf, shortPath } from '../explained-error.js';
import type { PostgresBinaries } from './binaries.js';
import { openHome, type ClusterHome } from './cluster-home.js';
import { ClusterUsers, withLock } from './cluster-users.js';
import { createOnce, majorOf, removeFolder } from './data-directory.js';
import { ensureRunning, killPostmaster, stopPostmaster, urlOf, type Settings } from './postmaster.js';

const SETTINGS: Settings = {
  listen_addresses: '127.0.0.1',
  // A socket's path is limited to 107 bytes, which a deep folder exceeds; nobody needs one.
  unix_socket_directories: '',
  max_connections: '200',
  timezone: 'UTC',
  log_timezone: 'UTC',
};

/** For data that nobody needs later: several times faster. */
const EPHEMERAL_SETTINGS: Settings = {
  ...SETTINGS,
  fsync: 'off',
  synchronous_commit: 'off',
  full_page_writes: 'off',
  // Otherwise each CREATE DATABASE waits for 16 MB of zeros.
  wal_init_zero: 'off',
};

/** SQLSTATE */
const DUPLICATE_DATABASE = '42P04';

/** A running PostgreSQL server. */
export interface Cluster {
  /** Of a database in it, as its superuser. */
  url(databaseName: string): string;
  /** On 127.0.0.1. */
  readonly port: number;
  /** Such as 18.4. */
  readonly version: string;
  /** Ends this process's use. False: left running, as others use it too. */
  stop(): Promise<boolean>;
}

/**
 * Starts the PostgreSQL server that keeps its data in `.data/postgres`, making it at the first call, or adopts it when
 * it runs. `pg_ctl` puts the server into a session of its own, so that a Ctrl-C in the terminal does not reach it: it
 * stops when {@link Cluster.stop} is called by the last process that uses it.
 *
 * @param purpose only one process can have it at a time
 * @throws {ExplainedError}
 */
export async function startCluster(log: (line: string) => void, purpose?: string): Promise<Cluster> {
  makeStateFolder();
  const home = await openHome(join(STATE_FOLDER, 'postgres'), { log });
  const users = new ClusterUsers(join(home.folder, 'users'));
  const exclusively = <T>(task: () => Promise<T>) => withLock(home.folder, task);
  return exclusively(async () => {
    users.join(purpose);
    try {
      log(`database: starting PostgreSQL ${majorOf(home.version)} in ${shortPath(home.folder)}…`);
      const created = await createOnce(home, []);
      const { port, adopted } = await ensureRunning(home, SETTINGS);
      const how = created ? ' (first start, created)' : adopted ? ' (was still running)' : '';
      log(`database: ready on 127.0.0.1:${port}${how}`);
      const stop = () =>
        exclusively(async () => {
          users.leave();
          if (users.others().length > 0) return false;
          await stopPostmaster(home, 'fast');
          return true;
        });
      return describe(home, port, stop);
    } catch (error) {
      users.leave();
      throw error;
    }
  });
}

/** Runs a task on the database of `npm start`. */
export async function onEmbeddedDatabase<T>(
  log: (line: string) => void,
  task: (url: string) => Promise<T>,
): Promise<T> {
  const cluster = await startCluster(log);
  try {
    return await task(await entriesDatabaseOf(cluster));
  } finally {
    await cluster.stop();
  }
}

/** @returns the URL of the database of `npm start`, which is made if needed */
export async function entriesDatabaseOf(cluster: Cluster): Promise<string> {
  const url = cluster.url('entries');
  await createDatabaseIfMissing(url);
  return url;
}

/**
 * Starts a PostgreSQL server for tests: in a temporary folder, without care for its data, which `stop` removes. It
 * does not outlive this process, unless that is killed.
 *
 * @param options.binaries those of another version
 * @param options.parent of the temporary folder
 * @throws {ExplainedError}
 */
export async function startEphemeralCluster({
  binaries,
  parent = tmpdir(),
}: { readonly binaries?: PostgresBinaries; readonly parent?: string } = {}): Promise<Cluster> {
  const folder = mkdtempSync(join(parent, 'entries-postgres-'));
  try {
    const home = await openHome(folder, { binaries });
    // Hashing the password 4096 times takes half of the time of a connection.
    await createOnce(home, ['--no-sync', '--set=scram_iterations=1']);
    const { port } = await ensureRunning(home, EPHEMERAL_SETTINGS);
    const abandon = () => {
      killPostmaster(home);
      removeFolder(folder);
    };
    process.once('exit', abandon);
    return describe(home, port, async () => {
      process.removeListener('exit', abandon);
      await stopPostmaster(home, 'immediate');
      removeFolder(folder);
      return true;
    });
  } catch (error) {
    removeFolder(folder);
    throw error;
  }
}

function describe(home: ClusterHome, port: number, stop: () => Promise<boolean>): Cluster {
  let stopped: Promise<boolean> | undefined;
  return {
    port,
    version: home.version,
    url: (databaseName) => urlOf(home, port, databaseName),
    stop: () => (stopped ??= stop()),
  };
}

/** @returns whether it was made, as the server had none of that name */
export async function createDatabaseIfMissing(url: string): Promise<boolean> {
  const name = decodeURIComponent(new URL(url).pathname.slice(1));
  const maintenance = Object.assign(new URL(url), { pathname: '/postgres' });
  const client = new pg.Client({ connectionString: maintenance.href });
  await client.connect();
  try {
    const { rowCount } = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [name]);
    if (rowCount) return false;
    await client.query(`CREATE DATABASE ${client.escapeIdentifier(name)}`);
    return true;
  } catch (error) {
    // Another process was faster.
    if (codeOf(error) === DUPLICATE_DATABASE) return false;
    throw error;
  } finally {
    await client.end();
  }
}
