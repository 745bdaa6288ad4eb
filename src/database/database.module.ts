import { Global, Logger, Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { Config } from '../config/config.js';
import { applyMigrations, statementsOf } from '../migrator/apply/apply-migrations.js';
import { dataSourceOptions } from './connection/data-source-options.js';
import { asDatabaseUnavailable } from './connection/database-unavailable.js';
import { connectWhenReady, DatabaseUnavailableError } from './connection/database-wait.js';
import { readApplied, type AppliedMigration } from '../migrator/history/migration-history.js';
import { MigrationStatus, StartMigrations } from './migration-status.js';
import { migratorOptions } from './migrator-options.js';
import { Pipelined } from './connection/pipelined.js';
import { ProbeConnection } from './connection/probe-connection.js';
import { Sql } from './sql.js';
import { TypeOrmLogger } from './connection/typeorm-logger.js';

@Module({ providers: [StartMigrations], exports: [StartMigrations] })
class StartMigrationsModule {}

/** Nest creates the data source first, so the schema is up to date before any other provider exists. */
@Global()
@Module({
  imports: [
    StartMigrationsModule,
    TypeOrmModule.forRootAsync({
      imports: [StartMigrationsModule],
      inject: [Config, StartMigrations],
      useFactory: async (config: Config, started: StartMigrations) => {
        await connectAndMigrate(config, started);
        return {
          ...dataSourceOptions(config.database),
          autoLoadEntities: true,
          logger: new TypeOrmLogger(),
          retryAttempts: 1,
        };
      },
    }),
  ],
  providers: [Sql, Pipelined, ProbeConnection, MigrationStatus],
  exports: [Sql, Pipelined, ProbeConnection, MigrationStatus, StartMigrationsModule],
})
export class DatabaseModule {}

async function connectAndMigrate(config: Config, started: StartMigrations): Promise<void> {
  const { database, migrationsDatabase, MIGRATIONS_RUN } = config;
  const logger = new Logger('Database');
  const client = await connectWhenReady(database, (line) => logger.warn(line));
  let alreadyApplied: AppliedMigration[] | undefined;
  try {
    if (MIGRATIONS_RUN && !migrationsDatabase.direct)
      alreadyApplied = await readApplied(statementsOf(client)).catch(asUnavailable);
  } finally {
    void client.end().catch(() => {});
  }
  logger.log(`database ready: ${database.host}:${database.port}/${database.name}`);
  if (!MIGRATIONS_RUN) {
    logger.log('migrations: skipped (MIGRATIONS_RUN=false)');
    return;
  }
  const startedAt = performance.now();
  const log = {
    info: (line: string) => logger.log(line),
    warn: (line: string) => logger.warn(line),
    locked: (ms: number) => (started.lockWaitSeconds = ms / 1000),
  };
  const applied = await applyMigrations(migratorOptions(config), log, alreadyApplied).catch(asUnavailable);
  started.applied = applied.length;
  started.seconds = (performance.now() - startedAt) / 1000;
  logger.log(applied.length === 0 ? 'migrations: none pending' : `migrations applied: ${summaryOf(applied)}`);
}

/** A new database gets all of them, and their names would fill the terminal. */
function summaryOf(names: readonly string[]): string {
  return names.length > 5 ? `${names.length}, from ${names[0]} to ${names.at(-1)}` : names.join(', ');
}

function asUnavailable(error: unknown): never {
  if (!asDatabaseUnavailable(error)) throw error;
  throw new DatabaseUnavailableError(
    `Lost the database connection while reading the applied migrations: ${error instanceof Error ? error.message : String(error)}`,
  );
}
