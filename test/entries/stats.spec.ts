import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { startService, type TestService } from '../harness/http/service.js';
import type { ApiClient } from '../harness/http/client.js';
import { bumpRevision } from '../harness/entries/journal.js';
import { expectProblem } from '../harness/http/problem.js';
import { describeWithRedis, redisUrl } from '../harness/servers/redis.js';

let service: TestService;
let ada: ApiClient;
beforeAll(async () => {
  service = await startService();
});
beforeEach(async () => {
  ada = await service.signUp();
});
afterAll(() => service.close());

interface Written {
  readonly occurredAt: string;
  readonly mood?: number;
  readonly category?: string;
  readonly tags?: readonly string[];
}

async function write(...entries: readonly Written[]): Promise<void> {
  await service.database.query(
    `INSERT INTO entries (id, user_id, text, search_text, mood, category, tags, occurred_at)
     SELECT gen_random_uuid(), $1, 'a', 'a', coalesce((e ->> 'mood')::smallint, 5), coalesce(e ->> 'category', 'general'),
            ARRAY(SELECT jsonb_array_elements_text(coalesce(e -> 'tags', '[]'))), (e ->> 'occurredAt')::timestamptz
       FROM jsonb_array_elements($2::jsonb) AS e`,
    [ada.account.userId, JSON.stringify(entries)],
  );
  await bumpRevision(service.database, ada.account.userId);
}

interface Bucket {
  readonly start: string;
  readonly count: number;
  readonly averageMood: number | null;
}
interface Stats {
  readonly count: number;
  readonly averageMood: number | null;
  readonly moods: Readonly<Record<string, number>>;
  readonly byCategory: readonly { category: string; count: number }[];
  readonly byTag: readonly { tag: string; count: number }[];
  readonly series: readonly Bucket[];
  readonly streak: { readonly current: number; readonly longest: number };
}

async function stats(parameters: Readonly<Record<string, string>> = {}, client = ada): Promise<Stats> {
  const { status, text, body } = await client.get(
    `/entries/stats?${new URLSearchParams(parameters).toString()}`,
  );
  expect(`${status} ${text}`).toMatch(/^200 /);
  return body as Stats;
}

const counts = ({ series }: Stats) => series.map(({ start, count }) => [start, count]);
const NO_MOODS = Object.fromEntries(Array.from({ length: 10 }, (_, index) => [index + 1, 0]));

/** The date of an instant in a time zone, by Node's own tables. */
function dateIn(timezone: string, instant: string | number | Date): string {
  return new Intl.DateTimeFormat('en-CA', { timeZone: timezone }).format(new Date(instant));
}
function plusDays(date: string, days: number): string {
  return new Date(Date.parse(date) + days * 86_400_000).toISOString().slice(0, 10);
}

