import { Injectable, type OnModuleInit } from '@nestjs/common';
import { CacheService } from '../cache/cache.service.js';
import { Sql } from '../database/sql.js';
import { PersonalDataService, type PersonalData } from '../users/personal-data.service.js';
import { ENTRY_COLUMNS, toEntry, toIso, type EntryRow } from './entry-row.js';

/** Rows in memory, of at most 40 KB each. */
const EXPORT_BATCH = 50;

/** Rows deleted by one statement; well within the statement timeout. */
const ERASE_BATCH = 2000;

/** Sorts before every entry. */
const BEGINNING = ['-infinity', '00000000-0000-0000-0000-000000000000'] as const;

@Injectable()
export class EntriesPersonalData implements PersonalData, OnModuleInit {
  readonly section = 'entries';

  constructor(
    private readonly sql: Sql,
    private readonly cache: CacheService,
    private readonly personalData: PersonalDataService,
  ) {}

  onModuleInit(): void {
    this.personalData.register(this);
  }

  /** Ordered by creation time. No connection is held while the client reads. */
  async *export(userId: string): AsyncGenerator<string> {
    let after: readonly [createdAt: string, id: string] = BEGINNING;
    for (let rows = EXPORT_BATCH; rows === EXPORT_BATCH;) {
      const batch = await this.sql.queryTexts<EntryRow>(
        'entries-personal-export',
        `SELECT ${ENTRY_COLUMNS}, deleted_at FROM entries
          WHERE user_id = $1 AND (created_at, id) > ($2::timestamptz, $3::uuid)
          ORDER BY created_at, id LIMIT $4`,
        [userId, ...after, EXPORT_BATCH],
      );
      for (const row of batch) {
        const entry = toEntry(row);
        const deletedAt = row[9] as string | null;
        after = [entry.createdAt, entry.id];
        yield JSON.stringify({ ...entry, deletedAt: deletedAt === null ? null : toIso(deletedAt) });
      }
      rows = batch.length;
    }
  }

  async eraseRows(userId: string): Promise<void> {
    for (let rows: number | null = ERASE_BATCH; rows === ERASE_BATCH;) {
      ({ rowCount: rows } = await this.sql.query(
        'entries-erase',
        'DELETE FROM entries WHERE id IN (SELECT id FROM entries WHERE user_id = $1 LIMIT $2)',
        [userId, ERASE_BATCH],
      ));
    }
  }

  eraseTraces(userId: string): Promise<void> {
    return this.cache.forget(userId);
  }
}
