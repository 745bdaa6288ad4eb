import { Injectable } from '@nestjs/common';
import { z } from 'zod';
import { Sql } from '../database/sql.js';
import { PlaceSchema, type CursorPosition } from '../http/cursor.js';
import { statementValues, WORDS, wordsIn, type EntrySelection } from './entry-selection.js';
import { ENTRY } from './entry.queries.js';
import { monthWalk, WALKED } from './month-walk.js';

/**
 * So many matches, the newest first, are put in order of rank; then the next so many. Ranking reads each text, and of a
 * common word there are too many to read them all.
 */
const BLOCK = 200;

/** What may have been written into a block since its first page was read. */
const LARGEST_BLOCK = 10_000;

/** real, as PostgreSQL prints it, without those that it could not read. */
const rank = z.string().regex(/^\d{1,9}(\.\d{1,12})?(e-([0-2]?\d|3[0-7]))?$/);

/** A place in a search: the block, after `begin` and up to `end`, and the entry in it. */
export const SearchPlaceSchema = z
  .tuple([PlaceSchema.nullable(), PlaceSchema, rank, PlaceSchema])
  .transform(([begin, end, score, entry]) => ({
    begin: begin ? positionOf(begin) : undefined,
    end: positionOf(end),
    rank: score,
    entry: positionOf(entry),
  }));
export type SearchPlace = z.output<typeof SearchPlaceSchema>;

/** As {@link SearchPlaceSchema} takes them. */
export function partsOf({ begin, end, rank: score, entry }: SearchPlace): unknown[] {
  return [begin ? [begin.key, begin.id] : null, [end.key, end.id], score, [entry.key, entry.id]];
}

export interface SearchPage {
  /** A JSON array of entries. */
  readonly json: string;
  /** Undefined on the last page. */
  readonly last: SearchPlace | undefined;
}

interface Block {
  readonly begin: CursorPosition | undefined;
  /** Undefined: where it has {@link BLOCK} entries. */
  readonly end?: CursorPosition;
  /** The entry after which to go on in it. */
  readonly after?: Pick<SearchPlace, 'rank' | 'entry'>;
  readonly offset?: number;
}

interface Found {
  readonly json: string;
  readonly place: SearchPlace;
}

/** The statements of a search, best first. docs/search.md tells how and why. */
@Injectable()
export class EntrySearchQueries {
  constructor(private readonly sql: Sql) {}

  async search(
    selection: EntrySelection,
    limit: number,
    position: { readonly after: SearchPlace | undefined } | { readonly offset: number },
  ): Promise<SearchPage> {
    const found: Found[] = [];
    let block =
      'after' in position ? blockAt(position.after) : await this.blockOf(selection, position.offset);
    while (block && found.length <= limit) {
      const { entries, end, isLast } = await this.read(selection, block, limit + 1 - found.length);
      found.push(...entries);
      block = isLast || !end ? undefined : { begin: end };
    }
    const page = found.slice(0, limit);
    return {
      json: `[${page.map(({ json }) => json).join(',')}]`,
      last: found.length > limit ? page.at(-1)?.place : undefined,
    };
  }

  /** The block that has the entry of this number. Undefined: there are not so many. */
  private async blockOf(selection: EntrySelection, offset: number): Promise<Block | undefined> {
    const passed = offset - (offset % BLOCK);
    if (passed === 0) return { begin: undefined, offset };
    const { values, bind } = statementValues(selection.userId);
    const [row] = await this.sql.queryArrays<[key: Date, id: string]>(
      undefined,
      `${monthWalk(selection, bind, {}, 'DESC', passed)}
       SELECT occurred_at, id FROM entries WHERE user_id = $1 AND id = ANY (${WALKED})
        ORDER BY occurred_at DESC, id DESC LIMIT 1 OFFSET ${passed - 1}`,
      values,
    );
    return row && { begin: { key: row[0].toISOString(), id: row[1] }, offset: offset - passed };
  }

  private async read(selection: EntrySelection, { begin, end, after, offset = 0 }: Block, limit: number) {
    const { values, bind } = statementValues(selection.userId);
    const size = end ? LARGEST_BLOCK : BLOCK;
    const walk = monthWalk(selection, bind, { after: begin, until: end }, 'DESC', size);
    const score = `ts_rank(${WORDS}, ${wordsIn(selection.filters.q ?? '', bind)})`;
    const onwards = after
      ? `WHERE (rank, occurred_at, id) <
           (${bind(after.rank)}::real, ${bind(after.entry.key)}::timestamptz, ${bind(after.entry.id)}::uuid)`
      : '';
    const rows = await this.sql.queryArrays<
      [json: string, rank: string, key: Date, id: string, endKey: Date, endId: string, size: number]
    >(
      undefined,
      `${walk}, block AS MATERIALIZED (
         SELECT *, ${score} AS rank FROM entries WHERE user_id = $1 AND id = ANY (${WALKED})
          ORDER BY occurred_at DESC, id DESC LIMIT ${size}),
       page AS (
         SELECT * FROM block ${onwards}
          ORDER BY rank DESC, occurred_at DESC, id DESC LIMIT ${bind(limit)} OFFSET ${bind(offset)})
       SELECT (SELECT row_to_json(e)::text FROM (SELECT ${ENTRY}) AS e), rank::text, occurred_at, id, end_at, end_id,
              (SELECT count(*)::int FROM block)
         FROM page, (SELECT occurred_at AS end_at, id AS end_id FROM block ORDER BY occurred_at, id LIMIT 1) AS last
        ORDER BY rank DESC, occurred_at DESC, id DESC`,
      values,
    );
    const [first] = rows;
    if (!first) return { entries: [], end, isLast: !end };
    const reached = end ?? { key: first[4].toISOString(), id: first[5] };
    const entries = rows.map(([json, itsRank, key, id]): Found => {
      return { json, place: { begin, end: reached, rank: itsRank, entry: { key: key.toISOString(), id } } };
    });
    return { entries, end: reached, isLast: !end && first[6] < BLOCK };
  }
}

function blockAt(place: SearchPlace | undefined): Block {
  if (!place) return { begin: undefined };
  return { begin: place.begin, end: place.end, after: place };
}

function positionOf([key, id]: readonly [string, string]): CursorPosition {
  return { key, id };
}
