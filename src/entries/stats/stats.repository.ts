import { Injectable } from '@nestjs/common';
import { Sql } from '../../database/sql.js';
import type { EntryStatsQuery } from '../entries.schemas.js';

/** Days since 1970-01-01. */
export type DayNumber = number;

export interface StatsRange {
  readonly timezone: string;
  /** ISO 8601, inclusive; undefined: the first entry. */
  readonly from: string | undefined;
  /** ISO 8601, exclusive; undefined: the last entry. */
  readonly to: string | undefined;
}

/** Everything else that statistics depend on. */
export interface StatsContext {
  /** Revision of the user's journal. */
  readonly revision: string;
  readonly timezone: string;
  /** In that time zone, like the days of `from` and of the last millisecond before `to`. */
  readonly today: DayNumber;
  readonly firstDay: DayNumber | null;
  readonly lastDay: DayNumber | null;
}

/** Number of entries per day, mood, category or tag: exactly one of the four is not null. */
export type StatsGroup = readonly [
  day: DayNumber | null,
  mood: number | null,
  category: string | null,
  tag: string | null,
  count: number,
  moodSum: number,
];

const MOST_TAGS = 20;

const dayNumber = (timestamp: string) => `(${timestamp} AT TIME ZONE zone)::date - '1970-01-01'::date`;

const STATEMENTS = {
  context: `
    SELECT coalesce(revision, 0)::text AS revision, zone AS timezone, ${dayNumber('now()')} AS today,
           ${dayNumber('$3::timestamptz')} AS "firstDay",
           ${dayNumber(`($4::timestamptz - interval '1 ms')`)} AS "lastDay"
      FROM (SELECT id, coalesce($2, timezone) AS zone FROM users WHERE id = $1) AS owner
           LEFT JOIN journals ON user_id = owner.id`,
  groups: `
    WITH entry AS MATERIALIZED (
      SELECT ${dayNumber('occurred_at')} AS day, mood, category, tags
        FROM entries, (SELECT $2::text AS zone) AS given
       WHERE user_id = $1 AND deleted_at IS NULL
         AND occurred_at >= coalesce($3::timestamptz, '-infinity') AND occurred_at < coalesce($4::timestamptz, 'infinity'))
    SELECT day, mood, category, NULL, count(*)::int, sum(mood)::int
      FROM entry GROUP BY GROUPING SETS ((day), (mood), (category))
    UNION ALL
    (SELECT NULL, NULL, NULL, tag, count(*)::int, sum(mood)::int
       FROM entry, unnest(tags) AS tag GROUP BY tag ORDER BY count(*) DESC, tag LIMIT ${MOST_TAGS})`,
  days: `
    SELECT DISTINCT ${dayNumber('occurred_at')} FROM entries, (SELECT $2::text AS zone) AS given
     WHERE user_id = $1 AND deleted_at IS NULL`,
} as const;

@Injectable()
export class StatsRepository {
  constructor(private readonly sql: Sql) {}

  /**
   * @param range without a time zone: that of the user
   * @returns undefined if the user does not exist
   */
  async context(userId: string, { timezone, from, to }: EntryStatsQuery): Promise<StatsContext | undefined> {
    const values = [userId, timezone ?? null, from ?? null, to ?? null];
    const { rows } = await this.sql.query<StatsContext>('stats-context', STATEMENTS.context, values);
    return rows[0];
  }

  groups(userId: string, { timezone, from, to }: StatsRange): Promise<StatsGroup[]> {
    const values = [userId, timezone, from ?? null, to ?? null];
    return this.sql.queryArrays<[...StatsGroup]>('stats-groups', STATEMENTS.groups, values);
  }

  /** Days with an entry, unordered. */
  async days(userId: string, timezone: string): Promise<DayNumber[]> {
    const rows = await this.sql.queryArrays<[DayNumber]>('stats-days', STATEMENTS.days, [userId, timezone]);
    return rows.map(([day]) => day);
  }
}
