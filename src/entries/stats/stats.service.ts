import { createHash } from 'node:crypto';
import { BadRequestException, Injectable } from '@nestjs/common';
import { CacheService } from '../../cache/cache.service.js';
import { userNoLongerExists } from '../../users/users.service.js';
import { DateFilters } from '../date-filters.js';
import { firstDayOfCalendar, moodChart } from './mood-chart.js';
import { StatsRepository, type DayNumber, type StatsContext, type StatsGroup } from './stats.repository.js';
import type { EntryStats, EntryStatsQuery } from '../entries.schemas.js';

type Bucket = EntryStatsQuery['bucket'];

/** SQLSTATE of a time zone that Node knows and PostgreSQL does not. */
const INVALID_PARAMETER_VALUE = '22023';

/** Eleven years of days. */
const MOST_BUCKETS = 4000;

const MOST_CATEGORIES = 100;

const DAY_MS = 86_400_000;

export interface Prepared<T> {
  /** Changes whenever the statistics may change. */
  readonly validator: string;
  /** @throws {BadRequestException} for too many buckets */
  readonly load: () => Promise<T>;
}

@Injectable()
export class StatsService {
  constructor(
    private readonly stats: StatsRepository,
    private readonly cache: CacheService,
    private readonly dates: DateFilters,
  ) {}

  /**
   * Reads the validator, without reading entries.
   *
   * @throws {BadRequestException} for a time zone that PostgreSQL does not know
   * @throws {UnauthorizedException} if the user was erased
   */
  async prepare(userId: string, given: EntryStatsQuery): Promise<Prepared<EntryStats>> {
    const { filters: query } = await this.dates.resolve(userId, given, given.timezone);
    const context = await this.stats.context(userId, query).catch((error: unknown) => {
      if ((error as { code?: string }).code !== INVALID_PARAMETER_VALUE) throw error;
      throw refused('timezone', 'is not known to the database');
    });
    if (!context) throw userNoLongerExists();
    const { revision, timezone, today } = context;
    const { from, to, bucket } = query;
    const digest = createHash('sha256')
      .update(JSON.stringify([from, to, bucket, timezone, today]))
      .digest('base64url');
    return {
      validator: `${revision}-${timezone}-${dateOf(today)}`,
      load: () =>
        this.cache.read(userId, revision, `stats:${digest.slice(0, 22)}`, () =>
          this.load(userId, query, context),
        ),
    };
  }

  /** As {@link prepare}. */
  async prepareChart(userId: string, query: EntryStatsQuery): Promise<Prepared<string>> {
    const { validator, load } = await this.prepare(userId, query);
    return { validator, load: async () => this.chart(userId, query, await load()) };
  }

  private async chart(userId: string, query: EntryStatsQuery, stats: EntryStats): Promise<string> {
    const [first, last] = [stats.series[0]?.start, stats.series.at(-1)?.start];
    if (first === undefined || last === undefined) return moodChart(stats, []);
    const from = firstDayOfCalendar(last, query.bucket);
    const days = await this.prepare(userId, {
      ...query,
      bucket: 'day',
      from: from > first ? from : query.from,
    });
    return moodChart(stats, (await days.load()).series);
  }

  private async load(
    userId: string,
    { from, to, bucket }: EntryStatsQuery,
    { timezone, today, firstDay, lastDay }: StatsContext,
  ): Promise<EntryStats> {
    const groups = await this.stats.groups(userId, { timezone, from, to });
    const days = groups.filter(([day]) => day !== null).sort((a, b) => Number(a[0]) - Number(b[0]));
    // The streak covers all entries, whatever the range.
    const written =
      from === undefined && to === undefined
        ? days.map(([day]) => Number(day))
        : (await this.stats.days(userId, timezone)).sort((a, b) => a - b);
    const count = sum(days, 4);
    const isEmptyRange = from !== undefined && to !== undefined && from >= to;
    return {
      count,
      averageMood: average(sum(days, 5), count),
      moods: moodsOf(groups),
      byCategory: mostOf(groups, 2, MOST_CATEGORIES).map(([category, n]) => ({ category, count: n })),
      byTag: mostOf(groups, 3, Infinity).map(([tag, n]) => ({ tag, count: n })),
      series: isEmptyRange
        ? []
        : seriesOf(days, bucket, firstDay ?? days[0]?.[0], lastDay ?? days.at(-1)?.[0]),
      streak: streakOf(written, today),
    };
  }
}

