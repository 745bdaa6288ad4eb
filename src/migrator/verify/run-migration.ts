import type { DataSource, QueryRunner } from 'typeorm';
import type { MigrationFile } from '../history/migration-files.js';
import type { Migration } from '../migration.js';

/**
 * Runs one migration in a scratch database: without the migration lock, a lock timeout or a row in the history.
 *
 * @param wrap gives the runner that the migration uses
 * @returns whether it ran in a transaction
 */
export async function runMigration(
  dataSource: DataSource,
  { load }: MigrationFile,
  direction: 'up' | 'down',
  wrap: (runner: QueryRunner) => QueryRunner = (runner) => runner,
): Promise<boolean> {
  const migration: Migration = new (await load())();
  const isTransaction = migration.transaction !== false;
  const runner = dataSource.createQueryRunner();
  try {
    if (isTransaction) await runner.startTransaction();
    await migration[direction](wrap(runner));
    if (isTransaction) await runner.commitTransaction();
    return isTransaction;
  } finally {
    if (runner.isTransactionActive) await runner.rollbackTransaction().catch(() => {});
    await runner.release();
  }
}
