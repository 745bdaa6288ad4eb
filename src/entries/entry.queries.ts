import { Injectable } from '@nestjs/common';
import { Sql, type Statements } from '../database/sql.js';
import type { CursorPosition } from '../http/cursor.js';
import type { Precondition } from '../http/etag.js';
import { filtersGiven, statementValues, whereOf, type Bind, type EntrySelection } from './entry-selection.js';
import type { EntryCreate, EntryPatch, Sort } from './entry.schemas.js';
import { monthWalk, WALKED } from './month-walk.js';

/** An entry as PostgreSQL has made JSON of it: the bytes that a client gets. */
export interface EntryDocument {
  readonly version: number;
  readonly json: string;
}

export interface EntryPage {
  /** A JSON array of entries. */
  readonly json: string;
  /** Undefined on the last page. */
  readonly last: CursorPosition | undefined;
  /** Of all pages, where it is kept. Undefined where it is not, or where the page is empty. */
  readonly total: number | undefined;
}

export type EntryPosition =
  | { readonly after: CursorPosition | undefined; readonly offset?: never }
  | { readonly offset: number; readonly after?: never };

/** ISO 8601, UTC, milliseconds, as JavaScript's `toISOString` writes it. */
export function iso(column: string): string {
  return `to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;
}

/** The select list behind `EntrySchema`, in its order. The one place that knows how a row becomes an answer. */
export const ENTRY = `id, text, mood, category, tags, ${iso('occurred_at')} AS "occurredAt",
  ${iso('created_at')} AS "createdAt", ${iso('updated_at')} AS "updatedAt", version`;

/** With q, the total goes no further: the matches of a common word are too many to count for every page. */
const COUNTED = 1000;

const COLUMNS = { occurredAt: 'occurred_at', createdAt: 'created_at' } as const;

/** `trash` in ASCII. The replica that holds this advisory lock is the one that purges. */
export const PURGE_LOCK_KEY = '500135195496';

/** Prepared: every user's every request has the same text. */
const STATEMENTS = {
  insert: `
    WITH created AS (
      INSERT INTO entries (id, user_id, text, mood, category, tags, occurred_at)
      VALUES ($1, $2, $3, $4, $5, $6, coalesce($7::timestamptz, now()))
      RETURNING *)
    SELECT version, row_to_json(e)::text FROM (SELECT ${ENTRY} FROM created) e`,
  find: `
    SELECT version, row_to_json(e)::text
      FROM (SELECT ${ENTRY} FROM entries WHERE id = $1 AND user_id = $2 AND deleted_at IS NULL) e`,
  // READ COMMITTED reads the row anew after waiting for another patch, so a field that is not sent keeps what that
  // patch gave it.
  update: `
    WITH changed AS (
      UPDATE entries
         SET text = coalesce($4, text), mood = coalesce($5, mood), category = coalesce($6, category),
             tags = coalesce($7, tags), occurred_at = coalesce($8::timestamptz, occurred_at),
             updated_at = greatest(updated_at, clock_timestamp()), version = version + 1
       WHERE id = $1 AND user_id = $2 AND deleted_at IS NULL AND ($3::int[] IS NULL OR version = ANY ($3))
         AND version <> ALL ($9::int[])
      RETURNING *)
    SELECT version, row_to_json(e)::text FROM (SELECT ${ENTRY} FROM changed) e`,
  trash: `
    UPDATE entries SET deleted_at = now()
     WHERE id = $1 AND user_id = $2 AND deleted_at IS NULL AND ($3::int[] IS NULL OR version = ANY ($3))
       AND version <> ALL ($4::int[])`,
  restore: `
    WITH restored AS (
      UPDATE entries SET deleted_at = NULL
       WHERE id = $1 AND user_id = $2 AND ($3::int[] IS NULL OR version = ANY ($3))
         AND version <> ALL ($4::int[]) RETURNING *)
    SELECT version, row_to_json(e)::text FROM (SELECT ${ENTRY} FROM restored) e`,
  deleteForGood: 'DELETE FROM entries WHERE id = $1 AND user_id = $2 AND deleted_at IS NOT NULL',
  version: `SELECT version FROM entries WHERE id = $1 AND user_id = $2`,
  // The lock is the transaction's, so it needs no connection of its own and is given up however the statement ends.
  purge: `
    WITH purge AS MATERIALIZED (SELECT pg_try_advisory_xact_lock(${PURGE_LOCK_KEY}) AS ours)
    DELETE FROM entries WHERE id IN (
      SELECT id FROM entries
       WHERE (SELECT ours FROM purge) AND deleted_at < now() - make_interval(days => $1)
       ORDER BY deleted_at LIMIT $2 FOR UPDATE SKIP LOCKED)
    RETURNING user_id`,
} as const;

/** The statements on the `entries` table. The owner is in every WHERE clause. */
@Injectable()
export class EntryQueries {
  constructor(private readonly sql: Sql) {}

  /** @param statements of the transaction that it is part of, where there is one */
  async insert(
    id: string,
    userId: string,
    fields: EntryCreate,
    statements: Statements = this.sql,
  ): Promise<EntryDocument> {
    const { text, mood, category, tags, occurredAt } = fields;
    const values = [id, userId, text, mood, category, tags, occurredAt ?? null];
    const created = await this.one('insert', values, statements);
    if (!created) throw new Error('INSERT returned no row');
    return created;
  }

  find(id: string, userId: string): Promise<EntryDocument | undefined> {
    return this.one('find', [id, userId]);
  }

  update(
    id: string,
    userId: string,
    patch: EntryPatch,
    { oneOf, noneOf = [] }: Precondition,
  ): Promise<EntryDocument | undefined> {
    const { text, mood, category, tags, occurredAt } = patch;
    return this.one(
      'update',
      [id, userId, oneOf, text, mood, category, tags, occurredAt, noneOf].map((value) => value ?? null),
    );
  }

  /** @returns whether there was such an entry */
  async trash(id: string, userId: string, { oneOf, noneOf = [] }: Precondition): Promise<boolean> {
    const { rowCount } = await this.sql.query('entries-trash', STATEMENTS.trash, [
      id,
      userId,
      oneOf ?? null,
      noneOf,
    ]);
    return rowCount === 1;
  }

  /** Of an entry in the trash alone. @returns whether there was one */
  async deleteForGood(id: string, userId: string): Promise<boolean> {
    const { rowCount } = await this.sql.query('entries-delete-for-good', STATEMENTS.deleteForGood, [
      id,
      userId,
    ]);
    return rowCount === 1;
  }

  /** Also of an entry that is not in the trash, so that a restore can be sent again. */
  restore(
    id: string,
    userId: string,
    { oneOf, noneOf = [] }: Precondition,
  ): Promise<EntryDocument | undefined> {
    return this.one('restore', [id, userId, oneOf ?? null, noneOf]);
  }

  /** Also of one in the trash. */
  async version(id: string, userId: string): Promise<number | undefined> {
    const rows = await this.sql.queryArrays<[number]>('entries-version', STATEMENTS.version, [id, userId]);
    return rows[0]?.[0];
  }

  /**
   * Deletes for good what has been in the trash for longer than `days`, at most `batch` rows; none while another
   * replica does.
   *
   * @returns the owner of each row
   */
  async purge(days: number, batch: number): Promise<string[]> {
    const rows = await this.sql.queryArrays<[userId: string]>('entries-purge', STATEMENTS.purge, [
      days,
      batch,
    ]);
    return rows.map(([userId]) => userId);
  }

  /** With `q`, no more than 1000. */
  async count(selection: EntrySelection): Promise<number> {
    const { userId, filters } = selection;
    const { values, bind } = statementValues(userId);
    if (filters.q !== undefined) {
      const walk = monthWalk(selection, bind, {}, 'DESC', COUNTED);
      return this.number(
        undefined,
        `${walk} SELECT least(max(found), ${COUNTED}) AS count FROM walk`,
        values,
      );
    }
    const kept = keptTotal(selection, bind);
    if (kept !== undefined) return this.number(undefined, `SELECT ${kept} AS count`, values);
    return this.number(
      undefined,
      `SELECT count(*)::int AS count FROM entries WHERE ${whereOf(selection, bind)}`,
      values,
    );
  }

  async list(
    selection: EntrySelection,
    sort: Sort,
    limit: number,
    position: EntryPosition,
  ): Promise<EntryPage> {
    const { userId, filters, trash } = selection;
    const { values, bind } = statementValues(userId);
    const field = sort.replace('-', '') as keyof typeof COLUMNS;
    const column = COLUMNS[field];
    const direction = sort.startsWith('-') ? 'DESC' : 'ASC';
    const { after, offset = 0 } = position;
    const order = `ORDER BY ${column} ${direction}, id ${direction}`;
    let name: string | undefined;
    let text: string;
    if (field === 'occurredAt' && (filters.q !== undefined || filters.tag !== undefined)) {
      const size = offset + limit + 1;
      text = `${monthWalk(selection, bind, { after }, direction, size)}
        SELECT ${ENTRY} FROM entries WHERE user_id = $1 AND id = ANY (${WALKED}) ${order}`;
    } else {
      let where = whereOf(selection, bind);
      // Without filters, its text is one of a few and worth preparing; a filtered one is planned for its own values.
      if (filtersGiven(filters).length === 0) {
        name = `entries-list-${trash}-${sort}-${after ? 'after' : offset > 0 ? 'offset' : 'first'}`;
      }
      // Keyset: the row comparison is what makes the index's order serve as the place to go on from.
      if (after) {
        const place = `(${bind(after.key)}::timestamptz, ${bind(after.id)}::uuid)`;
        where += ` AND (${column}, id) ${direction === 'DESC' ? '<' : '>'} ${place}`;
      }
      text = `SELECT ${ENTRY} FROM entries WHERE ${where} ${order}`;
    }
    const kept = keptTotal(selection, bind);
    const rows = await this.sql.queryArrays<[json: string, key: string, id: string, total: number | null]>(
      name,
      `SELECT row_to_json(e)::text, "${field}", id, ${kept ?? 'NULL'}
         FROM (${text} LIMIT ${bind(limit + 1)}${offset > 0 ? ` OFFSET ${bind(offset)}` : ''}) e`,
      values,
    );
    const page = rows.slice(0, limit);
    const last = rows.length > limit ? page.at(-1) : undefined;
    return {
      json: `[${page.map(([json]) => json).join(',')}]`,
      last: last && { key: last[1], id: last[2] },
      total: rows[0]?.[3] ?? undefined,
    };
  }

  private async number(name: string | undefined, text: string, values: readonly unknown[]): Promise<number> {
    const { rows } = await this.sql.query<{ count: number }>(name, text, values);
    return rows[0]?.count ?? 0;
  }

  private async one(
    name: keyof typeof STATEMENTS,
    values: readonly unknown[],
    statements: Statements = this.sql,
  ): Promise<EntryDocument | undefined> {
    const rows = await statements.queryArrays<[version: number, json: string]>(
      `entries-${name}`,
      STATEMENTS[name],
      values,
    );
    const [row] = rows;
    return row && { version: row[0], json: row[1] };
  }
}

/** Whether a total is one that the triggers keep: of all, of a category, or of a tag. */
export function isKept({ filters, trash }: EntrySelection): boolean {
  const given = filtersGiven(filters).join();
  return !trash && ['', 'category', ...(filters.tag?.length === 1 ? ['tag'] : [])].includes(given);
}

/** It, as an expression of SQL. Each entry has one category. */
function keptTotal(selection: EntrySelection, bind: Bind): string | undefined {
  if (!isKept(selection)) return undefined;
  const { category, tag } = selection.filters;
  const label = category ?? tag?.[0];
  return `(SELECT coalesce(sum(count), 0)::int FROM entry_labels
            WHERE user_id = $1 AND kind = '${tag ? 'tag' : 'category'}'${
              label === undefined ? '' : ` AND label = ${bind(label)}`
            })`;
}
