import type { MigrationsConfig } from '../config/config.js';
import { RELEASE } from '../config/release.js';
import { ENTITIES, MIGRATIONS } from './schema-files.js';
import { MigrationError } from '../migrator/apply/apply-migrations.js';
import type { MigrationLog } from '../migrator/migration-log.js';
import type { MigratorOptions } from '../migrator/migrator-options.js';

/** How this application has its database migrated: recorded under its release, after a backup where one is asked for. */
export function migratorOptions(config: MigrationsConfig): MigratorOptions {
  const { database, lockTimeoutMs, direct, backup } = config;
  return {
    database,
    migrations: MIGRATIONS,
    entities: ENTITIES,
    lockTimeoutMs,
    direct,
    release: RELEASE,
    ...(backup.run && { backUp: (log: MigrationLog) => backUp(config, log) }),
  };
}

async function backUp(config: MigrationsConfig, log: MigrationLog): Promise<string> {
  // Nothing else starts another program.
  const { BackupError, backUpBeforeMigrating } = await import('./migration-backup.js');
  try {
    return await backUpBeforeMigrating(config, (line) => log.info(line));
  } catch (error) {
    if (!(error instanceof BackupError)) throw error;
    throw new MigrationError(
      `Nothing was migrated, as there is no backup (MIGRATIONS_BACKUP=true): ${error.message}`,
      { cause: error },
    );
  }
}
