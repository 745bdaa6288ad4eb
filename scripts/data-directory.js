import { randomBytes } from 'node:crypto';
import {
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { ExplainedError, shortPath } from './explained-error.js';
import { reasonIn, run } from './postgres-program.js';

/** @typedef {import('./postgres-program.js').Installation} Installation */

/**
 * The places of one cluster; `home` holds all of them.
 *
 * @typedef {object} Places
 * @property {string} home
 * @property {string} data PGDATA
 * @property {string} password file
 * @property {string} port file: the last one, taken again when it is free
 * @property {string} log file
 * @property {string} lock file: held while the server is started or stopped
 * @property {string} users folder: a file for each process that uses the server
 */

/**
 * @param {string} home
 * @returns {Places}
 */
export function placesIn(home) {
  return {
    home,
    data: join(home, 'data'),
    password: join(home, 'password'),
    port: join(home, 'port'),
    log: join(home, 'postgres.log'),
    lock: join(home, 'lock'),
    users: join(home, 'users'),
  };
}

/**
 * @param {string} home
 * @returns {string} its real path
 */
export function prepareHome(home) {
  mkdirSync(home, { recursive: true, mode: 0o700 });
  return realpathSync(home);
}

/**
 * @param {Installation['user']} user
 * @param {string} path
 */
export function giveTo(user, path) {
  if (user && statSync(path).uid !== user.uid) chownSync(path, user.uid, user.gid);
}

/**
 * Makes the data directory when there is none: under another name first, so that one which is there is whole.
 *
 * @param {Places} places
 * @param {Installation} installation
 * @param {string[]} options of initdb
 * @returns {Promise<boolean>} whether it was made
 */
export async function createOnce(places, installation, options) {
  if (existsSync(places.data)) {
    assertUsable(places, installation);
    return false;
  }
  for (const name of readdirSync(places.home).filter((entry) => entry.startsWith('data.'))) {
    // Left by a start that was killed in the midst of initdb.
    removeFolder(join(places.home, name));
  }
  const draft = join(places.home, `data.${randomBytes(4).toString('hex')}`);
  mkdirSync(draft, { mode: 0o700 });
  rmSync(places.password, { force: true });
  writeFileSync(places.password, `${randomBytes(24).toString('hex')}\n`, { mode: 0o600, flag: 'wx' });
  giveTo(installation.user, draft);
  giveTo(installation.user, places.password);
  const { code, output } = await run(places, installation, installation.binaries.initdb, [
    `--pgdata=${draft}`,
    '--encoding=UTF8',
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
    '--locale=C',
    '--auth=scram-sha-256',
    '--username=postgres',
    `--pwfile=${places.password}`,
    '--no-instructions',
    ...options,
  ]);
  if (code !== 0) {
    removeFolder(draft);
    throw new ExplainedError(
      `the database could not be made in ${shortPath(places.home)}: ${reasonIn(output)}`,
    );
  }
  renameSync(draft, places.data);
  return true;
}

/** @param {string} path */
export function removeFolder(path) {
  rmSync(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
}

/** @param {string} version */
export function majorOf(version) {
  return version.split('.')[0] ?? version;
}

/**
 * @param {Places} places
 * @param {Installation} installation
 */
function assertUsable(places, { version }) {
  const folder = shortPath(places.home);
  let made;
  try {
    made = readFileSync(join(places.data, 'PG_VERSION'), 'utf8').trim();
  } catch (error) {
    const { code } = /** @type {NodeJS.ErrnoException} */ (error);
    if (code === 'ENOENT') {
      throw new ExplainedError(
        `${shortPath(places.data)} is no PostgreSQL data directory: move ${folder} away, or set DATABASE_URL`,
      );
    }
    throw new ExplainedError(
      `${folder} belongs to user ${statSync(places.home).uid} and is closed to you: run as that user, ` +
        `make it yours by chown -R, or set DATABASE_URL`,
    );
  }
  if (made === majorOf(version)) return;
  throw new ExplainedError(
    `the data in ${folder} was made by PostgreSQL ${made}, and the one installed here is ${majorOf(version)}. ` +
      `Nothing was changed. To keep the data, go back to the package-lock.json that has PostgreSQL ${made} and dump it ` +
      `there by pg_dump; to begin anew, move it away: mv ${folder} ${folder}-${made}`,
  );
}
