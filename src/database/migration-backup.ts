import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { programEnvironment, type DatabaseConfig, type MigrationsConfig } from '../config/config.js';
import { PROJECT_FOLDER, RELEASE } from '../config/release.js';

/** How long the backup service may be silent, ms. It gives a sign of life every 2 s, during a backup too. */
const SILENCE_MS = 30_000;

const POLL_MS = 250;

/** libpq's, https://www.postgresql.org/docs/current/libpq-ssl.html#LIBPQ-SSL-PROTECTION */
const SSL_MODES = { off: 'disable', require: 'require', 'verify-full': 'verify-full' } as const;

/** There is no backup. The message says why, for a person. */
export class BackupError extends Error {
  override readonly name = 'BackupError';
}

/**
 * Has the database backed up, into a file named after this release that no retention removes: by the backup service
 * where the configuration names a folder for requests, as in compose, or else by `scripts/backup` on this machine.
 *
 * @returns what the backup says of itself
 * @throws {BackupError}
 */
export async function backUpBeforeMigrating(
  { database, backup }: MigrationsConfig,
  log: (line: string) => void,
): Promise<string> {
  return backup.requests === undefined
    ? runScript(database, backup.folder)
    : askService(backup.requests, SILENCE_MS, log);
}

/** The shell script needs PostgreSQL's own pg_dump, which alone knows everything that a database may hold. */
async function runScript(database: DatabaseConfig, folder: string): Promise<string> {
  const script = join(PROJECT_FOLDER, 'scripts', 'backup');
  if (!existsSync(script)) {
    throw new BackupError(
      `${script} is not there, as in the image: set BACKUP_REQUESTS to the folder by which a backup service is asked`,
    );
  }
  try {
    const { stdout } = await promisify(execFile)(script, ['--folder', folder, '--before', RELEASE], {
      env: programEnvironment(libpqSettings(database)),
    });
    return lastLine(stdout);
  } catch (error) {
    const { stderr = '', message } = error as Error & { stderr?: string };
    throw new BackupError(lastLine(stderr) || message, { cause: error });
  }
}

function libpqSettings(database: DatabaseConfig) {
  return {
    DATABASE_SETTINGS: 'libpq',
    PGHOST: database.host,
    PGPORT: String(database.port),
    PGUSER: database.user,
    PGPASSWORD: database.password,
    PGDATABASE: database.name,
    PGSSLMODE: SSL_MODES[database.ssl],
    // As Node does: by the certificates that the system trusts. libpq knows this from PostgreSQL 16 on.
    ...(database.ssl === 'verify-full' && { PGSSLROOTCERT: 'system' }),
  };
}

/**
 * Leaves a request in the folder that is shared with the service, and waits for its answer for as long as the service
 * lives. scripts/backup-service has the other half.
 *
 * @param silenceMs ms
 */
export async function askService(
  folder: string,
  silenceMs: number,
  log: (line: string) => void,
): Promise<string> {
  const [request, answer, alive] = [`${RELEASE}.request`, `${RELEASE}.answer`, 'alive'].map((name) =>
    join(folder, name),
  ) as [string, string, string];
  const token = randomUUID();
  try {
    await writeFile(`${request}.part`, `${RELEASE} ${token}\n`);
    await rename(`${request}.part`, request);
  } catch (error) {
    throw new BackupError(`the folder BACKUP_REQUESTS cannot be written to: ${(error as Error).message}`);
  }
  log('migrations: waiting for the backup service');
  const asked = Date.now();
  try {
    for (;;) {
      const [head = '', ...said] = (await contentOf(answer)).trim().split('\n');
      const [outcome, answered] = head.split(' ');
      if (answered === token) {
        if (outcome === 'ok') return lastLine(said.join('\n'));
        throw new BackupError(lastLine(said.join('\n')));
      }
      if (Date.now() - Math.max(asked, await lastSignOf(alive)) > silenceMs) {
        throw new BackupError(
          `no backup service has shown itself in ${folder} for ${silenceMs / 1000} s: ` +
            'docker compose --profile backup up --detach starts it',
        );
      }
      await sleep(POLL_MS);
    }
  } finally {
    await Promise.all([rm(request, { force: true }), rm(answer, { force: true })]);
  }
}

async function contentOf(file: string): Promise<string> {
  return readFile(file, 'utf8').catch(() => '');
}

/** ms since the epoch; 0 where there has been none. */
async function lastSignOf(file: string): Promise<number> {
  return stat(file).then(
    ({ mtimeMs }) => mtimeMs,
    () => 0,
  );
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) ?? '';
}
