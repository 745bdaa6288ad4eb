import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { ImportService } from '../../src/entries/transfer/import.service.js';
import { TrashPurge } from '../../src/entries/trash.purge.js';
import { startApp, type TestApp } from '../harness/http/app.js';
import { ApiClient } from '../harness/http/client.js';
import { createDatabase, type TestDatabase } from '../harness/database/database.js';
import { describeWithRedis, redisUrl } from '../harness/servers/redis.js';
import { TcpProxy } from '../harness/servers/tcp-proxy.js';
import { until } from '../harness/until.js';

let database: TestDatabase;
let service: TestApp;
let ada: ApiClient;
beforeAll(async () => {
  database = await createDatabase();
  service = await startApp({}, database);
});
beforeEach(async () => {
  ada = await service.signUp();
});
afterAll(async () => {
  await service.close();
  await database.drop();
});

async function revision({ account: { userId } }: ApiClient): Promise<bigint> {
  const [row] = await database.query<{ revision: string }>(
    'SELECT revision FROM journals WHERE user_id = $1',
    [userId],
  );
  return BigInt(row?.revision ?? 0);
}

const ENTRY = { text: 'by the river', mood: 5, category: 'work', tags: ['river'] };

/** Writes an entry. @returns its path */
async function entry(client: ApiClient, fields: object = {}): Promise<string> {
  const { status, body } = await client.post('/entries', { ...ENTRY, ...fields });
  expect(status).toBe(201);
  return `/entries/${body.id}`;
}

async function inTrash(client: ApiClient): Promise<string> {
  const path = await entry(client);
  expect((await client.delete(path)).status).toBe(204);
  return path;
}

function lines(count: number, id: (n: number) => string): string {
  return Array.from({ length: count }, (_, n) => JSON.stringify({ ...ENTRY, id: id(n) })).join('\n');
}

const someId = (n: number) => `01900000-0000-7000-8000-${String(n).padStart(12, '0')}`;
let ids = 0;
const nothing = () => Promise.resolve('');
const NDJSON = { 'content-type': 'application/x-ndjson' };

/**
 * Every way to change entries: `prepare` gives what `write` needs. `service` runs in the process that writes.
 */
const WRITES: readonly (readonly [
  name: string,
  prepare: (client: ApiClient) => Promise<string>,
  write: (client: ApiClient, prepared: string, writer: TestApp) => Promise<unknown>,
])[] = [
  ['POST /entries', nothing, (client) => entry(client)],
  [
    'POST /entries with an Idempotency-Key',
    nothing,
    (client) => client.post('/entries', ENTRY, { 'idempotency-key': `key-${(ids += 1)}` }),
  ],
  ['PATCH /entries/:id', entry, (client, path) => client.patch(path, { mood: 9 })],
  ['DELETE /entries/:id', entry, (client, path) => client.delete(path)],
  ['POST /entries/:id/restore', inTrash, (client, path) => client.post(`${path}/restore`)],
  [
    'DELETE /entries/trash/:id',
    inTrash,
    (client, path) => client.delete(path.replace('/entries/', '/entries/trash/')),
  ],
  ['POST /entries/bulk', nothing, (client) => client.post('/entries/bulk', { entries: [ENTRY, ENTRY] })],
  [
    'POST /entries/import',
    nothing,
    (client) =>
      client.post(
        '/entries/import',
        lines(3, () => someId((ids += 1))),
        NDJSON,
      ),
  ],
  [
    'POST /entries/import of CSV',
    nothing,
    (client) =>
      client.post('/entries/import', `text,mood\nline ${(ids += 1)},5\n`, { 'content-type': 'text/csv' }),
  ],
  [
    'an import by the command line',
    nothing,
    async ({ account: { userId } }, _prepared, writer) => {
      const file = (async function* () {
        yield await Promise.resolve(Buffer.from(lines(2, () => someId((ids += 1)))));
      })();
      await writer.app
        .get(ImportService, { strict: false })
        .run(userId, file, { timezone: 'UTC', maxEntryBytes: 10_000 });
    },
  ],
  [
    'the purge of the trash',
    async (client) => {
      const path = await inTrash(client);
      await database.query(`UPDATE entries SET deleted_at = now() - interval '31 days' WHERE id = $1`, [
        path.split('/').at(-1),
      ]);
      return path;
    },
    (_client, _path, writer) => writer.app.get(TrashPurge, { strict: false }).run(),
  ],
];

