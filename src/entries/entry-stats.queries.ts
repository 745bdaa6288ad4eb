import { Injectable } from '@nestjs/common';
import { Sql } from '../database/sql.js';

export type Bucket = 'day' | 'week' | 'month';

export interface StatsRange {
  /** ISO 8601; undefined: from the first entry, up to the last. */
  readonly from: string | undefined;
  readonly to: string | undefined;
  readonly bucket: Bucket;
  /** IANA; undefined: the user's. */
  readonly timezone: string | undefined;
}

/** More buckets than that are not made: a series of days of eleven years. */
export const MOST_BUCKETS = 4000;

const MOODS = Array.from({ length: 10 }, (_, index) => index + 1);

const MOST_CATEGORIES = 100;
const MOST_TAGS = 20;

/**
 * A column `at` beside the dates: the instant at which each begins. Where clocks go back at midnight there are two, of
 * which PostgreSQL takes the second: it is the first. The zone's rules are looked up twice a date, and no more.
 */
function beginnings(dates: string): string {
  return `
    SELECT dated.*, CASE WHEN ((local - interval '1 hour') AT TIME ZONE zone)::date = date
                         THEN local - interval '1 hour' ELSE local END AS at
      FROM (SELECT *, date::timestamp AT TIME ZONE zone AS local FROM (${dates}) AS dates OFFSET 0) AS dated`;
}

const average = (sum: string, count: string) => `round(${sum}::numeric / nullif(${count}, 0), 2)::float8`;

/** Rows of $1 from one instant up to another. */
const between = (start: string, end: string) =>
  `user_id = $1 AND deleted_at IS NULL AND occurred_at >= ${start} AND occurred_at < ${end}`;

/**
 * Those of an edge. Behind OFFSET 0 it is planned by itself, so that it is by the index, edge by edge: joined, the whole
 * of a user's entries may be read for each.
 */
const entriesOf = (columns: string) =>
  `SELECT ${columns} FROM entries WHERE ${between('start', 'stop')} OFFSET 0`;

/** The parts of [since, until) that are no whole `unit` of UTC, at most one at either end. */
function edges(unit: 'day' | 'month'): string {
  return `
    SELECT since AS start, least(whole_since, until) AS stop FROM ${unit}_range WHERE since < whole_since
    UNION ALL
    SELECT greatest(whole_until, since, whole_since), until FROM ${unit}_range
     WHERE whole_until < until AND greatest(whole_until, whole_since) < until`;
}

/** The whole units of UTC in the span. Where it begins with the first entry, or ends with the last, theirs are whole. */
const rangeOf = (unit: 'day' | 'month') => `
  ${unit}_range AS (
    SELECT since, until, first AT TIME ZONE 'UTC' AS whole_since, last AT TIME ZONE 'UTC' AS whole_until
      FROM span, LATERAL (
        SELECT date_trunc('${unit}', since AT TIME ZONE 'UTC') AS first_begun,
               date_trunc('${unit}', until AT TIME ZONE 'UTC') AS last_begun) AS begun, LATERAL (
        SELECT CASE WHEN $3::timestamptz IS NULL OR since AT TIME ZONE 'UTC' = first_begun THEN first_begun
                    ELSE first_begun + interval '1 ${unit}' END AS first,
               CASE WHEN $4::timestamptz IS NULL THEN last_begun + interval '1 ${unit}' ELSE last_begun END AS last) AS whole)`;

/**
 * One statement for all of it. $1 user, $2 time zone or NULL, $3 from, $4 to, $5 bucket.
 *
 * How many entries there are in a stretch of time is the difference of how many there are before its end and before its
 * beginning (`before`). That of an instant is the sum of the days of UTC before its own, the hours of its own day before
 * its own, which `entry_days` has summed up already, and what is left: the entries since that hour began.
 */
