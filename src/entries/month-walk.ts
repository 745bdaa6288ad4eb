import type { CursorPosition } from '../http/cursor.js';
import { conditionsOf, rangeOf, type Bind, type EntrySelection } from './entry-selection.js';

/** Where a walk begins and ends. The places themselves are left out and taken in, in this order. */
export interface WalkBounds {
  readonly after?: CursorPosition | undefined;
  readonly until?: CursorPosition | undefined;
}

/**
 * `WITH RECURSIVE walk (at, ids, found)`: goes from month to month of a user, the newest first or the oldest, and takes
 * the ids of what matches out of the search index, up to `size` a month, until it has `size` of them.
 *
 * A GIN index has no order: what it finds must be fetched and sorted as a whole, which is too much of a word that every
 * second of a million entries has. A month of them is not, and most months without the word cost one look into the
 * index. The subquery behind OFFSET 0 is planned by itself, so that the planner has no other index to take: the one in
 * order of time would be read from end to end for a word that is rare.
 *
 * @param bind `$1` is the user
 */
export function monthWalk(
  selection: EntrySelection,
  bind: Bind,
  { after, until }: WalkBounds,
  order: 'ASC' | 'DESC',
  size: number,
): string {
  const [onwards, start, nextMonth] =
    order === 'DESC'
      ? ['<', '>', `date_trunc('month', walk.at AT TIME ZONE 'UTC') AT TIME ZONE 'UTC'`]
      : [
          '>=',
          '<',
          `(date_trunc('month', walk.at AT TIME ZONE 'UTC') + interval '1 month') AT TIME ZONE 'UTC'`,
        ];
  const within = [
    ...rangeOf(selection, bind),
    after && `(occurred_at, id) ${order === 'DESC' ? '<' : '>'} ${place(after, bind)}`,
    until && `(occurred_at, id) ${start}= ${place(until, bind)}`,
  ].filter((condition) => typeof condition === 'string');
  const nearest = (conditions: readonly string[]) =>
    `(SELECT occurred_at FROM entries WHERE ${['user_id = $1', ...conditions].join(' AND ')}
       ORDER BY occurred_at ${order}, id ${order} LIMIT 1)`;
  const matches = [...conditionsOf(selection, bind), ...within].join(' AND ');
  return `
    WITH RECURSIVE walk (at, ids, found) AS (
      SELECT ${nearest(within)}, '{}'::uuid[], 0
      UNION ALL
      SELECT ${nearest([...within, `occurred_at ${onwards} ${nextMonth}`])}, month.ids, found + cardinality(month.ids)
        FROM walk, LATERAL (
          SELECT coalesce(array_agg(id), '{}') AS ids FROM (
            SELECT id FROM (
              SELECT * FROM entries
               WHERE entries_scope(user_id, occurred_at) @> entries_scope($1, walk.at) AND ${matches} OFFSET 0) AS entry
             WHERE user_id = $1
             ORDER BY occurred_at ${order}, id ${order} LIMIT ${size}) AS entry) AS month
       WHERE walk.at IS NOT NULL AND found < ${size})`;
}

/** The ids that a walk has found: `size` or more, and those of the last month are the farthest ones. */
export const WALKED = 'ARRAY(SELECT unnest(ids) FROM walk)';

function place({ key, id }: CursorPosition, bind: Bind): string {
  return `(${bind(key)}::timestamptz, ${bind(id)}::uuid)`;
}
