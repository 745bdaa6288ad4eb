import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';
import { describe } from '@jest/globals';
import { onServer } from '../database/database.js';

/** Where PostgreSQL's programs may be: what .ci/run has fetched, the PATH, and Debian's, which are not on it. */
function folders(): string[] {
  const fetched = resolve(import.meta.dirname, '../../../.data/postgres-programs');
  const debian = '/usr/lib/postgresql';
  return [
    ...within(fetched).map((version) => join(fetched, version, 'bin')),
    ...(process.env['PATH'] ?? '').split(delimiter),
    ...within(debian).map((version) => join(debian, version, 'bin')),
  ];
}

function within(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder).sort().reverse() : [];
}

function majorOf(program: string): number {
  return Number(/\d+/.exec(execFileSync(program, ['--version'], { encoding: 'utf8' }))?.[0]);
}

async function serverMajor(): Promise<number> {
  const [row] = await onServer<{ version: string }>(
    `SELECT current_setting('server_version_num') AS version`,
  );
  return Math.floor(Number(row?.version) / 10_000);
}

/** The folder of a pg_dump, pg_restore and psql that can dump the tests' server. */
async function findClient(): Promise<string | undefined> {
  const needed = await serverMajor();
  return folders().find(
    (folder) =>
      ['pg_dump', 'pg_restore', 'psql'].every((program) => existsSync(join(folder, program))) &&
      majorOf(join(folder, 'pg_dump')) >= needed,
  );
}

/** The first that knows the locale provider by which scripts/postgres/data-directory.ts makes a cluster. */
const OLDEST = 17;

/** The programs of a server that is older than the tests'. */
async function findOlderServer() {
  const newer = await serverMajor();
  const folder = folders().find(
    (candidate) =>
      ['initdb', 'pg_ctl', 'postgres'].every((program) => existsSync(join(candidate, program))) &&
      [majorOf(join(candidate, 'postgres'))].every((major) => major >= OLDEST && major < newer),
  );
  if (folder === undefined) return undefined;
  return {
    initdb: join(folder, 'initdb'),
    pg_ctl: join(folder, 'pg_ctl'),
    postgres: join(folder, 'postgres'),
  };
}

/** Undefined where there is none: the suites that need it are left out, and named at the end. */
export const postgresClient = await findClient();
export const describeWithPgDump = postgresClient === undefined ? describe.skip : describe;

export const olderServer = postgresClient === undefined ? undefined : await findOlderServer();
export const describeWithOlderServer = olderServer === undefined ? describe.skip : describe;
