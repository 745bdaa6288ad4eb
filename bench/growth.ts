import { ApiClient } from '../test/harness/http/client.js';
import { bench } from './harness/bench.js';
import { fill } from './harness/database.js';
import { get, medianMs, type Request } from './harness/load.js';
import { options } from './harness/options.js';
import { printTable } from './harness/report.js';
import { startService } from './harness/server.js';

/**
 * How the time of a request grows with the number of entries that its user has. Each request differs a little from the
 * one before, so that no response comes from the cache.
 */
const { requests, sizes } = options({ requests: 200, sizes: '1000,100000,1000000' });
const SIZES = sizes.split(',').map(Number);

/** The page that a cursor leads to, of 20 entries. */
const DEEP_PAGE = 1000;

/** Statistics of all time differ by their time zone: a range would add the pass over all days that streaks need. */
const TIME_ZONES = Intl.supportedValuesOf('timeZone').filter((zone) => zone.startsWith('Europe/'));

await bench(async (database) => {
  const { url } = await startService(database.url);
  const rows = new Map<string, number[]>();
  for (const size of SIZES) {
    const user = await new ApiClient(url).signUp();
    await fill(database.url, [user.account.userId], size);
    console.error(`measuring with ${size} entries`);
    for (const [title, requestOf] of Object.entries(await casesOf(user, size))) {
      rows.set(title, [...(rows.get(title) ?? []), await medianMs(url, requests, requestOf)]);
    }
  }
  printTable(
    ['p50, ms', ...SIZES.map((size) => size.toLocaleString('en')), 'last / first'],
    [...rows].map(([title, times]) => [
      title,
      ...times.map((ms) => ms.toFixed(1)),
      `${((times.at(-1) ?? NaN) / (times[0] ?? NaN)).toFixed(2)} ×`,
    ]),
  );
});

async function casesOf(user: ApiClient, size: number): Promise<Record<string, (turn: number) => Request>> {
  const { ids, cursor } = await deepPage(user, size);
  const now = new Date();
  const [from, to] = [-2, -1].map((month) => Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + month)) as [
    number,
    number,
  ];
  const iso = (ms: number) => new Date(ms).toISOString();
  /** A year from now, and another millisecond each time. */
  const later = (turn: number) => iso(now.getTime() + 31_536_000_000 + turn);
  const page = (query: string) => () => get(user, `/entries${query}`);
  const search = (word: string) => (turn: number) => get(user, `/entries?q=${word}&to=${later(turn)}`);
  const stats = (query: string) => get(user, `/entries/stats?${query}`);
  return {
    'GET /entries, first page': page(''),
    [`GET /entries, page ${DEEP_PAGE} by cursor, or the last`]: page(`?cursor=${cursor}`),
    'GET /entries?tag=river': page('?tag=river'),
    'GET /entries?category=work': page('?category=work'),
    'GET /entries/:id': (turn) => get(user, `/entries/${ids[(turn * 7919) % ids.length] ?? ''}`),
    'GET /entries?q=, a word of every second entry': search('river'),
    'GET /entries?q=, a word of 20 entries': search('zanzibar'),
    'GET /entries?q=, a word of none': search('nowhere'),
    'GET /entries/stats of a month': (turn) =>
      stats(`from=${iso(from)}&to=${iso(to + turn)}&timezone=Europe/Vienna`),
    'GET /entries/stats of all time, by month': (turn) =>
      stats(`bucket=month&timezone=${TIME_ZONES[turn % TIME_ZONES.length] ?? ''}`),
    'POST /entries': (turn) => {
      const { path, headers } = get(user, '/entries');
      const body = JSON.stringify({ text: `Walked by the river ${turn} times.`, mood: 5, tags: ['river'] });
      return { method: 'POST', path, headers: { ...headers, 'content-type': 'application/json' }, body };
    },
  };
}

/** The cursor of the deep page, and the ids of the entries before it. */
async function deepPage(user: ApiClient, size: number): Promise<{ ids: string[]; cursor: string }> {
  const ids: string[] = [];
  let cursor = '';
  const limit = Math.min(100, Math.floor(size / 10));
  for (let read = limit; read <= Math.min(20 * (DEEP_PAGE - 1), size - 20); read += limit) {
    const response = await user.get(`/entries?limit=${limit}${cursor && `&cursor=${cursor}`}`);
    const { entries, nextCursor } = response.body as { entries: { id: string }[]; nextCursor: string };
    ids.push(...entries.map(({ id }) => id));
    cursor = nextCursor;
  }
  return { ids, cursor };
}