const STATS = `
  WITH place AS (SELECT coalesce($2, timezone) AS zone FROM users WHERE id = $1),
  span AS (
    SELECT zone, since, greatest(since, until) AS until
      FROM place, LATERAL (
        SELECT coalesce($3::timestamptz, (SELECT occurred_at FROM entries WHERE user_id = $1 AND deleted_at IS NULL
                                           ORDER BY occurred_at, id LIMIT 1), $4, now()) AS since,
               coalesce($4::timestamptz, (SELECT occurred_at + interval '1 ms' FROM entries
                                           WHERE user_id = $1 AND deleted_at IS NULL
                                           ORDER BY occurred_at DESC, id DESC LIMIT 1), $3, now()) AS until) AS ends),
  edge AS (
    SELECT zone, since, until, since < until AS is_some,
           date_trunc($5, since AT TIME ZONE zone)::date AS first_date,
           date_trunc($5, (until - interval '1 ms') AT TIME ZONE zone)::date AS last_date FROM span),
  size AS (
    SELECT CASE WHEN NOT is_some THEN 0
                WHEN $5 = 'month' THEN 12 * (date_part('year', last_date) - date_part('year', first_date))
                                       + date_part('month', last_date) - date_part('month', first_date) + 1
                ELSE (last_date - first_date) / CASE $5 WHEN 'week' THEN 7 ELSE 1 END + 1 END::int AS buckets FROM edge),
  bucket AS MATERIALIZED (
    SELECT n, date, least(until, greatest(since, at)) AS at
      FROM (${beginnings(`
        SELECT n, zone, since, until, (first_date + n * ('1 ' || $5)::interval)::date AS date
          FROM edge, size, generate_series(0, buckets) AS n
         WHERE buckets BETWEEN 1 AND ${MOST_BUCKETS}`)}) AS each),

  day AS MATERIALIZED (SELECT day, counts, mood_sums, moods FROM entry_days WHERE user_id = $1),
  -- What is of one day of UTC is of that date, or of the one before or after it, anywhere.
  local_day AS MATERIALIZED (${beginnings(`
    SELECT DISTINCT zone, day + n AS date FROM place, day, generate_series(-1, 2) AS n`)}),
  instant AS (
    SELECT kind, date, at, hour, hour::date AS day, date_part('hour', hour)::int AS hours
      FROM (SELECT kind, date, at, date_trunc('hour', at AT TIME ZONE 'UTC') AS hour
              FROM (SELECT 'bucket' AS kind, date, at FROM bucket
                    UNION ALL SELECT 'day', date, at FROM local_day
                    UNION ALL SELECT 'since', NULL, since FROM span
                    UNION ALL SELECT 'until', NULL, until FROM span) AS each) AS each),
  -- Windows and no joins: however wrong the planner is about how many days there are, this is read once.
  summed AS (
    SELECT *, sum(n) OVER days AS total, sum(m) OVER days AS mood_total, count(counts) OVER days AS nth
      FROM (SELECT *, 0 AS n, 0 AS m, NULL::int[] AS counts, NULL::int[] AS mood_sums FROM instant
            UNION ALL
            SELECT NULL, NULL, NULL, NULL, day, 24, counts[24], mood_sums[24], counts, mood_sums FROM day) AS each
    WINDOW days AS (ORDER BY day, at NULLS FIRST ROWS UNBOUNDED PRECEDING)),
  latest AS (
    SELECT kind, date, at, hour, hours, total, mood_total, 
           nth > 0 AND first_value(day) OVER its = day AS is_own,
           first_value(counts) OVER its AS counts, first_value(mood_sums) OVER its AS mood_sums
      FROM summed WINDOW its AS (PARTITION BY nth ORDER BY day, at NULLS FIRST ROWS UNBOUNDED PRECEDING)),
  before AS MATERIALIZED (
    SELECT kind, date, at,
           total + CASE WHEN is_own THEN coalesce(counts[hours], 0) - counts[24] + rest.n ELSE 0 END AS n,
           mood_total + CASE WHEN is_own THEN coalesce(mood_sums[hours], 0) - mood_sums[24] + rest.m ELSE 0 END AS m
      FROM latest, LATERAL (
        SELECT count(*) AS n, coalesce(sum(mood), 0) AS m FROM entries
         WHERE is_own AND at <> hour AT TIME ZONE 'UTC' AND ${between(`hour AT TIME ZONE 'UTC'`, 'at')}) AS rest
     WHERE kind IS NOT NULL),

  series AS (
    SELECT date, count, ${average('moods', 'count')} AS mood
      FROM (SELECT date, lead(date) OVER dates AS next, lead(n) OVER dates - n AS count, lead(m) OVER dates - m AS moods
              FROM before WHERE kind = 'bucket' WINDOW dates AS (ORDER BY date)) AS each
     WHERE next IS NOT NULL),
  written AS (
    SELECT date FROM (SELECT date, lead(date) OVER dates AS next, lead(n) OVER dates - n AS count
                        FROM before WHERE kind = 'day' WINDOW dates AS (ORDER BY date)) AS each
     WHERE next = date + 1 AND count > 0),
  streak AS (
    SELECT min(date) AS first, max(date) AS last
      FROM (SELECT date, date - row_number() OVER (ORDER BY date)::int AS island FROM written) AS islands
     GROUP BY island),

  ${rangeOf('day')},
  ${rangeOf('month')},
  mood AS (
    SELECT ${MOODS.map((mood) => `coalesce(whole.m${mood}, 0) + rest.m${mood} AS m${mood}`).join(', ')}
      FROM (SELECT ${MOODS.map((mood) => `sum(moods[${mood}]) AS m${mood}`).join(', ')}
              FROM day_range, day
             WHERE day >= (whole_since AT TIME ZONE 'UTC')::date AND day < (whole_until AT TIME ZONE 'UTC')::date) AS whole,
           (SELECT ${MOODS.map((mood) => `count(*) FILTER (WHERE mood = ${mood}) AS m${mood}`).join(', ')}
              FROM (${edges('day')}) AS edge, LATERAL (${entriesOf('mood')}) AS entry) AS rest),
  label AS (
    SELECT kind, label, sum(n)::int AS n FROM (
      SELECT kind, label, count AS n FROM month_range, entry_labels
       WHERE user_id = $1 AND month >= (whole_since AT TIME ZONE 'UTC')::date
         AND month < (whole_until AT TIME ZONE 'UTC')::date
      UNION ALL
      SELECT named.kind, named.label, 1 FROM (${edges('month')}) AS edge, LATERAL (${entriesOf('category, tags')}) AS entry,
             LATERAL (SELECT 'category' AS kind, category AS label UNION ALL SELECT 'tag', unnest(tags)) AS named) AS each
     GROUP BY 1, 2)

  SELECT buckets, json_build_object(
    'count', (last.n - first.n)::int,
    'averageMood', ${average('(last.m - first.m)', '(last.n - first.n)')},
    'moods', (SELECT json_build_object(${MOODS.map((mood) => `'${mood}', m${mood}`).join(', ')}) FROM mood),
    'byCategory', (SELECT coalesce(json_agg(json_build_object('category', label, 'count', n) ORDER BY n DESC, label), '[]')
                     FROM (SELECT label, n FROM label WHERE kind = 'category' ORDER BY n DESC, label
                            LIMIT ${MOST_CATEGORIES}) AS most),
    'byTag', (SELECT coalesce(json_agg(json_build_object('tag', label, 'count', n) ORDER BY n DESC, label), '[]')
                FROM (SELECT label, n FROM label WHERE kind = 'tag' ORDER BY n DESC, label LIMIT ${MOST_TAGS}) AS most),
    'series', (SELECT coalesce(json_agg(json_build_object('start', date, 'count', count::int, 'averageMood', mood)
                                        ORDER BY date), '[]') FROM series),
    'streak', (SELECT json_build_object(
                 'current', coalesce(max(least(last, today) - first + 1) FILTER (
                              WHERE first <= today AND last >= today - 1), 0),
                 'longest', coalesce(max(last - first + 1), 0))
                 FROM place, LATERAL (SELECT (now() AT TIME ZONE zone)::date AS today) AS now LEFT JOIN streak ON true))::text
    FROM span, size, before AS first, before AS last WHERE first.kind = 'since' AND last.kind = 'until'`;

/** The statement behind `GET /entries/stats`. */
@Injectable()
export class EntryStatsQueries {
  constructor(private readonly sql: Sql) {}

  /**
   * @returns how many buckets the range has, and the answer's JSON, whose series is empty where there are more than
   *   {@link MOST_BUCKETS}; undefined where there is no such user
   */
  async read(
    userId: string,
    { timezone, from, to, bucket }: StatsRange,
  ): Promise<{ buckets: number; json: string } | undefined> {
    const [row] = await this.sql.queryArrays<[buckets: number, json: string]>('entries-stats', STATS, [
      userId,
      timezone ?? null,
      from ?? null,
      to ?? null,
      bucket,
    ]);
    return row && { buckets: row[0], json: row[1] };
  }
}
