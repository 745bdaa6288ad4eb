import { spawn } from 'node:child_process';
import { chownSync, mkdirSync, realpathSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { findPostgres, versionOf, type PostgresBinaries } from './binaries.js';
import { assertReachable, userForPostgres, type User } from './user.js';

/** The folder of one cluster, and the programs that run it. */
export interface ClusterHome {
  readonly folder: string;
  /** PGDATA. */
  readonly data: string;
  readonly passwordFile: string;
  /** Holds the last port, which is taken again if it is free. */
  readonly portFile: string;
  readonly logFile: string;
  readonly binaries: PostgresBinaries;
  readonly version: string;
  /** Whom to run the server as. */
  readonly user: User | undefined;
}

/**
 * Makes the folder if needed.
 *
 * @param options.binaries those of another version than the installed one
 * @throws {ExplainedError} where PostgreSQL cannot run in it
 */
export async function openHome(
  directory: string,
  options: { binaries?: PostgresBinaries | undefined; log?: (line: string) => void } = {},
): Promise<ClusterHome> {
  const binaries = options.binaries ?? (await findPostgres());
  const version = await versionOf(binaries);
  mkdirSync(resolve(directory), { recursive: true, mode: 0o700 });
  const folder = realpathSync(directory);
  const data = join(folder, 'data');
  const user = userForPostgres(data, options.log ?? (() => {}));
  giveTo(user, folder);
  assertReachable(user, dirname(binaries.postgres));
  assertReachable(user, folder);
  const [passwordFile, portFile] = [join(folder, 'password'), join(folder, 'port')];
  return {
    folder,
    data,
    passwordFile,
    portFile,
    logFile: join(folder, 'postgres.log'),
    binaries,
    version,
    user,
  };
}

export function giveTo(user: User | undefined, path: string): void {
  if (user && statSync(path).uid !== user.uid) chownSync(path, user.uid, user.gid);
}

/** Runs a program of PostgreSQL to its end, as the right user, out of reach of the terminal's Ctrl-C. */
export function run(
  { folder, user }: ClusterHome,
  program: string,
  options: readonly string[],
): Promise<{ code: number | null; output: string }> {
  // Without PGDATA, PGPORT and the like of the user, and in English.
  const others = Object.entries(process.env).filter(([name]) => !/^(PG|LC_|LANG)/.test(name));
  return new Promise((resolvePromise, reject) => {
    const child = spawn(program, options, {
      ...user,
      cwd: folder,
      detached: true,
      env: { ...Object.fromEntries(others), LC_ALL: 'C' },
      stdio: ['ignore', 'pipe', 'pipe'],
      windowsHide: true,
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.once('error', reject);
    // Not 'close': on Windows the server inherits the pipes and keeps them open.
    child.once('exit', (code) => setTimeout(() => resolvePromise({ code, output }), 10));
  });
}

/** The line of a program's output that gives the reason. */
export function reasonIn(output: string): string {
  const lines = output.split('\n').map((line) => line.trim());
  const isError = (line: string) => /\b(FATAL|PANIC|error|ERROR):/.test(line);
  const reason = lines.findLast(isError) ?? lines.findLast(Boolean) ?? '';
  return reason.replace(/^.*?\b(FATAL|PANIC|error|ERROR):\s+/, '');
}