function moodsOf(groups: readonly StatsGroup[]): EntryStats['moods'] {
  const moods: Record<string, number> = {};
  for (let mood = 1; mood <= 10; mood += 1) moods[mood] = 0;
  for (const [, mood, , , count] of groups) if (mood !== null) moods[mood] = count;
  return moods;
}

function mostOf(groups: readonly StatsGroup[], column: 2 | 3, most: number): [name: string, count: number][] {
  return groups
    .flatMap((group): [string, number][] => {
      const name = group[column];
      return name === null ? [] : [[name, group[4]]];
    })
    .sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1))
    .slice(0, most);
}

/** One bucket per day, week or month from the first day to the last, including empty ones. */
function seriesOf(
  days: readonly StatsGroup[],
  bucket: Bucket,
  firstDay: DayNumber | null | undefined,
  lastDay: DayNumber | null | undefined,
): EntryStats['series'] {
  if (typeof firstDay !== 'number' || typeof lastDay !== 'number') return [];
  const [first, last] = [numberOf(bucket, firstDay), numberOf(bucket, lastDay)];
  const size = last - first + 1;
  if (size > MOST_BUCKETS) {
    throw refused(
      'bucket',
      `gives ${size} buckets, more than the maximum of ${MOST_BUCKETS}: use a longer bucket or narrow from and to`,
    );
  }
  const buckets = Array.from({ length: size }, () => ({ count: 0, moodSum: 0 }));
  for (const [day, , , , count, moodSum] of days) {
    const its = buckets[numberOf(bucket, Number(day)) - first];
    if (!its) continue;
    its.count += count;
    its.moodSum += moodSum;
  }
  return buckets.map(({ count, moodSum }, index) => ({
    start: dateOf(startOf(bucket, first + index)),
    count,
    averageMood: average(moodSum, count),
  }));
}

/** Consecutive number of a day, month or ISO 8601 week. */
function numberOf(bucket: Bucket, day: DayNumber): number {
  if (bucket === 'day') return day;
  // Day 0 was a Thursday.
  if (bucket === 'week') return Math.floor((day + 3) / 7);
  const date = new Date(day * DAY_MS);
  return date.getUTCFullYear() * 12 + date.getUTCMonth();
}

function startOf(bucket: Bucket, number: number): DayNumber {
  if (bucket === 'day') return number;
  if (bucket === 'week') return number * 7 - 3;
  return new Date(0).setUTCFullYear(0, number, 1) / DAY_MS;
}

/**
 * The current streak ends today, or yesterday if today has no entry yet.
 *
 * @param days in ascending order
 */
function streakOf(days: readonly DayNumber[], today: DayNumber): EntryStats['streak'] {
  let [current, longest, length, before] = [0, 0, 0, NaN];
  for (const day of days) {
    length = day === before + 1 ? length + 1 : 1;
    before = day;
    longest = Math.max(longest, length);
    if (day === today || day === today - 1) current = length;
  }
  return { current, longest };
}

function sum(groups: readonly StatsGroup[], column: 4 | 5): number {
  return groups.reduce((total, group) => total + group[column], 0);
}

/** Rounded half up to two decimals. */
function average(moodSum: number, count: number): number | null {
  return count === 0 ? null : Math.round((moodSum * 100) / count) / 100;
}

function dateOf(day: DayNumber): string {
  return new Date(day * DAY_MS).toISOString().slice(0, 10);
}

function refused(path: string, message: string): BadRequestException {
  return new BadRequestException({ message: `The ${path} ${message}`, errors: [{ path, message }] });
}
