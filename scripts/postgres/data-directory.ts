import { randomBytes } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { ExplainedError, codeOf, shortPath } from '../explained-error.js';
import { giveTo, reasonIn, run, type ClusterHome } from './cluster-home.js';

/**
 * Makes the data directory when there is none: under another name first, so that one that exists is complete.
 *
 * @param options of initdb
 * @returns whether it was made
 */
export async function createOnce(home: ClusterHome, options: readonly string[]): Promise<boolean> {
  const { folder, data, passwordFile, user, binaries } = home;
  if (existsSync(data)) {
    assertUsable(home);
    return false;
  }
  // Left by a start that was killed during initdb.
  for (const name of readdirSync(folder)) if (name.startsWith('data.')) removeFolder(join(folder, name));
  const draft = join(folder, `data.${randomBytes(4).toString('hex')}`);
  mkdirSync(draft, { mode: 0o700 });
  rmSync(passwordFile, { force: true });
  writeFileSync(passwordFile, `${randomBytes(24).toString('hex')}\n`, { mode: 0o600, flag: 'wx' });
  giveTo(user, draft);
  giveTo(user, passwordFile);
  const { code, output } = await run(home, binaries.initdb, [
    `--pgdata=${draft}`,
    '--encoding=UTF8',
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
    '--locale=C',
    '--auth=scram-sha-256',
    '--username=postgres',
    `--pwfile=${passwordFile}`,
    '--no-instructions',
    ...options,
  ]);
  if (code !== 0) {
    removeFolder(draft);
    throw new ExplainedError(`the database could not be made in ${shortPath(folder)}: ${reasonIn(output)}`);
  }
  renameSync(draft, data);
  return true;
}

export function removeFolder(path: string): void {
  rmSync(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
}

function assertUsable({ folder: path, data, version }: ClusterHome): void {
  const folder = shortPath(path);
  let made: string;
  try {
    made = readFileSync(join(data, 'PG_VERSION'), 'utf8').trim();
  } catch (error) {
    throw new ExplainedError(
      codeOf(error) === 'ENOENT'
        ? `${shortPath(data)} is no PostgreSQL data directory: move ${folder} away, or set DATABASE_URL`
        : `${folder} belongs to user ${statSync(path).uid} and is closed to you: run as that user, ` +
            `make it yours by chown -R, or set DATABASE_URL`,
    );
  }
  const installed = majorOf(version);
  if (made === installed) return;
  throw new ExplainedError(
    `the data in ${folder} was made by PostgreSQL ${made}, and the one installed here is ${installed}. ` +
      `Nothing was changed. To keep the data, go back to the package-lock.json that has PostgreSQL ${made} and dump it ` +
      `there by pg_dump; to begin anew, move it away: mv ${folder} ${folder}-${made}`,
  );
}

export function majorOf(version: string): string {
  return version.split('.')[0] ?? version;
}