describe('the revision of a journal', () => {
  it.each(WRITES)('moves with %s', async (_name, prepare, write) => {
    const prepared = await prepare(ada);
    const before = await revision(ada);
    await write(ada, prepared, service);
    expect(await revision(ada)).toBeGreaterThan(before);
  });

  it('does not change if nothing changes', async () => {
    const path = await entry(ada);
    const trashed = await inTrash(ada);
    const file = lines(2, (n) => someId(900_000 + n));
    await ada.post('/entries/import', file, NDJSON);
    await ada.post('/entries', ENTRY, { 'idempotency-key': 'once' });
    const before = await revision(ada);
    await ada.get('/entries');
    await ada.get('/entries/stats');
    await ada.patch(path, {});
    await ada.patch(path, { mood: 1 }, { 'if-match': '"9"' });
    await ada.patch(path, { mood: 11 });
    await ada.delete(trashed);
    await ada.delete('/entries/trash/01900000-0000-7000-8000-000000000000');
    await ada.post('/entries/bulk', { entries: [ENTRY, { mood: 11 }] });
    // What is there already is skipped.
    expect((await ada.post('/entries/import', file, NDJSON)).body).toMatchObject({ imported: 0, skipped: 2 });
    expect(
      (await ada.post('/entries', ENTRY, { 'idempotency-key': 'once' })).headers.get('idempotency-replayed'),
    ).toBe('true');
    await service.app.get(TrashPurge, { strict: false }).run();
    expect(await revision(ada)).toBe(before);
  });

  it('is of one user alone', async () => {
    const bob = await service.signUp();
    await entry(bob);
    const before = await revision(bob);
    await entry(ada);
    expect(await revision(bob)).toBe(before);
  });

  it('never comes again after a restore from a backup', async () => {
    await entry(ada);
    const backup = await revision(ada);
    await entry(ada);
    const lost = await revision(ada);
    await database.query('UPDATE journals SET revision = $2 WHERE user_id = $1', [
      ada.account.userId,
      String(backup),
    ]);
    await entry(ada);
    expect(await revision(ada)).toBeGreaterThan(lost);
  });

  it('grows even if the clock is set back', async () => {
    await entry(ada);
    const future = '9000000000000000';
    await database.query('UPDATE journals SET revision = $2 WHERE user_id = $1', [
      ada.account.userId,
      future,
    ]);
    await entry(ada);
    expect(await revision(ada)).toBe(BigInt(future) + 1n);
  });

  it('moves once for each of many writers at once', async () => {
    const tags = new Set<string | null>();
    for (let round = 0; round < 5; round += 1) {
      await Promise.all(Array.from({ length: 10 }, () => entry(ada)));
      tags.add((await ada.get('/entries')).headers.get('etag'));
    }
    expect(tags.size).toBe(5);
    expect((await ada.get('/entries')).body.total).toBe(50);
  });
});

describe.each([
  '/entries?limit=5',
  '/entries?q=river&tag=river',
  '/entries/trash',
  '/entries/stats?bucket=month',
])('the entity tag of GET %s', (path) => {
  it('is weak, and 304 is answered with it until an entry changes', async () => {
    const written = await entry(ada);
    const first = await ada.get(path);
    const etag = first.headers.get('etag')!;
    expect(etag).toMatch(/^W\/"[^"]+"$/);
    for (const header of [etag, etag.slice(2), `"other", ${etag}`, '*']) {
      const { status, text, headers } = await ada.get(path, { 'if-none-match': header });
      expect([header, status, text, headers.get('etag')]).toEqual([header, 304, '', etag]);
    }
    for (const header of ['"other"', 'W/"1"', etag.slice(3, -1), '']) {
      expect([header, (await ada.get(path, { 'if-none-match': header })).status]).toEqual([header, 200]);
    }
    await ada.patch(written, { mood: 9 });
    const second = await ada.get(path, { 'if-none-match': etag });
    expect(second.status).toBe(200);
    expect(second.headers.get('etag')).not.toBe(etag);
  });

  it('is there before the first entry, and changes with it', async () => {
    const empty = await ada.get(path);
    expect(empty.status).toBe(200);
    const etag = empty.headers.get('etag')!;
    expect((await ada.get(path, { 'if-none-match': etag })).status).toBe(304);
    await entry(ada);
    expect((await ada.get(path, { 'if-none-match': etag })).status).toBe(200);
  });

  it('does not match that of another user', async () => {
    const bob = await service.signUp();
    await entry(ada);
    await entry(bob);
    const etag = (await ada.get(path)).headers.get('etag')!;
    expect((await bob.get(path, { 'if-none-match': etag })).status).toBe(200);
  });
});