describe('GET /entries/stats', () => {
  it('answers 200 with nothing to a user who has written nothing', async () => {
    expect(await stats()).toEqual({
      count: 0,
      averageMood: null,
      moods: NO_MOODS,
      byCategory: [],
      byTag: [],
      series: [],
      streak: { current: 0, longest: 0 },
    });
  });

  it('counts entries, moods, categories and tags, and averages to two decimals', async () => {
    await write(
      { occurredAt: '2026-03-01T10:00:00Z', mood: 1, category: 'work', tags: ['b', 'a'] },
      { occurredAt: '2026-03-01T11:00:00Z', mood: 10, category: 'work', tags: ['a'] },
      { occurredAt: '2026-03-03T00:00:00Z', mood: 10, category: 'health' },
    );
    expect(await stats()).toEqual({
      count: 3,
      averageMood: 7,
      moods: { ...NO_MOODS, 1: 1, 10: 2 },
      byCategory: [
        { category: 'work', count: 2 },
        { category: 'health', count: 1 },
      ],
      byTag: [
        { tag: 'a', count: 2 },
        { tag: 'b', count: 1 },
      ],
      series: [
        { start: '2026-03-01', count: 2, averageMood: 5.5 },
        { start: '2026-03-02', count: 0, averageMood: null },
        { start: '2026-03-03', count: 1, averageMood: 10 },
      ],
      streak: { current: 0, longest: 1 },
    });
    await write(
      { occurredAt: '2026-03-03T00:00:00Z', mood: 2 },
      { occurredAt: '2026-03-03T00:00:00Z', mood: 1 },
    );
    await ada.post('/entries', { text: 'x', mood: 1, occurredAt: '2026-03-03T00:00:00Z' });
    expect((await stats()).averageMood).toBe(4.17);
  });

  it('names the 20 tags with most entries', async () => {
    await write(
      ...Array.from({ length: 25 }, (_, i) => ({
        occurredAt: '2026-03-01T10:00:00Z',
        tags: Array.from({ length: Math.min(i + 1, 20) }, (_each, t) => `t${String(i - t).padStart(2, '0')}`),
      })),
    );
    const { byTag } = await stats();
    expect(byTag).toHaveLength(20);
    expect(byTag.map(({ count }) => count)).toEqual(byTag.map(({ count }) => count).sort((a, b) => b - a));
  });

  it('applies from and to by the millisecond, with a bucket for each day between, also partial or empty ones', async () => {
    await write(
      ...[
        '2026-03-01T11:59:59.999Z',
        '2026-03-01T12:00:00.000Z',
        '2026-03-03T12:29:59.999Z',
        '2026-03-03T12:30:00Z',
      ].map((occurredAt) => ({ occurredAt, tags: ['a'] })),
    );
    const found = await stats({ from: '2026-03-01T12:00:00Z', to: '2026-03-03T12:30:00Z' });
    expect(found).toMatchObject({ count: 2, moods: { 5: 2 }, byTag: [{ tag: 'a', count: 2 }] });
    expect(counts(found)).toEqual([
      ['2026-03-01', 1],
      ['2026-03-02', 0],
      ['2026-03-03', 1],
    ]);
    expect(counts(await stats({ from: '2026-02-28T00:00:00Z', to: '2026-03-01T00:00:00Z' }))).toEqual([
      ['2026-02-28', 0],
    ]);
    for (const to of ['2026-03-01T12:00:00Z', '2026-02-01T00:00:00Z']) {
      expect(await stats({ from: '2026-03-01T12:00:00Z', to })).toMatchObject({ count: 0, series: [] });
    }
  });

  it("uses the days of the user's time zone, including those of 23 and 25 hours", async () => {
    await ada.patch('/users/me', { timezone: 'Europe/Vienna' });
    const around = [
      // 29 March 2026 ends at 22:00 UTC, and 25 October begins at 22:00 and ends at 23:00.
      ...[
        '2026-03-28T22:59:59.999Z',
        '2026-03-28T23:00:00Z',
        '2026-03-29T21:59:59.999Z',
        '2026-03-29T22:00:00Z',
      ],
      ...[
        '2026-10-24T21:59:59.999Z',
        '2026-10-24T22:00:00Z',
        '2026-10-25T22:59:59.999Z',
        '2026-10-25T23:00:00Z',
      ],
    ];
    await write(...around.map((occurredAt) => ({ occurredAt })));
    const { series } = await stats();
    expect(series.filter(({ count }) => count > 0).map(({ start, count }) => [start, count])).toEqual([
      ['2026-03-28', 1],
      ['2026-03-29', 2],
      ['2026-03-30', 1],
      ['2026-10-24', 1],
      ['2026-10-25', 2],
      ['2026-10-26', 1],
    ]);
    expect(new Set(series.map(({ start }) => start)).size).toBe(series.length);
  });

  it('has ISO weeks from Monday, also if they start in the previous year', async () => {
    await write(
      { occurredAt: '2026-01-01T00:00:00Z' },
      { occurredAt: '2026-01-04T23:59:59Z' },
      { occurredAt: '2026-01-12T00:00:00Z' },
    );
    expect(counts(await stats({ bucket: 'week' }))).toEqual([
      ['2025-12-29', 2],
      ['2026-01-05', 0],
      ['2026-01-12', 1],
    ]);
    expect(counts(await stats({ bucket: 'month' }))).toEqual([['2026-01-01', 3]]);
  });

  it('counts days in a row up to today, or to yesterday', async () => {
    const today = dateIn('Pacific/Auckland', Date.now());
    // Noon there is on the date before in UTC.
    const noonOf = (date: string) => ({ occurredAt: `${plusDays(date, 0)}T00:30:00Z` });
    await ada.patch('/users/me', { timezone: 'Pacific/Auckland' });
    await write(...[-1, -2, -3, -5, -6, -7, -8].map((days) => noonOf(plusDays(today, days))));
    expect((await stats()).streak).toEqual({ current: 3, longest: 4 });
    await ada.post('/entries', { text: 'a', mood: 5 });
    expect((await stats()).streak).toEqual({ current: 4, longest: 4 });
    // What is to come makes the streak no longer today.
    await ada.post('/entries', { text: 'a', mood: 5, ...noonOf(plusDays(today, 1)) });
    expect((await stats()).streak).toEqual({ current: 4, longest: 5 });
  });

  it('leaves out the trash, and what others write', async () => {
    const { body } = await ada.post('/entries', { text: 'a', mood: 5 });
    expect((await stats({}, await service.signUp())).count).toBe(0);
    expect((await stats()).count).toBe(1);
    await ada.delete(`/entries/${body.id}`);
    expect((await stats()).count).toBe(0);
    await ada.post(`/entries/${body.id}/restore`);
    expect((await stats()).count).toBe(1);
  });

  it('is right after each write, and after the time zone has changed', async () => {
    const { body } = await ada.post('/entries', { text: 'a', mood: 5, occurredAt: '2026-03-01T23:30:00Z' });
    expect(counts(await stats())).toEqual([['2026-03-01', 1]]);
    await ada.patch('/users/me', { timezone: 'Asia/Kolkata' });
    expect(counts(await stats())).toEqual([['2026-03-02', 1]]);
    expect(counts(await stats({ timezone: 'America/New_York' }))).toEqual([['2026-03-01', 1]]);
    await ada.patch(`/entries/${body.id}`, { mood: 9 });
    expect((await stats()).averageMood).toBe(9);
  });

  it.each([
    'bucket=hour',
    'bucket=',
    'timezone=Nowhere/Land',
    'timezone=',
    'timezone=%00',
    'from=yesterday',
    'to=2026-02-30',
    'limit=5',
    'from=2020-01-01T00:00:00Z&to=2026-01-01T00:00:00Z&from=2026-01-01T00:00:00Z',
  ])('answers 400 to ?%s', async (parameters) => {
    const name = /^[a-z]+/.exec(parameters)![0];
    expect(expectProblem(await ada.get(`/entries/stats?${parameters}`), 400).paths).toEqual([name]);
  });

  it('returns 400 for more than 4000 buckets, with their number', async () => {
    const all = '/entries/stats?from=0001-01-01T00:00:00Z&to=9999-12-31T00:00:00Z';
    expect(expectProblem(await ada.get(all), 400).detail).toContain('3652058 buckets');
    expect(expectProblem(await ada.get(`${all}&bucket=month`), 400).paths).toEqual(['bucket']);
    await write({ occurredAt: '0001-01-01T00:00:00Z' }, { occurredAt: '9999-12-31T23:59:59.999Z' });
    expectProblem(await ada.get('/entries/stats'), 400);
    expect((await stats({ from: '2026-01-01T00:00:00Z', to: '2036-01-01T00:00:00Z' })).series).toHaveLength(
      3652,
    );
  });

  it('answers 401 without a token', async () => {
    expectProblem(await service.anonymous.get('/entries/stats'), 401);
  });
});

