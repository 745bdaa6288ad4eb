import { Injectable } from '@nestjs/common';
import { findMigrations } from '../migrator/history/migration-files.js';
import { MIGRATIONS } from './schema-files.js';
import { ProbeConnection } from './connection/probe-connection.js';

/** Migrations that this process applied at its start, for metrics. */
@Injectable()
export class StartMigrations {
  applied = 0;
  /** s */
  lockWaitSeconds = 0;
  /** s, including the lock wait and the backup. */
  seconds = 0;
}

/** SQLSTATE: the table does not exist. */
const UNDEFINED_TABLE = '42P01';

@Injectable()
export class MigrationStatus {
  private names: Promise<readonly string[]> | undefined;

  constructor(private readonly connection: ProbeConnection) {}

  /**
   * Always runs a query, so it also checks whether the database answers.
   *
   * @returns names of the migrations of this build that are not applied, oldest first
   */
  async pending(): Promise<string[]> {
    this.names ??= findMigrations(MIGRATIONS).then((migrations) => migrations.map(({ name }) => name));
    const names = await this.names;
    try {
      const rows = await this.connection.queryArrays<[name: string]>(
        'migrations-pending',
        'SELECT name FROM unnest($1::text[]) AS available (name) WHERE NOT EXISTS (SELECT FROM migrations m WHERE m.name = available.name)',
        [names],
      );
      return rows.map(([name]) => name);
    } catch (error) {
      if ((error as { code?: unknown }).code !== UNDEFINED_TABLE) throw error;
      return [...names];
    }
  }
}