it('statistics of another time zone have another entity tag', async () => {
  await entry(ada);
  const etag = (await ada.get('/entries/stats')).headers.get('etag')!;
  await ada.patch('/users/me', { timezone: 'Asia/Kolkata' });
  const after = await ada.get('/entries/stats', { 'if-none-match': etag });
  expect(after.status).toBe(200);
  expect(after.headers.get('etag')).not.toBe(etag);
});

it('returns 400 for a cursor of another list, whatever the ETag', async () => {
  await entry(ada);
  expect((await ada.get('/entries?cursor=abc', { 'if-none-match': '*' })).status).toBe(400);
});

describeWithRedis('two replicas', () => {
  let proxy: TcpProxy;
  let replicas: readonly [TestApp, TestApp];
  beforeAll(async () => {
    const { hostname, port } = new URL(redisUrl!);
    proxy = await TcpProxy.to(hostname, Number(port));
    const environment = { REDIS_URL: `redis://127.0.0.1:${proxy.port}` };
    replicas = [await startApp(environment, database), await startApp(environment, database)];
  });
  afterAll(async () => {
    for (const each of replicas) await each.close();
    await proxy.close();
  });

  const isConnected = async ({ anonymous }: TestApp) =>
    (await anonymous.get('/health')).body.details.cache.degraded === undefined;

  /** Counts rows by SQL, and asks both replicas for lists, totals and statistics. */
  async function expectCurrent({ account }: ApiClient): Promise<void> {
    const [row] = await database.query<{ live: number; trash: number; mood: number | null }>(
      `SELECT count(*) FILTER (WHERE deleted_at IS NULL)::int AS live, count(deleted_at)::int AS trash,
              round(avg(mood) FILTER (WHERE deleted_at IS NULL), 2)::float8 AS mood
         FROM entries WHERE user_id = $1`,
      [account.userId],
    );
    for (const { url } of replicas) {
      const client = new ApiClient(url, account);
      const [list, filtered, trash, stats] = await Promise.all(
        ['/entries?limit=100', '/entries?moodMin=1', '/entries/trash', '/entries/stats'].map((path) =>
          client.get(path),
        ),
      );
      expect(list!.body.entries).toHaveLength(row!.live);
      expect([list!.body.total, filtered!.body.total, trash!.body.total]).toEqual([
        row!.live,
        row!.live,
        row!.trash,
      ]);
      expect([stats!.body.count, stats!.body.averageMood]).toEqual([row!.live, row!.mood]);
    }
  }

  it.each(['up', 'cut', 'hold', 'flapping'] as const)(
    'show every write at once in lists, totals and statistics, with Redis %s',
    async (state) => {
      proxy.open();
      for (const each of replicas) await until('connected to Redis', () => isConnected(each));
      const client = await replicas[0].signUp();
      if (state === 'cut' || state === 'hold') proxy[state]();
      for (const [round, [, prepare, write]] of [...WRITES, ...WRITES].entries()) {
        if (state === 'flapping') proxy[round % 3 === 0 ? 'cut' : round % 3 === 1 ? 'hold' : 'open']();
        const [writer, other] = round % 2 === 0 ? replicas : [replicas[1], replicas[0]];
        const prepared = await prepare(new ApiClient(other.url, client.account));
        await expectCurrent(client);
        await write(new ApiClient(writer.url, client.account), prepared, writer);
        await expectCurrent(client);
      }
      proxy.open();
    },
    60_000,
  );

  it('serve from Redis what the other replica has counted', async () => {
    proxy.open();
    for (const each of replicas) await until('connected to Redis', () => isConnected(each));
    const client = await replicas[0].signUp();
    await entry(client);
    await client.get('/entries?mood=5');
    // Past the service, which still has the total of this revision.
    await database.query('UPDATE entries SET mood = 6 WHERE user_id = $1', [client.account.userId]);
    const there = new ApiClient(replicas[1].url, client.account);
    expect((await there.get('/entries?mood=5')).body).toMatchObject({ entries: [], total: 1 });
  });
});
