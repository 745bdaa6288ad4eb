import { performance } from 'node:perf_hooks';
import { join } from 'node:path';
import pg from 'pg';
import { ROOT } from '../scripts/environment.js';
import { createDatabase } from './database.js';
import { Server } from './server.js';
import { signUp } from './sign-up.js';

/**
 * `npm run build && node bench/growth.js`: how the time of a request grows with the entries that its user has. Prints a
 * table for docs/performance.md. Requests are sent one after the other, each a little different from the one before,
 * so that no answer comes out of the cache. Options: `--requests 200`, and the sizes, `1000 100000 1000000`.
 */

const args = process.argv.slice(2);
const option = args.indexOf('--requests');
const REQUESTS = option < 0 ? 200 : Number(args.splice(option, 2)[1]);
const SIZES = args.length > 0 ? args.map(Number) : [1_000, 100_000, 1_000_000];

/** An entry every five minutes, up to now: a million of them are nine and a half years. */
const MINUTES = 5;

/** The page that a cursor leads to. */
const DEEP_PAGE = 1000;

/** Another one in each request, as a range would add the pass over all days that streaks need. */
const TIME_ZONES = Intl.supportedValuesOf('timeZone').filter((zone) => zone.startsWith('Europe/'));

const abort = new AbortController();
process.once('SIGINT', () => abort.abort(new Error('interrupted')));
process.once('exit', () => Server.killAll());

const database = await createDatabase();
/** @type {Server | undefined} */
let server;
try {
  server = await Server.start(
    join(ROOT, 'dist', 'main.js'),
    {
      PATH: process.env['PATH'] ?? '',
      NODE_ENV: 'production',
      DATABASE_URL: database.url,
      JWT_SECRET: 'growth-benchmark-secret-0123456789abcdef',
      RATE_LIMIT_ENABLED: 'false',
      LOG_LEVEL: 'error',
    },
    { signal: abort.signal },
  );
  const { url } = server;
  /** @type {Map<string, number[]>} */
  const rows = new Map();
  for (const size of SIZES) {
    const user = await signUp(url, `growth-${performance.now()}@example.org`);
    await fill(user.userId, size);
    console.error(`${size} entries are there`);
    for (const [title, request] of Object.entries(await casesOf(url, user, size))) {
      const figures = rows.get(title) ?? [];
      rows.set(title, [...figures, await median(request)]);
    }
  }
  console.log(table(rows));
} finally {
  await server?.stop();
  await database.remove();
}

/**
 * By statements of 50,000 rows.
 *
 * @param {string} userId
 * @param {number} size
 */
async function fill(userId, size) {
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  try {
    const started = performance.now();
    for (let first = 1; first <= size; first += 50_000) {
      abort.signal.throwIfAborted();
      await client.query(
        `INSERT INTO entries (id, user_id, text, search_text, mood, category, tags, occurred_at, created_at, updated_at)
         SELECT gen_random_uuid(), $1, text, lower(text),
                1 + n % 10, (ARRAY['general', 'health', 'work', 'family'])[1 + n % 4],
                CASE n % 3 WHEN 0 THEN '{}' WHEN 1 THEN '{river}' ELSE ARRAY['river', 'tag' || n % 40] END::text[],
                at, at, at
           FROM (SELECT n, 'Entry number ' || n || CASE WHEN n % 2 = 0 THEN ' walked by the river' ELSE ' stayed at home and read' END
                  || CASE WHEN n % ($2::int / 20) = 7 THEN ' zanzibar' ELSE '' END
                  || repeat(' and wrote down what came to mind of w' || n % 5000, 1 + n % 3) AS text,
                        date_trunc('milliseconds', now()) - make_interval(mins => ${MINUTES} * ($2::int - n)) AS at
                   FROM generate_series($3::int, least($2::int, $3::int + 49999)) AS n) AS entry`,
        [userId, size, first],
      );
    }
    console.error(`${Math.round((size / (performance.now() - started)) * 1000)} rows/s`);
    await client.query('VACUUM ANALYZE');
  } finally {
    await client.end();
  }
}

