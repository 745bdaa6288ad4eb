import { Injectable } from '@nestjs/common';
import { Pipelined } from '../database/connection/pipelined.js';
import { Sql, type Statements } from '../database/sql.js';
import type { CursorPosition } from '../http/paging/cursor.js';
import { MAX_LIMIT } from '../http/paging/page.schemas.js';
import { ENTRY_COLUMNS, toEntry, type Entry, type EntryRow } from './entry-row.js';
import { hasFilters, Parameters, whereOf, type EntrySelection } from './entry-selection.js';
import type { EntryCreate, EntryPatch, Sort } from './entries.schemas.js';
import { bumpRevisions, REVISION } from './journal-revision.js';
import { foldText } from './search/search-text.js';

export interface EntryPage {
  readonly entries: Entry[];
  /** Undefined on the last page. */
  readonly last: CursorPosition | undefined;
  /** Revision of the journal when the page was read. */
  readonly revision: string;
}

/** The versions of an entry that a change applies to. */
export interface VersionCondition {
  readonly oneOf?: readonly number[] | undefined;
  readonly noneOf?: readonly number[] | undefined;
}

export type EntryPosition =
  | { readonly after: CursorPosition | undefined; readonly offset?: never }
  | { readonly offset: number; readonly after?: never };

/** Limit of the total with q, because counting reads the text of every match. */
const COUNTED = 1000;

const SORT_COLUMNS = { occurredAt: 'occurred_at', createdAt: 'created_at' } as const;

/** Advisory lock of the replica that purges: `trash` in ASCII. */
const PURGE_LOCK_KEY = '500135195496';

const OF_VERSION = '($3::int[] IS NULL OR version = ANY ($3)) AND version <> ALL ($4::int[])';

/** A statement that changes entries and the revision. @param returned select list for the changed rows */
function changing(change: string, returned: string): string {
  return `WITH changed AS (${change} RETURNING *), bumped AS (${bumpRevisions('changed')}) SELECT ${returned} FROM changed`;
}

const STATEMENTS = {
  insert: changing(
    `INSERT INTO entries (id, user_id, text, search_text, mood, category, tags, occurred_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, coalesce($8::timestamptz, now()))`,
    ENTRY_COLUMNS,
  ),
  // For a connection that is shared, so it must not wait: it inserts nothing while another transaction writes to the
  // journal or erases the user, nor for the first entry of a user, who has no journal yet.
  insertUnlessLocked: changing(
    `INSERT INTO entries (id, user_id, text, search_text, mood, category, tags, occurred_at)
     SELECT $1::uuid, $2::uuid, $3::text, $4::text, $5::smallint, $6::varchar, $7::text[],
            coalesce($8::timestamptz, now())
       FROM journals AS journal JOIN users AS owner ON owner.id = journal.user_id WHERE journal.user_id = $2
        FOR NO KEY UPDATE OF journal SKIP LOCKED FOR KEY SHARE OF owner SKIP LOCKED`,
    ENTRY_COLUMNS,
  ),
  find: `SELECT ${ENTRY_COLUMNS} FROM entries WHERE id = $1 AND user_id = $2 AND deleted_at IS NULL`,
  // READ COMMITTED reads the row again after it waited for a concurrent patch, so omitted fields keep the values of
  // that patch.
  update: changing(
    `UPDATE entries
        SET text = coalesce($5, text), search_text = coalesce($6, search_text), mood = coalesce($7, mood),
            category = coalesce($8, category), tags = coalesce($9, tags),
            occurred_at = coalesce($10::timestamptz, occurred_at),
            updated_at = greatest(updated_at, clock_timestamp()), version = version + 1
      WHERE id = $1 AND user_id = $2 AND deleted_at IS NULL AND ${OF_VERSION}`,
    ENTRY_COLUMNS,
  ),
  trash: changing(
    `UPDATE entries SET deleted_at = now()
      WHERE id = $1 AND user_id = $2 AND deleted_at IS NULL AND ${OF_VERSION}`,
    ENTRY_COLUMNS,
  ),
  // Matches entries outside the trash too, so that a restore can be retried.
  restore: changing(
    `UPDATE entries SET deleted_at = NULL WHERE id = $1 AND user_id = $2 AND ${OF_VERSION}`,
    ENTRY_COLUMNS,
  ),
  deletePermanently: changing(
    'DELETE FROM entries WHERE id = $1 AND user_id = $2 AND deleted_at IS NOT NULL',
    ENTRY_COLUMNS,
  ),
  version: `SELECT version FROM entries WHERE id = $1 AND user_id = $2`,
  // A transaction-level lock is released however the statement ends.
  purge: changing(
    `DELETE FROM entries WHERE id IN (
       SELECT id FROM entries
        WHERE (SELECT pg_try_advisory_xact_lock(${PURGE_LOCK_KEY})) AND deleted_at < now() - make_interval(days => $1)
        ORDER BY deleted_at LIMIT $2 FOR UPDATE SKIP LOCKED)`,
    'id',
  ),
  revision: `SELECT ${REVISION}`,
} as const;

