import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import { startService, type TestService } from '../harness/http/service.js';
import type { ApiClient } from '../harness/http/client.js';
import { until } from '../harness/until.js';

/** Of the connections that requests share. With a pool of 2, there is one for reads and one for writes. */
const CONNECTIONS = `FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'entries pipelined'`;

describe('the connections that requests share', () => {
  let service: TestService;
  let ada: ApiClient;
  let bob: ApiClient;
  let id: string;
  beforeAll(async () => {
    service = await startService({ DB_POOL_SIZE: '2', DB_STATEMENT_TIMEOUT_MS: '2000' });
    [ada, bob] = [await service.signUp(), await service.signUp()];
    id = (await ada.post('/entries', { text: 'kept', mood: 5 })).body.id as string;
    await create(bob, 1);
  });
  afterAll(() => service.close());

  const read = async (count: number) => {
    const paths = Array.from({ length: count }, (_, index) => (index % 2 ? '/entries' : `/entries/${id}`));
    return new Set((await Promise.all(paths.map((path) => ada.get(path)))).map(({ status }) => status));
  };
  const create = async (user: ApiClient, count: number) => {
    const created = Array.from({ length: count }, () => user.post('/entries', { text: 'new', mood: 5 }));
    return (await Promise.all(created)).map(({ status }) => status);
  };
  const pids = async () =>
    (await service.database.query<{ pid: number }>(`SELECT pid ${CONNECTIONS}`)).map(({ pid }) => pid);
  const terminate = () => service.database.query(`SELECT pg_terminate_backend(pid) ${CONNECTIONS}`);
  const entriesOf = async (user: ApiClient) => (await user.get('/entries?limit=1')).body.total as number;

  // Creates use the connection of the reads if these have ended before the first create is sent.
  it('are one or two, however many requests there are', async () => {
    const [reads, creates] = await Promise.all([read(100), create(ada, 100)]);
    expect([reads, new Set(creates)]).toEqual([new Set([200]), new Set([201])]);
    expect([1, 2]).toContain((await pids()).length);
  });

  it('are lost under load: no read fails, and others take their place', async () => {
    const before = await pids();
    const reads = read(200);
    await terminate();
    expect(await reads).toEqual(new Set([200]));
    await until('there is another', async () => {
      expect(await read(1)).toEqual(new Set([200]));
      return (await pids()).some((pid) => !before.includes(pid));
    });
  });

  it('are lost under load: no create is lost that was acknowledged, and none is done twice', async () => {
    const before = await entriesOf(bob);
    const creates = create(bob, 200);
    await terminate();
    const statuses = await creates;
    expect(statuses.filter((status) => status !== 201 && status !== 503)).toEqual([]);
    const added = (await entriesOf(bob)) - before;
    expect(added).toBeGreaterThanOrEqual(statuses.filter((status) => status === 201).length);
    expect(added).toBeLessThanOrEqual(200);
    expect(new Set(await create(bob, 20))).toEqual(new Set([201]));
  });

  it.each([
    ['the entry', 'SELECT 1 FROM entries WHERE id = $1 FOR UPDATE', () => id],
    ['the journal', 'SELECT 1 FROM journals WHERE user_id = $1 FOR UPDATE', () => ada.account.userId],
    ['the user', 'SELECT 1 FROM users WHERE id = $1 FOR UPDATE', () => ada.account.userId],
  ])('are not what a write waits on that needs a lock: of %s', async (what, lock, row) => {
    const holder = new Client({ connectionString: service.database.url });
    await holder.connect();
    await holder.query('BEGIN');
    await holder.query(lock, [row()]);
    const write =
      what === 'the entry'
        ? ada.patch(`/entries/${id}`, { mood: 6 })
        : ada.post('/entries', { text: 'waits', mood: 5 });
    await until('the write waits', async () => {
      const waiting = await service.database.query<{ name: string }>(
        `SELECT application_name AS name FROM pg_stat_activity
          WHERE datname = current_database() AND wait_event_type = 'Lock'`,
      );
      return waiting.length === 1 && waiting[0]?.name === 'entries';
    });
    expect([await read(20), new Set(await create(bob, 20))]).toEqual([new Set([200]), new Set([201])]);
    await holder.end();
    expect((await write).status).toBe(what === 'the entry' ? 200 : 201);
  });

  it('end at the time limit if the table is locked, and serve again after it', async () => {
    const holder = new Client({ connectionString: service.database.url });
    await holder.connect();
    await holder.query('BEGIN; LOCK TABLE entries IN ACCESS EXCLUSIVE MODE');
    const before = performance.now();
    const [reads, creates] = await Promise.all([read(10), create(bob, 10)]);
    expect(performance.now() - before).toBeLessThan(10_000);
    expect([...reads, ...creates].filter((status) => status !== 503 && status !== 504)).toEqual([]);
    await holder.end();
    await until('all is served', async () => {
      const [served, created] = await Promise.all([read(10), create(bob, 10)]);
      return served.has(200) && served.size === 1 && created.every((status) => status === 201);
    });
  });
});
