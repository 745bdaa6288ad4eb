import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';

@Injectable()
export class MigrationStatus {
  constructor(@InjectDataSource() private readonly dataSource: DataSource) {}

  /** The names of the migrations that this program has and the database lacks, oldest first. */
  async pending(): Promise<string[]> {
    const known = this.dataSource.migrations.map((migration) => migration.name ?? migration.constructor.name);
    const exists: { table: string | null }[] = await this.dataSource.query(
      `SELECT to_regclass('migrations') AS table`,
    );
    if (!exists[0]?.table) return known;
    const rows: { name: string }[] = await this.dataSource.query('SELECT name FROM migrations');
    const applied = new Set(rows.map((row) => row.name));
    return known.filter((name) => !applied.has(name));
  }
}