/** Statements on the `entries` table. Every WHERE clause names the owner. */
@Injectable()
export class EntriesRepository {
  constructor(
    private readonly sql: Sql,
    private readonly pipelined: Pipelined,
  ) {}

  /** @param statements of the surrounding transaction, if any */
  async insert(
    id: string,
    userId: string,
    { text, mood, category, tags, occurredAt }: EntryCreate,
    statements?: Statements,
  ): Promise<Entry> {
    const values = [id, userId, text, foldText(text), mood, category, tags, occurredAt ?? null];
    const created =
      (!statements && (await this.one('insertUnlessLocked', values, this.pipelined.writes))) ||
      (await this.one('insert', values, statements));
    if (!created) throw new Error('INSERT returned no row');
    return created;
  }

  find(id: string, userId: string): Promise<Entry | undefined> {
    return this.one('find', [id, userId], this.pipelined.reads);
  }

  update(
    id: string,
    userId: string,
    { text, mood, category, tags, occurredAt }: EntryPatch,
    condition: VersionCondition,
  ): Promise<Entry | undefined> {
    const searchText = text === undefined ? undefined : foldText(text);
    const fields = [text, searchText, mood, category, tags, occurredAt].map((value) => value ?? null);
    return this.one('update', [id, userId, ...versionsOf(condition), ...fields]);
  }

  /** Moves an entry to the trash. @returns undefined if no such entry is outside the trash */
  trash(id: string, userId: string, condition: VersionCondition): Promise<Entry | undefined> {
    return this.one('trash', [id, userId, ...versionsOf(condition)]);
  }

  restore(id: string, userId: string, condition: VersionCondition): Promise<Entry | undefined> {
    return this.one('restore', [id, userId, ...versionsOf(condition)]);
  }

  /** @returns undefined if no such entry is in the trash */
  deletePermanently(id: string, userId: string): Promise<Entry | undefined> {
    return this.one('deletePermanently', [id, userId]);
  }

  /** Includes the trash. */
  async version(id: string, userId: string): Promise<number | undefined> {
    const rows = await this.sql.queryArrays<[number]>('entries-version', STATEMENTS.version, [id, userId]);
    return rows[0]?.[0];
  }

  /**
   * Permanently deletes at most `batch` entries that were in the trash for longer than `days`; none while another
   * replica purges.
   *
   * @returns the number of deleted rows
   */
  async purge(days: number, batch: number): Promise<number> {
    const { rowCount } = await this.sql.query('entries-purge', STATEMENTS.purge, [days, batch]);
    return rowCount ?? 0;
  }

  /** Revision of the user's journal. */
  async revision(userId: string): Promise<string> {
    const [row] = await this.pipelined.reads.queryTexts<[string]>('entries-revision', STATEMENTS.revision, [
      userId,
    ]);
    return row?.[0] ?? '0';
  }

