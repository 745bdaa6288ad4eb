import { Injectable } from '@nestjs/common';
import { Sql, type Statements } from '../../database/sql.js';
import type { CursorPosition } from '../../http/paging/cursor.js';
import { ENTRY_COLUMNS, toEntry, type Entry, type EntryRow } from '../entry-row.js';
import { hasFilters, Parameters, whereOf, type EntrySelection } from '../entry-selection.js';
import { bumpRevisions } from '../journal-revision.js';
import { foldText } from '../search/search-text.js';

/** Undefined fields get the defaults of a new entry. */
export interface NewEntry {
  readonly id: string;
  readonly text: string;
  readonly mood: number;
  readonly category: string;
  readonly tags: readonly string[];
  readonly occurredAt?: string | undefined;
  readonly createdAt?: string | undefined;
  readonly updatedAt?: string | undefined;
  readonly version?: number | undefined;
}

const ORDER_COLUMNS = { createdAt: 'created_at', occurredAt: 'occurred_at' } as const;
export type ExportOrder = keyof typeof ORDER_COLUMNS;

/** All rows are one parameter, a JSON array of {@link NewEntry} with `searchText`. */
const INSERT = `
  INSERT INTO entries (id, user_id, text, search_text, mood, category, tags, occurred_at, created_at, updated_at, version)
  SELECT id, $1, text, "searchText", mood, category, tags, coalesce("occurredAt", now()),
         coalesce("createdAt", now()), coalesce("updatedAt", "createdAt", now()), coalesce(version, 1)
    FROM json_to_recordset($2)
         AS given (id uuid, text text, "searchText" text, mood smallint, category text, tags text[],
                   "occurredAt" timestamptz, "createdAt" timestamptz, "updatedAt" timestamptz, version int)`;

const STATEMENTS = {
  insertAll: `
    WITH created AS (${INSERT} RETURNING *), bumped AS (${bumpRevisions('created')})
    SELECT ${ENTRY_COLUMNS} FROM created`,
  insertMissing: `
    WITH created AS (${INSERT} ON CONFLICT (id) DO NOTHING RETURNING user_id), bumped AS (${bumpRevisions('created')})
    SELECT count(*)::int FROM created`,
  owners: 'SELECT id, user_id FROM entries WHERE id = ANY ($1::uuid[])',
} as const;

/** Statements that move many rows of `entries`. Each names the owner. */
@Injectable()
export class TransferRepository {
  constructor(private readonly sql: Sql) {}

  /**
   * @param statements of the surrounding transaction, if any
   * @returns the rows as they were written, in the order given
   */
  async insertAll(
    userId: string,
    entries: readonly NewEntry[],
    statements: Statements = this.sql,
  ): Promise<Entry[]> {
    const rows = await statements.queryTexts<EntryRow>(
      'entries-insert-all',
      STATEMENTS.insertAll,
      parametersOf(userId, entries),
    );
    const created = new Map(rows.map((row) => [row[0], toEntry(row)]));
    return entries.map(({ id }) => created.get(id) ?? unreachable());
  }

  /** Inserts rows whose id does not exist yet. @returns the number of inserted rows */
  async insertMissing(userId: string, entries: readonly NewEntry[]): Promise<number> {
    // Sorted, so that two imports of the same rows cannot deadlock.
    const sorted = entries.toSorted((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));
    const [row] = await this.sql.queryArrays<[number]>(
      'entries-insert-missing',
      STATEMENTS.insertMissing,
      parametersOf(userId, sorted),
    );
    return row?.[0] ?? 0;
  }

  /** The user of each entry that exists, including the trash, by its id. */
  async owners(ids: readonly string[]): Promise<ReadonlyMap<string, string>> {
    return new Map(
      await this.sql.queryArrays<[id: string, userId: string]>('entries-owners', STATEMENTS.owners, [ids]),
    );
  }

  /**
   * The next `limit` rows of a selection, ordered by a time and id. The time of creation and the id never change, so
   * paging by them sees each row once despite concurrent writes.
   */
  async next(
    selection: EntrySelection,
    order: ExportOrder,
    after: CursorPosition | undefined,
    limit: number,
  ): Promise<Entry[]> {
    const column = ORDER_COLUMNS[order];
    const parameters = new Parameters(selection.userId);
    const where = whereOf(selection, parameters);
    const keyset = after
      ? ` AND (${column}, id) > (${parameters.add(after.key)}::timestamptz, ${parameters.add(after.id)}::uuid)`
      : '';
    const rows = await this.sql.queryTexts<EntryRow>(
      // Unfiltered exports have two texts per order, which are worth preparing.
      hasFilters(selection.filters) ? undefined : `entries-export-${column}-${after ? 'after' : 'first'}`,
      `SELECT ${ENTRY_COLUMNS} FROM entries WHERE ${where}${keyset}
        ORDER BY ${column}, id LIMIT ${parameters.add(limit)}`,
      parameters.values,
    );
    return rows.map(toEntry);
  }
}

function parametersOf(userId: string, entries: readonly NewEntry[]): unknown[] {
  return [userId, JSON.stringify(entries.map((entry) => ({ ...entry, searchText: foldText(entry.text) })))];
}

function unreachable(): never {
  throw new Error('INSERT returned fewer rows than it was given');
}
