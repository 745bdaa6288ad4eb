import type { CommandConfig } from '../config/config.js';
import { RELEASE } from '../config/release.js';
import { NamingStrategy } from './naming-strategy.js';
import { ENTITIES, MIGRATIONS } from './schema-files.js';
import { MigrationError } from '../migrator/migrator-errors.js';
import type { MigratorOptions } from '../migrator/migrator-options.js';

const ACCEPTED = {
  // Its index refuses an `occurred_at` of infinity, which no release has stored.
  FillEntryRollupsAndIndexEntries1795568212846: ['*'],
  // All of them were computed from `entries`.
  DropEntryRollups1795765183000: ['entry_days', 'entry_labels', 'unconfirmed_scopes'],
};

/** Migrations are recorded under this release; MIGRATIONS_BACKUP makes a backup first. */
export function migratorOptions(config: CommandConfig): MigratorOptions {
  return {
    database: config.migrationsDatabase,
    migrations: MIGRATIONS,
    entities: ENTITIES,
    namingStrategy: new NamingStrategy(),
    lockTimeoutMs: config.MIGRATIONS_LOCK_TIMEOUT_MS,
    direct: config.migrationsDatabase.direct,
    release: RELEASE,
    accepted: ACCEPTED,
    ...(config.MIGRATIONS_BACKUP && { backUp: () => backUp(config) }),
  };
}

async function backUp(config: CommandConfig): Promise<string> {
  // Imported lazily: no other code path needs child_process.
  const { BackupError, backUpBeforeMigrating } = await import('./migration-backup.js');
  try {
    return await backUpBeforeMigrating(config);
  } catch (error) {
    if (!(error instanceof BackupError)) throw error;
    throw new MigrationError(
      `Nothing was migrated, because the backup failed (MIGRATIONS_BACKUP=true): ${error.message}`,
      { cause: error },
    );
  }
}
