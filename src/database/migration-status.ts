import { Injectable } from '@nestjs/common';
import { findMigrations } from '../migrator/history/migration-files.js';
import { MIGRATIONS } from './schema-files.js';
import { ProbeConnection } from './probe-connection.js';

/** What this process has migrated at its start. */
@Injectable()
export class StartMigrations {
  applied = 0;
  /** s */
  lockWaitSeconds = 0;
  /** s, the wait and the backup before included. */
  seconds = 0;
}

/** SQLSTATE: there is no such table. */
const UNDEFINED_TABLE = '42P01';

@Injectable()
export class MigrationStatus {
  private known: Promise<readonly string[]> | undefined;

  constructor(private readonly connection: ProbeConnection) {}

  /**
   * By one query, so that it also tells whether the database answers.
   *
   * @returns the names of the migrations that this program has and the database lacks, oldest first
   */
  async pending(): Promise<string[]> {
    this.known ??= findMigrations(MIGRATIONS).then((migrations) => migrations.map(({ name }) => name));
    const known = await this.known;
    try {
      const rows = await this.connection.queryArrays<[name: string]>(
        'migrations-pending',
        'SELECT name FROM unnest($1::text[]) AS known (name) WHERE NOT EXISTS (SELECT FROM migrations m WHERE m.name = known.name)',
        [known],
      );
      return rows.map(([name]) => name);
    } catch (error) {
      if ((error as { code?: unknown }).code !== UNDEFINED_TABLE) throw error;
      return [...known];
    }
  }
}
