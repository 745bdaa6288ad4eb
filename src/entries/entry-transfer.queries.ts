import { Injectable } from '@nestjs/common';
import { Sql, type Statements } from '../database/sql.js';
import type { CursorPosition } from '../http/cursor.js';
import { filtersGiven, statementValues, whereOf, type EntrySelection } from './entry-selection.js';
import { ENTRY } from './entry.queries.js';

/** A row to be written; undefined fields get what a new entry has. */
export interface EntryRow {
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

/** One parameter for each column, whatever the number of rows. Arrays of arrays must be even, so tags come as text. */
const INSERT = `
  INSERT INTO entries (id, user_id, text, mood, category, tags, occurred_at, created_at, updated_at, version)
  SELECT id, $1, text, mood, category, tags::text[], coalesce(occurred_at, now()), coalesce(created_at, now()),
         coalesce(updated_at, created_at, now()), coalesce(version, 1)
    FROM unnest($2::uuid[], $3::text[], $4::smallint[], $5::text[], $6::text[], $7::timestamptz[],
                $8::timestamptz[], $9::timestamptz[], $10::int[])
         AS given (id, text, mood, category, tags, occurred_at, created_at, updated_at, version)`;

const STATEMENTS = {
  insertAll: `
    WITH created AS (${INSERT} RETURNING *)
    SELECT id, row_to_json(e)::text FROM (SELECT ${ENTRY} FROM created) e`,
  insertMissing: `${INSERT} ON CONFLICT (id) DO NOTHING`,
  held: 'SELECT id FROM entries WHERE id = ANY ($2::uuid[]) AND user_id = $1',
} as const;

/** The statements on the `entries` table that move many rows. The owner is in every one of them. */
@Injectable()
export class EntryTransferQueries {
  constructor(private readonly sql: Sql) {}

  /**
   * @param statements of the transaction that it is part of, where there is one
   * @returns the JSON of each, in the order given
   */
  async insertAll(
    userId: string,
    rows: readonly EntryRow[],
    statements: Statements = this.sql,
  ): Promise<string[]> {
    const created = new Map(
      await statements.queryArrays<[id: string, json: string]>(
        'entries-insert-all',
        STATEMENTS.insertAll,
        parameters(userId, rows),
      ),
    );
    return rows.map(({ id }) => created.get(id) ?? unreachable());
  }

  /** Writes those whose id nobody has. @returns how many */
  async insertMissing(userId: string, rows: readonly EntryRow[]): Promise<number> {
    // In one order, so that two imports of the same rows wait for each other and never in a circle.
    const sorted = rows.toSorted((a, b) => (a.id < b.id ? -1 : 1));
    const { rowCount } = await this.sql.query(
      'entries-insert-missing',
      STATEMENTS.insertMissing,
      parameters(userId, sorted),
    );
    return rowCount ?? 0;
  }

  /** Which of the ids are the user's, in the trash too. */
  async held(userId: string, ids: readonly string[]): Promise<ReadonlySet<string>> {
    const rows = await this.sql.queryArrays<[id: string]>('entries-held', STATEMENTS.held, [userId, ids]);
    return new Set(rows.map(([id]) => id));
  }

  /**
   * The next rows of a selection, by when they were created: of all that a row could be ordered by, that and its id
   * never change, so a walk through them meets each row once, whatever is written meanwhile.
   *
   * @returns lines of JSON, one a row
   */
  async next(selection: EntrySelection, after: CursorPosition | undefined, limit: number): Promise<string[]> {
    const { values, bind } = statementValues(selection.userId);
    const where = whereOf(selection, bind);
    const keyset = after
      ? ` AND (created_at, id) > (${bind(after.key)}::timestamptz, ${bind(after.id)}::uuid)`
      : '';
    // A row each: one large value would be put together by pg in buffers of its own, twice its size.
    const rows = await this.sql.queryArrays<[json: string]>(
      // Of which the text is one of two, and worth preparing.
      filtersGiven(selection.filters).length === 0
        ? `entries-export-${after ? 'after' : 'first'}`
        : undefined,
      `SELECT row_to_json(e)::text
         FROM (SELECT ${ENTRY} FROM entries WHERE ${where}${keyset}
                ORDER BY created_at, id LIMIT ${bind(limit)}) e`,
      values,
    );
    return rows.map(([json]) => json);
  }
}

function parameters(userId: string, rows: readonly EntryRow[]): unknown[] {
  return [
    userId,
    rows.map(({ id }) => id),
    rows.map(({ text }) => text),
    rows.map(({ mood }) => mood),
    rows.map(({ category }) => category),
    rows.map(({ tags }) => arrayLiteral(tags)),
    rows.map(({ occurredAt }) => occurredAt ?? null),
    rows.map(({ createdAt }) => createdAt ?? null),
    rows.map(({ updatedAt }) => updatedAt ?? null),
    rows.map(({ version }) => version ?? null),
  ];
}

/** https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO */
function arrayLiteral(values: readonly string[]): string {
  return `{${values.map((value) => `"${value.replace(/["\\]/g, '\\$&')}"`).join(',')}}`;
}

function unreachable(): never {
  throw new Error('INSERT returned fewer rows than it was given');
}
