import { DataSource, type Logger } from 'typeorm';
import type { DatabaseConfig } from '../config/config.js';
import { migrationDataSourceOptions } from './data-source-options.js';
import { loadMigrations } from './migration-files.js';
import { withMigrationLock } from './migration-lock.js';

/** A migration failed, or there is none to run. The message names it and PostgreSQL's reason. */
export class MigrationError extends Error {
  override readonly name = 'MigrationError';
}

/**
 * Applies what is pending, each migration in a transaction of its own, under the migration lock.
 *
 * @param lockTimeoutMs ms to wait while another process migrates
 * @returns the names of the migrations applied, oldest first
 * @throws {MigrationError} when one fails (nothing of it remains), or no migration is found at all
 * @throws {MigrationLockTimeoutError}
 */
export async function applyMigrations(
  database: DatabaseConfig,
  lockTimeoutMs: number,
  log: (line: string) => void,
): Promise<string[]> {
  return withMigrationLock(database, lockTimeoutMs, log, async () => {
    const journal = new MigrationJournal();
    const migrations = await loadMigrations();
    if (migrations.length === 0) {
      throw new MigrationError(
        'No migration was found beside the program: the build is not whole, run npm run build',
      );
    }
    const dataSource = new DataSource({
      ...migrationDataSourceOptions(database),
      migrations,
      migrationsRun: true,
      logger: journal,
    });
    try {
      await dataSource.initialize();
    } catch (error) {
      throw failure(journal, error);
    } finally {
      if (dataSource.isInitialized) await dataSource.destroy();
    }
    return journal.applied;
  });
}

function failure(journal: MigrationJournal, error: unknown): MigrationError {
  const { code, detail, hint } = (error ?? {}) as { code?: string; detail?: string; hint?: string };
  const reason = [
    error instanceof Error ? error.message : String(error),
    code && `(SQLSTATE ${code})`,
    detail,
    hint,
    journal.failedQuery && `in: ${journal.failedQuery}`,
  ];
  return new MigrationError(
    `Migration ${journal.failed ?? 'set-up'} failed, and nothing of it was kept: ${reason.filter(Boolean).join(' ')}`,
    { cause: error },
  );
}

/** TypeORM tells what it migrates to its logger alone. */
class MigrationJournal implements Logger {
  readonly applied: string[] = [];
  failed: string | undefined;
  failedQuery: string | undefined;

  logSchemaBuild(message: string): void {
    const name = /^Migration (\S+) has been executed successfully\.$/.exec(message)?.[1];
    if (name !== undefined) this.applied.push(name);
  }

  logMigration(message: string): void {
    this.failed ??= /^Migration "([^"]+)" failed/.exec(message)?.[1];
  }

  logQueryError(_error: string | Error, query: string): void {
    this.failedQuery ??= query;
  }

  logQuery(): void {}
  logQuerySlow(): void {}
  log(): void {}
}
