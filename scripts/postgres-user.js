import { execFileSync, spawnSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import { ExplainedError, shortPath } from './explained-error.js';

const USER = 'postgres';

/** @typedef {{ uid: number, gid: number }} User */

/**
 * PostgreSQL refuses to run as root: started by root it runs as the one who owns its data, or else as `postgres`,
 * who is made when there is none. Undefined for everybody else, who runs it himself.
 *
 * @param {string} dataDirectory may not exist yet
 * @param {(line: string) => void} log
 * @returns {User | undefined}
 * @throws {ExplainedError} where the user cannot be made
 */
export function userForPostgres(dataDirectory, log) {
  if (process.getuid?.() !== 0) return undefined;
  const data = statSync(dataDirectory, { throwIfNoEntry: false });
  if (data && data.uid !== 0) return { uid: data.uid, gid: data.gid };
  const known = lookUp();
  if (known) return known;
  try {
    execFileSync('groupadd', ['--system', '--force', USER], { stdio: 'pipe' });
    const account = ['--system', '--gid', USER, '--no-create-home', '--home-dir', '/nonexistent'];
    execFileSync('useradd', [...account, '--shell', '/usr/sbin/nologin', USER], { stdio: 'pipe' });
  } catch {
    throw new ExplainedError(
      `PostgreSQL does not run as root, and a user ${USER} could not be made: run this as an ordinary user, or set DATABASE_URL`,
    );
  }
  const made = lookUp();
  if (!made) throw new ExplainedError(`the user ${USER} was made but cannot be found: set DATABASE_URL`);
  log(`database: made the system user ${USER}, as PostgreSQL does not run as root`);
  return made;
}

/**
 * Checks that `user` gets to `path`: what root keeps to himself (/root, the folder of mktemp) stops everybody else.
 *
 * @param {User | undefined} user
 * @param {string} path of a folder
 * @throws {ExplainedError} naming the folder that is shut, and what to do
 */
export function assertReachable(user, path) {
  if (!user) return;
  // Asked of the kernel, which knows about access control lists too; the modes only tell whom to name.
  const { error, status } = spawnSync('/bin/sh', ['-c', 'cd "$0"', path], {
    ...user,
    cwd: '/',
    stdio: 'ignore',
  });
  if (!error && status === 0) return;
  if (error && /** @type {NodeJS.ErrnoException} */ (error).code === 'EPERM') {
    throw new ExplainedError(
      `PostgreSQL does not run as root, and root may not become user ${user.uid} here: set DATABASE_URL`,
    );
  }
  const shut = ancestors(path).find((folder) => !mayEnter(user, folder)) ?? path;
  throw new ExplainedError(
    `PostgreSQL does not run as root, and the user it runs as (uid ${user.uid}) cannot enter ${shut}, ` +
      `which ${shortPath(path)} is below: move this folder elsewhere (/opt, /srv), run as an ordinary user, ` +
      `let others pass by chmod o+x ${shut}, or set DATABASE_URL`,
  );
}

/** @returns {User | undefined} */
function lookUp() {
  try {
    const [uid, gid] = ['-u', '-g'].map((flag) =>
      Number(execFileSync('id', [flag, USER], { encoding: 'utf8', stdio: 'pipe' })),
    );
    return uid === undefined || gid === undefined ? undefined : { uid, gid };
  } catch {
    return undefined;
  }
}

/**
 * From the root down.
 *
 * @param {string} path
 * @returns {string[]}
 */
function ancestors(path) {
  const parent = dirname(path);
  return parent === path ? [path] : [...ancestors(parent), path];
}

/**
 * @param {User} user
 * @param {string} folder
 */
function mayEnter(user, folder) {
  const { mode, uid, gid } = statSync(folder);
  if (uid === user.uid) return (mode & 0o100) !== 0;
  return (mode & (gid === user.gid ? 0o010 : 0o001)) !== 0;
}