  /** At most 1000 with `q`. */
  async count(selection: EntrySelection): Promise<number> {
    const { userId, filters } = selection;
    const parameters = new Parameters(userId);
    const matching = `FROM entries WHERE ${whereOf(selection, parameters)}`;
    const counted =
      filters.q === undefined ? matching : `FROM (SELECT 1 ${matching} LIMIT ${COUNTED}) AS found`;
    const [row] = await this.sql.queryTexts<[string]>(
      undefined,
      `SELECT count(*) ${counted}`,
      parameters.values,
    );
    return Number(row?.[0]);
  }

  async list(
    selection: EntrySelection,
    sort: Sort,
    limit: number,
    { after, offset = 0 }: EntryPosition,
  ): Promise<EntryPage> {
    const { userId, filters, trash } = selection;
    const parameters = new Parameters(userId);
    const field = sort.replace('-', '') as keyof typeof SORT_COLUMNS;
    const column = SORT_COLUMNS[field];
    const direction = sort.startsWith('-') ? 'DESC' : 'ASC';
    const order = `ORDER BY ${column} ${direction}, id ${direction}`;
    let where = whereOf(selection, parameters);
    // Keyset pagination: a row comparison can use the index.
    if (after) {
      const position = `(${parameters.add(after.key)}::timestamptz, ${parameters.add(after.id)}::uuid)`;
      where += ` AND (${column}, id) ${direction === 'DESC' ? '<' : '>'} ${position}`;
    }
    const end = `${order} LIMIT ${parameters.add(limit + 1)}${offset > 0 ? ` OFFSET ${parameters.add(offset)}` : ''}`;
    const select = `SELECT ${ENTRY_COLUMNS}, ${REVISION} FROM entries WHERE ${where}`;
    // Unfiltered lists have a few texts, which are worth preparing; filtered ones are planned for their values.
    const name = hasFilters(filters)
      ? undefined
      : `entries-list-${trash}-${sort}-${after ? 'after' : offset > 0 ? 'offset' : 'first'}`;
    // Filters and an offset may read many rows for one page.
    const isShort = name !== undefined && offset === 0;
    const statements = isShort ? this.pipelined.reads : this.sql;
    let rows = await statements.queryTexts<EntryRow>(
      name,
      // If its LIMIT is a parameter alone, PostgreSQL expects a tenth of all rows and does not keep the plan: planning
      // each list anew is half of its time. A number bounds what it expects.
      isShort
        ? `SELECT * FROM (${select} ${order} LIMIT ${MAX_LIMIT + 1}) AS page ${end}`
        : `${select} ${end}`,
      parameters.values,
    );
    let revision = rows[0]?.[9];
    if (rows.length === 0) {
      // Page and revision must come from one snapshot, or the ETag of an empty list could outlive the first entry. This
      // join does that; for every list it would cost PostgreSQL a sixth more time.
      const joined = await statements.queryTexts<EntryRow>(
        name && `${name}-empty`,
        `SELECT entry.*, revision FROM (SELECT ${REVISION} AS revision) AS journal
           LEFT JOIN LATERAL (SELECT ${ENTRY_COLUMNS} FROM entries WHERE ${where} ${end}) AS entry ON true ${order}`,
        parameters.values,
      );
      revision = joined[0]?.[9];
      rows = joined.filter(([id]) => (id as string | null) !== null);
    }
    const entries = rows.slice(0, limit).map(toEntry);
    const last = rows.length > limit ? entries.at(-1) : undefined;
    return {
      entries,
      last: last && { key: last[field], id: last.id },
      revision: String(revision),
    };
  }

  private async one(
    name: keyof typeof STATEMENTS,
    values: readonly unknown[],
    statements: Statements = this.sql,
  ): Promise<Entry | undefined> {
    const [row] = await statements.queryTexts<EntryRow>(`entries-${name}`, STATEMENTS[name], values);
    return row && toEntry(row);
  }
}

function versionsOf({ oneOf, noneOf = [] }: VersionCondition): [oneOf: unknown, noneOf: unknown] {
  return [oneOf ?? null, noneOf];
}
