import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { readEnvironment, type CommandConfig, type DatabaseConfig } from '../config/config.js';
import { PROJECT_FOLDER, RELEASE } from '../config/release.js';

/** https://www.postgresql.org/docs/current/libpq-ssl.html#LIBPQ-SSL-PROTECTION */
const SSL_MODES = { off: 'disable', require: 'require', 'verify-full': 'verify-full' } as const;

export class BackupError extends Error {
  override readonly name = 'BackupError';
}

/**
 * Runs `scripts/backup`. The file is named after this release and is never removed by retention.
 *
 * @returns the last line of its output
 * @throws {BackupError}
 */
export async function backUpBeforeMigrating(config: CommandConfig): Promise<string> {
  const script = join(PROJECT_FOLDER, 'scripts', 'backup');
  if (!existsSync(script)) {
    throw new BackupError(
      'the image has no pg_dump: run scripts/backup from a checkout first, and migrate without MIGRATIONS_BACKUP ' +
        '(docker compose does both)',
    );
  }
  // pg_dump gets none of our own settings and secrets.
  const { PATH, HOME } = readEnvironment();
  try {
    const { stdout } = await promisify(execFile)(
      script,
      ['--folder', config.BACKUP_FOLDER, '--before', RELEASE],
      {
        env: { PATH, HOME, ...libpqSettings(config.migrationsDatabase) },
      },
    );
    return lastLine(stdout);
  } catch (error) {
    const { stderr = '', message } = error as Error & { stderr?: string };
    throw new BackupError(lastLine(stderr) || message, { cause: error });
  }
}

/** What libpq reads to connect to this database. */
export function libpqSettings(database: DatabaseConfig): Readonly<Record<string, string>> {
  return {
    DATABASE_SETTINGS: 'libpq',
    PGHOST: database.host,
    PGPORT: String(database.port),
    PGUSER: database.user,
    PGPASSWORD: database.password,
    PGDATABASE: database.name,
    PGSSLMODE: SSL_MODES[database.ssl],
    // Use the system's certificates, as Node does. Needs libpq 16 or later.
    ...(database.ssl === 'verify-full' && { PGSSLROOTCERT: 'system' }),
  };
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) ?? '';
}