/**
 * @param {string} url
 * @param {import('./sign-up.js').Account} user
 * @param {number} size
 * @returns {Promise<Record<string, (turn: number) => Promise<unknown>>>}
 */
async function casesOf(url, { accessToken }, size) {
  const headers = { authorization: `Bearer ${accessToken}` };
  /**
   * @param {string} path
   * @param {RequestInit} [init]
   */
  const send = async (path, init = {}) => {
    const response = await fetch(url + path, { ...init, headers: { ...headers, ...init.headers } });
    const text = await response.text();
    if (!response.ok) throw new Error(`${path}: ${response.status} ${text}`);
    return JSON.parse(text);
  };
  /** @type {string[]} */
  const ids = [];
  let cursor = '';
  const limit = Math.min(100, Math.floor(size / 10));
  for (let read = limit; read <= Math.min(20 * (DEEP_PAGE - 1), size - 20); read += limit) {
    const page = await send(`/entries?limit=${limit}${cursor && `&cursor=${cursor}`}`);
    ids.push(...page.entries.map((/** @type {{ id: string }} */ { id }) => id));
    cursor = page.nextCursor;
  }
  const first = new Date(Date.now() - 40 * 86_400_000);
  const month = new Date(Date.UTC(first.getUTCFullYear(), first.getUTCMonth(), 1));
  const end = Date.UTC(first.getUTCFullYear(), first.getUTCMonth() + 1, 1);
  // A year from now, and another millisecond each time.
  const later = (/** @type {number} */ turn) => new Date(Date.now() + 31_536_000_000 + turn).toISOString();
  return {
    'GET /entries, first page': () => send('/entries'),
    [`GET /entries, page ${DEEP_PAGE} by cursor, or the last`]: () => send(`/entries?cursor=${cursor}`),
    'GET /entries?tag=river': () => send('/entries?tag=river'),
    'GET /entries?category=work': () => send('/entries?category=work'),
    'GET /entries/:id': (turn) => send(`/entries/${ids[(turn * 7919) % ids.length]}`),
    'GET /entries?q=, a word of every second entry': (turn) => send(`/entries?q=river&to=${later(turn)}`),
    'GET /entries?q=, a word of 20 entries': (turn) => send(`/entries?q=zanzibar&to=${later(turn)}`),
    'GET /entries?q=, a word of none': (turn) => send(`/entries?q=nowhere&to=${later(turn)}`),
    'GET /entries/stats of a month': (turn) =>
      send(
        `/entries/stats?from=${month.toISOString()}&to=${new Date(end + turn).toISOString()}&timezone=Europe/Vienna`,
      ),
    'GET /entries/stats of all time, by month': (turn) =>
      send(`/entries/stats?bucket=month&timezone=${TIME_ZONES[turn % TIME_ZONES.length]}`),
    'POST /entries': (turn) =>
      send('/entries', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({
          text: `Walked by the river, and thought of number ${turn}.`,
          mood: 5,
          tags: ['river'],
        }),
      }),
  };
}

/**
 * @param {(turn: number) => Promise<unknown>} request
 * @returns {Promise<number>} ms
 */
async function median(request) {
  const warmUp = 20;
  const times = [];
  for (let turn = 0; turn < REQUESTS + warmUp; turn += 1) {
    abort.signal.throwIfAborted();
    const started = performance.now();
    await request(turn);
    if (turn >= warmUp) times.push(performance.now() - started);
  }
  return times.sort((a, b) => a - b)[Math.floor(times.length / 2)] ?? NaN;
}

/** @param {ReadonlyMap<string, readonly number[]>} rows */
function table(rows) {
  const head = ['p50, ms', ...SIZES.map((size) => size.toLocaleString('en')), 'last / first'];
  const lines = [...rows].map(([title, figures]) => [
    title,
    ...figures.map((figure) => figure.toFixed(1)),
    `${((figures.at(-1) ?? NaN) / (figures[0] ?? NaN)).toFixed(2)} ×`,
  ]);
  return [head, head.map((_, index) => (index === 0 ? '---' : '---:')), ...lines]
    .map((cells) => `| ${cells.join(' | ')} |`)
    .join('\n');
}
