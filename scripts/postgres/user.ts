import { execFileSync, spawnSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import { ExplainedError, codeOf, shortPath } from '../explained-error.js';

const USER = 'postgres';

export interface User {
  readonly uid: number;
  readonly gid: number;
}

/**
 * PostgreSQL refuses to run as root: started by root it runs as the one who owns its data, or else as `postgres`,
 * who is made when there is none. Undefined for everybody else, who runs it himself.
 *
 * @param data directory, may not exist yet
 * @throws {ExplainedError} where the user cannot be made
 */
export function userForPostgres(data: string, log: (line: string) => void): User | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const owner = statSync(data, { throwIfNoEntry: false });
  if (owner && owner.uid !== 0) return { uid: owner.uid, gid: owner.gid };
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

function lookUp(): User | undefined {
  try {
    const id = (flag: string) =>
      Number(execFileSync('id', [flag, USER], { encoding: 'utf8', stdio: 'pipe' }));
    return { uid: id('-u'), gid: id('-g') };
  } catch {
    return undefined;
  }
}

/**
 * Checks that `user` can enter a folder: what root keeps to himself (/root, the folder of mktemp) stops everybody else.
 *
 * @throws {ExplainedError} naming the folder that is closed, and what to do
 */
export function assertReachable(user: User | undefined, path: string): void {
  if (!user || canEnter(user, path)) return;
  const closed = ancestors(path).find((folder) => !canEnter(user, folder)) ?? path;
  throw new ExplainedError(
    `PostgreSQL does not run as root, and the user it runs as (uid ${user.uid}) cannot enter ${closed}, ` +
      `which ${shortPath(path)} is below: move this folder elsewhere (/opt, /srv), run as an ordinary user, ` +
      `let others pass by chmod o+x ${closed}, or set DATABASE_URL`,
  );
}

/** Asks the kernel, which knows about access control lists too. */
function canEnter(user: User, folder: string): boolean {
  const options = { ...user, cwd: '/', stdio: 'ignore' } as const;
  const { error, status } = spawnSync('/bin/sh', ['-c', 'cd "$0"', folder], options);
  if (codeOf(error) === 'EPERM') {
    throw new ExplainedError(
      `PostgreSQL does not run as root, and root may not become user ${user.uid} here: set DATABASE_URL`,
    );
  }
  return !error && status === 0;
}

/** From the root down. */
function ancestors(path: string): string[] {
  const parent = dirname(path);
  return parent === path ? [path] : [...ancestors(parent), path];
}
