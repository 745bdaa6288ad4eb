import { performance } from 'node:perf_hooks';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ROOT } from '../scripts/environment.js';
import { createDatabase, fill, pickEntries, query } from './database.js';
import { Server } from './server.js';
import { signUp } from './sign-up.js';

/**
 * `npm run build && npx tsx bench/table-growth.ts`: the time of a user's list and read by the size of the whole table,
 * from 100 users with 1,000 entries each to 10,000. The same 100 users are asked each time.
 */
const { values: options } = parseArgs({
  options: {
    users: { type: 'string', default: '10000' },
    requests: { type: 'string', default: '2000' },
    node: { type: 'string', default: process.execPath },
  },
});
const ASKED_USERS = 100;
const ENTRIES_OF_A_USER = 1000;
/** Rows of one INSERT: 100,000. */
const USERS_AT_ONCE = 100;

process.once('exit', () => Server.killAll());
const database = await createDatabase();
try {
  const server = await Server.start(
    join(ROOT, 'dist', 'main.js'),
    {
      PATH: process.env['PATH'] ?? '',
      NODE_ENV: 'production',
      DATABASE_URL: database.url,
      JWT_SECRET: 'table-growth-secret-0123456789abcdef',
      RATE_LIMIT_ENABLED: 'false',
      LOG_LEVEL: 'error',
      JWT_ACCESS_TTL: '12h',
    },
    { signal: new AbortController().signal, command: [options.node] },
  );
  const tokens = new Map<string, string>();
  for (let user = 0; user < ASKED_USERS; user += 1) {
    const { userId, accessToken } = await signUp(server.url, `user-${user}@example.org`);
    tokens.set(userId, accessToken);
  }
  const asked = [...tokens.keys()];
  await fill(database.url, asked, ASKED_USERS * ENTRIES_OF_A_USER);
  const picked = await pickEntries(database.url, 2000);
  const reads = picked.map(({ id, userId }) => ({ path: `/entries/${id}`, token: tokens.get(userId) ?? '' }));
  const lists = [...tokens.values()].map((token) => ({ path: '/entries?limit=20', token }));
  const measure = async () => {
    await medianMs(server.url, [...reads, ...lists]);
    return { list: await medianMs(server.url, lists), read: await medianMs(server.url, reads) };
  };
  const before = await measure();
  for (let users = ASKED_USERS; users < Number(options.users); users += USERS_AT_ONCE) {
    const { rows } = await query(
      database.url,
      `INSERT INTO users (id, email, password_hash, timezone)
       SELECT gen_random_uuid(), 'more-' || n || '@example.org', 'none', 'UTC'
         FROM generate_series($1::int, $1::int + $2::int - 1) AS n RETURNING id`,
      [users, USERS_AT_ONCE],
    );
    await fill(
      database.url,
      rows.map(({ id }: { id: string }) => id),
      USERS_AT_ONCE * ENTRIES_OF_A_USER,
      { vacuum: false },
    );
    if (process.stderr.isTTY) process.stderr.write(`\r${users + USERS_AT_ONCE} users`);
  }
  await query(database.url, 'VACUUM ANALYZE');
  const after = await measure();
  const { rows } = await query(
    database.url,
    `SELECT count(*)::int AS count, pg_total_relation_size('entries')::float8 / 2 ^ 20 AS mebibytes FROM entries`,
  );
  const [{ count, mebibytes }] = rows as [{ count: number; mebibytes: number }];
  console.log(`\n${count} rows, ${Math.round(mebibytes)} MiB with indexes\n`);
  console.log(
    `| p50, ms | ${ASKED_USERS} users | ${options.users} users | last / first |\n| --- | ---: | ---: | ---: |`,
  );
  for (const name of ['list', 'read'] as const) {
    const ratio = (after[name] / before[name]).toFixed(2);
    console.log(`| ${name} | ${before[name].toFixed(2)} | ${after[name].toFixed(2)} | ${ratio} × |`);
  }
  await server.stop();
} finally {
  await database.remove();
}

/** Of requests one after the other. */
async function medianMs(url: string, requests: readonly { path: string; token: string }[]): Promise<number> {
  const times: number[] = [];
  for (let turn = 0; turn < Number(options.requests); turn += 1) {
    const { path, token } = requests[(turn * 7) % requests.length] ?? { path: '', token: '' };
    const started = performance.now();
    const response = await fetch(url + path, { headers: { authorization: `Bearer ${token}` } });
    await response.arrayBuffer();
    if (!response.ok) throw new Error(`${path} was answered ${response.status}`);
    times.push(performance.now() - started);
  }
  return times.sort((a, b) => a - b)[Math.floor(times.length / 2)] ?? NaN;
}