describe('statistics of any entries, in any time zone', () => {
  /** With clocks that change at midnight (Havana, Beirut), by half an hour (Lord Howe), that have half and quarter hours,
   * that left out a day (Apia), and that had seconds once (Amsterdam). */
  const ZONES = [
    'UTC',
    'Europe/Vienna',
    'America/New_York',
    'America/Havana',
    'Asia/Beirut',
    'Australia/Lord_Howe',
    'Asia/Kolkata',
    'Asia/Kathmandu',
    'Pacific/Apia',
    'Europe/Amsterdam',
    'America/St_Johns',
  ];
  const stretches = ['2026-03-07', '2026-10-31', '2025-12-30', '2011-12-29', '1930-05-14'];
  const instant = fc
    .tuple(fc.constantFrom(...stretches), fc.integer({ min: 0, max: 3 * 96 }), fc.constantFrom(0, 1, -1))
    .map(([date, quarters, ms]) => new Date(Date.parse(date) + quarters * 900_000 + ms).toISOString());
  const entry = fc.record({
    occurredAt: instant,
    mood: fc.integer({ min: 1, max: 10 }),
    category: fc.constantFrom('a', 'b'),
    tags: fc.uniqueArray(fc.constantFrom('x', 'y'), { maxLength: 2 }),
  });

  it('are what one gets by looking at each entry', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(entry, { minLength: 1, maxLength: 30 }),
        fc.constantFrom(...ZONES),
        fc.option(instant, { nil: undefined }),
        fc.option(instant, { nil: undefined }),
        async (entries, timezone, from, to) => {
          ada = await service.signUp();
          await write(...entries);
          const within = entries.filter(
            ({ occurredAt }) =>
              (from === undefined || occurredAt >= from) && (to === undefined || occurredAt < to),
          );
          const found = await stats({
            bucket: 'month',
            timezone,
            ...(from !== undefined && { from }),
            ...(to !== undefined && { to }),
          });
          // Of single days where there are not too many.
          const byDay = new Map<string, number>();
          for (const { occurredAt } of within) {
            const date = dateIn(timezone, occurredAt);
            byDay.set(date, (byDay.get(date) ?? 0) + 1);
          }
          const days = [...byDay.keys()].sort();
          const byMonth = new Map<string, number>();
          for (const [date, count] of byDay) {
            const month = `${date.slice(0, 7)}-01`;
            byMonth.set(month, (byMonth.get(month) ?? 0) + count);
          }
          const some = (series: readonly Bucket[]) =>
            new Map(series.filter(({ count }) => count > 0).map(({ start, count }) => [start, count]));
          expect(some(found.series)).toEqual(byMonth);
          for (const date of [days[0], days.at(-1)].filter((each) => each !== undefined)) {
            const near = {
              timezone,
              from: new Date(Date.parse(date) - 2 * 86_400_000).toISOString(),
              to: new Date(Date.parse(date) + 3 * 86_400_000).toISOString(),
            };
            const all = entries.filter(({ occurredAt }) => dateIn(timezone, occurredAt) === date).length;
            expect(some((await stats(near)).series).get(date)).toBe(all);
          }
          expect(found.count).toBe(within.length);
          for (let mood = 1; mood <= 10; mood += 1) {
            expect(found.moods[mood]).toBe(within.filter((each) => each.mood === mood).length);
          }
          for (const { category, count } of found.byCategory) {
            expect(count).toBe(within.filter((each) => each.category === category).length);
          }
          for (const tag of ['x', 'y'] as const) {
            const count = found.byTag.find((each) => each.tag === tag)?.count ?? 0;
            expect(count).toBe(within.filter(({ tags }) => tags.includes(tag)).length);
          }
          const dates = [...new Set(entries.map(({ occurredAt }) => dateIn(timezone, occurredAt)))].sort();
          let longest = 0;
          for (let i = 0, run = 0; i < dates.length; i += 1) {
            run = i > 0 && plusDays(dates[i - 1]!, 1) === dates[i] ? run + 1 : 1;
            longest = Math.max(longest, run);
          }
          expect(found.streak.longest).toBe(longest);
        },
      ),
      { numRuns: 50 },
    );
  });
});

describeWithRedis('statistics by way of two replicas with one Redis', () => {
  it('are right after a write by way of the other', async () => {
    const replicas = [
      await startService({ REDIS_URL: redisUrl }, service.database),
      await startService({ REDIS_URL: redisUrl }, service.database),
    ] as const;
    try {
      const [here, there] = [await replicas[0].signUp(), replicas[1].anonymous];
      const same = there.as(here.account);
      for (let written = 1; written <= 5; written += 1) {
        const [writer, reader] = written % 2 === 0 ? [here, same] : [same, here];
        await writer.post('/entries', { text: 'a', mood: 5 });
        expect((await stats({}, reader)).count).toBe(written);
        expect((await reader.get('/entries?limit=1')).body.total).toBe(written);
      }
    } finally {
      await Promise.all(replicas.map((replica) => replica.close()));
    }
  });
});
