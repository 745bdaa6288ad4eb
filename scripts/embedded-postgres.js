import { mkdirSync, mkdtempSync, realpathSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import pg from 'pg';
import { createOnce, giveTo, majorOf, placesIn, prepareHome, removeFolder } from './data-directory.js';
import { shortPath } from './explained-error.js';
import { joinUsers, withLock } from './lock-file.js';
import { findPostgres, versionOf } from './postgres-binaries.js';
import { assertReachable, userForPostgres } from './postgres-user.js';
import { connection, ensureRunning, killPostmaster, stopPostmaster } from './postmaster.js';

const SETTINGS = {
  listen_addresses: '127.0.0.1',
  // A socket's path is limited to 107 bytes, which a deep folder exceeds; nobody needs one.
  unix_socket_directories: '',
  max_connections: '200',
  timezone: 'UTC',
  log_timezone: 'UTC',
};

/** For data that nobody will miss: several times faster. */
const EPHEMERAL_SETTINGS = { ...SETTINGS, fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' };

/** SQLSTATE */
const DUPLICATE_DATABASE = '42P04';

/**
 * @typedef {object} Cluster a running PostgreSQL server
 * @property {(databaseName: string) => string} url of a database in it, as its superuser
 * @property {number} port on 127.0.0.1
 * @property {string} version such as 18.4
 * @property {boolean} created this call made the data directory
 * @property {boolean} adopted it was running already
 * @property {() => Promise<boolean>} stop ends this process's use; false: left running, as others use it too
 */

/**
 * Starts the PostgreSQL server whose data is kept in `directory`, making it at the first call, or adopts it when it
 * runs. `pg_ctl` puts the server into a session of its own, so that a Ctrl-C in the terminal does not reach it: it
 * stops when {@link Cluster.stop} is called by the last process that uses it.
 *
 * @param {{ directory: string, log?: (line: string) => void }} options
 * @returns {Promise<Cluster>}
 * @throws {ExplainedError}
 */
export async function startCluster({ directory, log = () => {} }) {
  const binaries = await findPostgres();
  const version = await versionOf(binaries);
  const places = placesIn(prepareHome(resolve(directory)));
  const installation = { binaries, version, user: userForPostgres(places.data, log) };
  giveTo(installation.user, places.home);
  assertReachable(installation.user, dirname(binaries.postgres));
  assertReachable(installation.user, places.home);
  mkdirSync(places.users, { recursive: true, mode: 0o700 });

  return withLock(places.lock, async () => {
    const users = joinUsers(places.users);
    try {
      log(`database: starting PostgreSQL ${majorOf(version)} in ${shortPath(places.home)}…`);
      const created = await createOnce(places, installation, []);
      const { port, adopted } = await ensureRunning(places, installation, SETTINGS);
      log(
        `database: ready on 127.0.0.1:${port}` +
          (created ? ' (first start, created)' : adopted ? ' (was still running)' : ''),
      );
      const stop = () =>
        withLock(places.lock, async () => {
          users.leave();
          if (users.others().length > 0) return false;
          await stopPostmaster(places, installation, 'fast');
          return true;
        });
      return { ...connection(places, port), version, created, adopted, stop: once(stop) };
    } catch (error) {
      users.leave();
      throw error;
    }
  });
}

/**
 * Starts a PostgreSQL server for tests: in a temporary folder, without care for its data, which `stop` removes. It
 * does not outlive this process, but for one that is killed.
 *
 * @param {import('./postgres-binaries.js').PostgresBinaries} [given] those of another version
 * @returns {Promise<Cluster>}
 * @throws {ExplainedError}
 */
export async function startEphemeralCluster(given) {
  const binaries = given ?? (await findPostgres());
  const version = await versionOf(binaries);
  const places = placesIn(realpathSync(mkdtempSync(join(tmpdir(), 'entries-postgres-'))));
  try {
    const installation = { binaries, version, user: userForPostgres(places.data, () => {}) };
    giveTo(installation.user, places.home);
    assertReachable(installation.user, dirname(binaries.postgres));
    assertReachable(installation.user, places.home);
    await createOnce(places, installation, ['--no-sync']);
    const { port } = await ensureRunning(places, installation, EPHEMERAL_SETTINGS);
    const abandon = () => {
      killPostmaster(places);
      removeFolder(places.home);
    };
    process.once('exit', abandon);
    const stop = async () => {
      process.removeListener('exit', abandon);
      await stopPostmaster(places, installation, 'immediate');
      removeFolder(places.home);
      return true;
    };
    return { ...connection(places, port), version, created: true, adopted: false, stop: once(stop) };
  } catch (error) {
    removeFolder(places.home);
    throw error;
  }
}

/**
 * Makes the database that `url` names when the server has none of that name.
 *
 * @param {string} url
 * @returns {Promise<boolean>} whether it was made
 */
export async function createDatabaseIfMissing(url) {
  const name = decodeURIComponent(new URL(url).pathname.slice(1));
  const maintenance = new URL(url);
  maintenance.pathname = '/postgres';
  const client = new pg.Client({ connectionString: maintenance.href });
  await client.connect();
  try {
    const { rowCount } = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [name]);
    if (rowCount) return false;
    await client.query(`CREATE DATABASE ${client.escapeIdentifier(name)}`);
    return true;
  } catch (error) {
    // Another process was faster.
    if (/** @type {pg.DatabaseError} */ (error).code === DUPLICATE_DATABASE) return false;
    throw error;
  } finally {
    await client.end();
  }
}

/**
 * @template T
 * @param {() => Promise<T>} task
 * @returns {() => Promise<T>} the same promise for every call
 */
function once(task) {
  /** @type {Promise<T> | undefined} */
  let result;
  return () => (result ??= task());
}
