import { afterEach, describe, expect, it } from '@jest/globals';
import { startApp } from '../harness/http/app.js';
import { ApiClient, type ApiResponse } from '../harness/http/client.js';
import { Ledger } from '../harness/entries/ledger.js';
import { expectProblem } from '../harness/http/problem.js';
import { until } from '../harness/until.js';

describe('a clock that is set back by an hour', () => {
  const RealDate = Date;
  afterEach(() => {
    globalThis.Date = RealDate;
  });
  const setBack = (ms: number) => {
    globalThis.Date = class extends RealDate {
      constructor(...given: [] | [number | string]) {
        super(...((given.length === 0 ? [RealDate.now() - ms] : given) as [number]));
      }
      static override now() {
        return RealDate.now() - ms;
      }
    } as DateConstructor;
  };

  it('costs a refresh, loses nothing, and still has an ended session refused by every replica', async () => {
    const one = await startApp();
    const other = await startApp({}, one.database);
    try {
      const client = await one.signUp();
      const ledger = new Ledger(client);
      expect((await ledger.write()).status).toBe(201);
      setBack(3_600_000);
      // Issued in what is now the future: refused, and renewed by one refresh, as an expired one is.
      expectProblem(await client.get('/entries'), 401);
      const renewed = await client.refresh();
      const since = new Ledger(renewed);
      for (let turn = 0; turn < 5; turn += 1) expect((await since.write()).status).toBe(201);
      expect((await renewed.get('/entries')).body.total).toBe(6);
      const there = new ApiClient(other.url, renewed.account);
      expect((await there.get('/entries')).status).toBe(200);
      expect((await renewed.post('/auth/logout')).status).toBe(204);
      await until('it is refused there', async () => (await there.get('/entries')).status === 401, 2000);
      for (const each of [ledger, since]) {
        expect(await each.differences((text, values) => one.database.query(text, values))).toEqual([]);
      }
    } finally {
      await other.close();
      await one.close();
    }
  });

  it('leaves the order of ids, pages, changes, cached reads and limits as they are', async () => {
    const service = await startApp({ RATE_LIMIT_ENABLED: 'true' });
    const { database } = service;
    try {
      const client = await service.signUp();
      const ids: string[] = [];
      const write = async (by: ApiClient) =>
        ids.push((await by.post('/entries', { text: 'kept', mood: 5 })).body.id as string);
      const idsOf = ({ body }: ApiResponse) => (body.entries as { id: string }[]).map(({ id }) => id);
      for (let turn = 0; turn < 6; turn += 1) await write(client);
      const query = '/entries?limit=3&sort=-createdAt';
      const page = await client.get(query);
      await client.get(`/entries/${ids[0]}`);

      setBack(3_600_000);
      const renewed = await client.refresh();
      const next = await renewed.get(`${query}&cursor=${page.body.nextCursor}`);
      expect([...idsOf(page), ...idsOf(next)]).toEqual(ids.toReversed());
      // Of a window that began before.
      expect(Number(next.headers.get('ratelimit-reset'))).toBeLessThanOrEqual(60);
      for (let turn = 0; turn < 3; turn += 1) await write(renewed);
      expect(ids.toSorted()).toEqual(ids);
      expect(idsOf(await renewed.get('/entries?sort=-createdAt'))).toEqual(ids.toReversed());
      const path = `/entries/${ids[0]}`;
      const before = (await renewed.get(path)).body;
      const changed = (await renewed.patch(path, { mood: 6 })).body;
      expect(changed.updatedAt > before.updatedAt).toBe(true);
      expect((await renewed.get(path)).body).toEqual(changed);

      // And where it is the database's clock: what was changed last is from what is now the future.
      await database.query(`UPDATE entries SET updated_at = now() + interval '1 hour' WHERE id = $1`, [
        ids[1],
      ]);
      const [{ updated }] = (await database.query<{ updated: Date }>(
        'SELECT updated_at AS updated FROM entries WHERE id = $1',
        [ids[1]],
      )) as [{ updated: Date }];
      const again = await renewed.patch(`/entries/${ids[1]}`, { mood: 7 });
      expect(again.body).toMatchObject({ version: 2, updatedAt: updated.toISOString() });
    } finally {
      await service.close();
    }
  });
});
