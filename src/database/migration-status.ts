import { Injectable } from '@nestjs/common';
import { findMigrations } from './migration-files.js';
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

@Injectable()
export class MigrationStatus {
  private known: Promise<readonly string[]> | undefined;

  constructor(private readonly connection: ProbeConnection) {}

  /** The names of the migrations that this program has and the database lacks, oldest first. */
  async pending(): Promise<string[]> {
    this.known ??= findMigrations().then((migrations) => migrations.map(({ name }) => name));
    const known = await this.known;
    const tables = await this.connection.query<{ exists: boolean }>(
      'migrations-exist',
      `SELECT to_regclass('migrations') IS NOT NULL AS exists`,
      [],
    );
    if (!tables.rows[0]?.exists) return [...known];
    const rows = await this.connection.queryArrays<[name: string]>(
      'migrations-pending',
      'SELECT name FROM unnest($1::text[]) AS known (name) WHERE NOT EXISTS (SELECT FROM migrations m WHERE m.name = known.name)',
      [known],
    );
    return rows.map(([name]) => name);
  }
}
