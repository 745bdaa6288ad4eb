import { ApiClient } from '../test/harness/http/client.js';
import { query } from '../test/harness/database/database.js';
import { bench } from './harness/bench.js';
import { fill } from './harness/database.js';
import { get, medianMs, type Request } from './harness/load.js';
import { options } from './harness/options.js';
import { printTable } from './harness/report.js';
import { startService } from './harness/server.js';

/** How the time of a list and of a read grows with the whole table. The same 100 users are asked each time. */
const { users, requests } = options({ users: 10_000, requests: 2000 });
const ASKED_USERS = 100;
const ENTRIES_PER_USER = 1000;

await bench(async (database) => {
  const { url } = await startService(database.url);
  const asked = new Map<string, ApiClient>();
  for (let user = 0; user < ASKED_USERS; user += 1) {
    const client = await new ApiClient(url).signUp();
    asked.set(client.account.userId, client);
  }
  await fill(database.url, [...asked.keys()], ASKED_USERS * ENTRIES_PER_USER);
  const picked = await query<{ id: string; userId: string }>(
    database.url,
    'SELECT id, user_id AS "userId" FROM entries ORDER BY md5(id::text) LIMIT 2000',
  );
  const cases = {
    list: [...asked.values()].map((user) => get(user, '/entries?limit=20')),
    read: picked.map(({ id, userId }) => get(asked.get(userId) as ApiClient, `/entries/${id}`)),
  };
  const measure = async () => {
    const p50 = (asks: readonly Request[]) =>
      medianMs(url, requests, (turn) => asks[(turn * 7) % asks.length] as Request);
    // Once to warm up.
    await p50([...cases.list, ...cases.read]);
    return { list: await p50(cases.list), read: await p50(cases.read) };
  };
  const before = await measure();
  const others = await query<{ id: string }>(
    database.url,
    `INSERT INTO users (id, email, password_hash, timezone)
     SELECT gen_random_uuid(), 'other-' || n || '@example.org', 'none', 'UTC'
       FROM generate_series(1, $1::int) AS n RETURNING id`,
    [users - ASKED_USERS],
  );
  await fill(
    database.url,
    others.map(({ id }) => id),
    others.length * ENTRIES_PER_USER,
  );
  const after = await measure();
  const [size] = await query<{ rows: number; mebibytes: number }>(
    database.url,
    `SELECT count(*)::int AS rows, pg_total_relation_size('entries')::float8 / 2 ^ 20 AS mebibytes FROM entries`,
  );
  console.log(`${size?.rows ?? NaN} rows, ${(size?.mebibytes ?? NaN).toFixed(0)} MiB with indexes`);
  printTable(
    ['p50, ms', `${ASKED_USERS} users`, `${users} users`, 'last / first'],
    (['list', 'read'] as const).map((name) => [
      name,
      before[name].toFixed(2),
      after[name].toFixed(2),
      `${(after[name] / before[name]).toFixed(2)} ×`,
    ]),
  );
});
