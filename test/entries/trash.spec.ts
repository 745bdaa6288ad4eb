import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import { TrashPurge } from '../../src/entries/trash.purge.js';
import { startApp, type TestApp } from '../harness/http/app.js';
import type { ApiClient } from '../harness/http/client.js';
import { expectProblem } from '../harness/http/problem.js';
import { until } from '../harness/until.js';

let service: TestApp;
let ada: ApiClient;
beforeAll(async () => {
  service = await startApp();
});
beforeEach(async () => {
  ada = await service.signUp();
});
afterAll(() => service.close());

async function write(fields: object = {}) {
  const { status, body } = await ada.post('/entries', { text: 'Walked by the river.', mood: 7, ...fields });
  expect(status).toBe(201);
  return body as { readonly id: string; readonly text: string };
}

async function textsOf(path: string): Promise<string> {
  const { entries, total } = (await ada.get(path)).body as { entries: { text: string }[]; total: number };
  expect(total).toBeGreaterThanOrEqual(entries.length);
  return entries.map(({ text }) => text).join('');
}

describe('DELETE /entries/:id', () => {
  it('returns 204, and the entry can no longer be read', async () => {
    const { id } = await write();
    const path = `/entries/${id}`;
    await ada.get(path);
    const { status, text } = await ada.delete(path);
    expect({ status, text }).toEqual({ status: 204, text: '' });
    expectProblem(await ada.get(path), 404);
    expectProblem(await ada.get(path, { 'if-none-match': '"1"' }), 404);
    expectProblem(await ada.patch(path, { mood: 1 }), 404);
    expectProblem(await ada.patch(path, {}), 404);
    expect((await ada.get('/entries')).body).toMatchObject({ entries: [], total: 0 });
  });

  it('returns 404 the second time, and for an unknown id', async () => {
    const { id } = await write();
    await ada.delete(`/entries/${id}`);
    expectProblem(await ada.delete(`/entries/${id}`), 404);
    expectProblem(await ada.delete(`/entries/${randomUUID()}`), 404);
  });

  it('answers 204 once when it is asked ten times at the same instant', async () => {
    const { id } = await write();
    const responses = await Promise.all(Array.from({ length: 10 }, () => ada.delete(`/entries/${id}`)));
    expect(responses.map(({ status }) => status).sort()).toEqual([204, ...Array<number>(9).fill(404)]);
  });

  it('keeps the row', async () => {
    const { id } = await write();
    await ada.delete(`/entries/${id}`);
    const rows = await service.database.query(
      'SELECT 1 FROM entries WHERE id = $1 AND deleted_at IS NOT NULL',
      [id],
    );
    expect(rows).toHaveLength(1);
  });

  it.each(['"1"', '"3", "1"', '*'])('deletes with If-Match: %s, which holds', async (header) => {
    const { id } = await write();
    expect((await ada.delete(`/entries/${id}`, { 'if-match': header })).status).toBe(204);
  });

  it.each(['"1"', 'W/"1"', '*'])('answers 412 to If-None-Match: %s and deletes nothing', async (header) => {
    const entry = await write();
    expectProblem(await ada.delete(`/entries/${entry.id}`, { 'if-none-match': header }), 412);
    expect((await ada.get(`/entries/${entry.id}`)).body).toEqual(entry);
  });

  it.each(['"2"', 'W/"1"', '"2", "3"'])('answers 412 to If-Match: %s and deletes nothing', async (header) => {
    const entry = await write();
    expectProblem(await ada.delete(`/entries/${entry.id}`, { 'if-match': header }), 412);
    expect((await ada.get(`/entries/${entry.id}`)).body).toEqual(entry);
  });
});

describe('GET /entries/trash', () => {
  it('lists deleted entries unchanged, and nothing else', async () => {
    const entry = await write({ category: 'health', tags: ['river'] });
    await write();
    expect((await ada.get('/entries/trash')).body).toEqual({
      entries: [],
      total: 0,
      limit: 20,
      nextCursor: null,
    });
    await ada.delete(`/entries/${entry.id}`);
    expect((await ada.get('/entries/trash')).body).toEqual({
      entries: [entry],
      total: 1,
      limit: 20,
      nextCursor: null,
    });
  });

  it('is filtered, sorted and paged as the list is', async () => {
    for (const [i, text] of ['a', 'b', 'c', 'd', 'e'].entries()) {
      const { id } = await write({ text, mood: i + 1, occurredAt: `2026-03-0${i + 1}T00:00:00Z` });
      await ada.delete(`/entries/${id}`);
    }
    expect(await textsOf('/entries/trash')).toBe('edcba');
    expect(await textsOf('/entries/trash?sort=occurredAt')).toBe('abcde');
    expect(await textsOf('/entries/trash?moodMin=2&moodMax=4&sort=createdAt')).toBe('bcd');
    expect(await textsOf('/entries/trash?from=2026-03-02T00:00:00Z&to=2026-03-04T00:00:00Z')).toBe('cb');
    expect(await textsOf('/entries/trash?limit=2&page=3')).toBe('a');
    const first = (await ada.get('/entries/trash?limit=2')).body;
    expect(first).toMatchObject({ total: 5, limit: 2 });
    expect(await textsOf(`/entries/trash?limit=2&cursor=${first.nextCursor}`)).toBe('cb');
  });

  it.each(['limit=0', 'limit=101', 'cursor=abc', 'page=0', 'page=101&limit=100', 'mood=11', 'colour=blue'])(
    'answers 400 to ?%s',
    async (parameters) => {
      expectProblem(await ada.get(`/entries/trash?${parameters}`), 400);
    },
  );
});

describe('POST /entries/:id/restore', () => {
  it('returns 200 with the entry as before the deletion', async () => {
    const entry = await write({
      category: 'health',
      tags: ['river'],
      occurredAt: '2026-03-01T08:30:00.000Z',
    });
    await ada.delete(`/entries/${entry.id}`);
    const { status, headers, body } = await ada.post(`/entries/${entry.id}/restore`);
    expect({ status, etag: headers.get('etag') }).toEqual({ status: 200, etag: '"1"' });
    expect(body).toEqual(entry);
    expect((await ada.get(`/entries/${entry.id}`)).body).toEqual(entry);
    expect((await ada.get('/entries')).body).toMatchObject({ entries: [entry], total: 1 });
    expect((await ada.get('/entries/trash')).body).toMatchObject({ entries: [], total: 0 });
  });

  it('can be sent again', async () => {
    const entry = await write();
    await ada.delete(`/entries/${entry.id}`);
    await ada.post(`/entries/${entry.id}/restore`);
    const { status, body } = await ada.post(`/entries/${entry.id}/restore`);
    expect({ status, body }).toEqual({ status: 200, body: entry });
  });

  it('allows changing and deleting the entry again', async () => {
    const { id } = await write();
    await ada.delete(`/entries/${id}`);
    await ada.post(`/entries/${id}/restore`);
    expect((await ada.patch(`/entries/${id}`, { mood: 1 })).body).toMatchObject({ mood: 1, version: 2 });
    expect((await ada.delete(`/entries/${id}`)).status).toBe(204);
    expectProblem(await ada.get(`/entries/${id}`), 404);
  });

  it.each([
    [{ 'if-match': '"1"' }, 200],
    [{ 'if-match': '*' }, 200],
    [{ 'if-none-match': '"2"' }, 200],
    [{ 'if-match': '"2"' }, 412],
    [{ 'if-match': 'W/"1"' }, 412],
    [{ 'if-none-match': '"1"' }, 412],
    [{ 'if-none-match': '*' }, 412],
  ])('answers to %j with %d', async (headers, status) => {
    const { id } = await write();
    await ada.delete(`/entries/${id}`);
    const response = await ada.post(`/entries/${id}/restore`, undefined, headers);
    expect(response.status).toBe(status);
    if (status === 412) expectProblem(response, 412);
    expect((await ada.get(`/entries/${id}`)).status).toBe(status === 200 ? 200 : 404);
  });

  it('returns 404 for an unknown id', async () => {
    expectProblem(await ada.post(`/entries/${randomUUID()}/restore`), 404);
  });
});

describe('DELETE /entries/trash/:id', () => {
  it('answers 204 and deletes the entry for good', async () => {
    const { id } = await write();
    await ada.delete(`/entries/${id}`);
    expect((await ada.get('/entries/trash')).body.total).toBe(1);
    const { status, text } = await ada.delete(`/entries/trash/${id}`);
    expect({ status, text }).toEqual({ status: 204, text: '' });
    expect((await ada.get('/entries/trash')).body).toMatchObject({ entries: [], total: 0 });
    expectProblem(await ada.post(`/entries/${id}/restore`), 404);
    expectProblem(await ada.delete(`/entries/trash/${id}`), 404);
    expect(await service.database.query('SELECT FROM entries WHERE id = $1', [id])).toEqual([]);
  });

  it('answers 404 to an entry that is not in the trash, and leaves it there', async () => {
    const entry = await write();
    expectProblem(await ada.delete(`/entries/trash/${entry.id}`), 404);
    expect((await ada.get(`/entries/${entry.id}`)).body).toEqual(entry);
    expectProblem(await ada.delete(`/entries/trash/${randomUUID()}`), 404);
  });

  it('answers 404 to another user, whose trash it is not', async () => {
    const { id } = await write();
    await ada.delete(`/entries/${id}`);
    const eve = await service.signUp();
    expectProblem(await eve.delete(`/entries/trash/${id}`), 404);
    expect((await ada.get('/entries/trash')).body.total).toBe(1);
  });

  it('returns 400 for an invalid id', async () => {
    expectProblem(await ada.delete('/entries/trash/all'), 400);
  });
});

describe('an entry in the trash', () => {
  it('is deleted for good after 30 days, and not before', async () => {
    const [old, young, kept] = [await write(), await write(), await write()];
    await ada.delete(`/entries/${old.id}`);
    await ada.delete(`/entries/${young.id}`);
    const age = (id: string, by: string) =>
      service.database.query('UPDATE entries SET deleted_at = now() - $2::interval WHERE id = $1', [id, by]);
    await age(old.id, '30 days 1 second');
    await age(young.id, '29 days 23 hours');
    expect((await ada.get('/entries/trash')).body.total).toBe(2);
    await service.app.get(TrashPurge).run();
    expect((await ada.get('/entries/trash')).body).toMatchObject({ entries: [{ id: young.id }], total: 1 });
    const rows = await service.database.query<{ id: string }>('SELECT id FROM entries WHERE user_id = $1', [
      ada.account.userId,
    ]);
    expect(rows.map(({ id }) => id).sort()).toEqual([young.id, kept.id].sort());
    expect((await ada.post(`/entries/${young.id}/restore`)).status).toBe(200);
    expectProblem(await ada.post(`/entries/${old.id}/restore`), 404);
  });

  it('is deleted by one replica at a time: another leaves it to that one, and does not wait', async () => {
    const replica = await startApp({}, service.database);
    const blocker = new Client({ connectionString: service.database.url });
    await blocker.connect();
    try {
      const { rowCount } = await blocker.query(
        `INSERT INTO entries (id, user_id, text, search_text, mood, deleted_at)
         SELECT gen_random_uuid(), $1, 'old', 'old', 5, now() - interval '31 days' FROM generate_series(1, 1200)`,
        [ada.account.userId],
      );
      // The first to delete a row stops there, in the middle of its statement, until the blocker lets go.
      await blocker.query(`
        CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql
          AS 'BEGIN PERFORM pg_advisory_xact_lock_shared(1); RETURN OLD; END';
        CREATE TRIGGER wait BEFORE DELETE ON entries FOR EACH ROW EXECUTE FUNCTION wait()`);
      await blocker.query('SELECT pg_advisory_lock(1)');
      const first = service.app.get(TrashPurge).run();
      await until('the first replica deletes', async () => {
        const waiting = await service.database.query(
          `SELECT FROM pg_stat_activity WHERE datname = $1 AND wait_event = 'advisory'`,
          [service.database.name],
        );
        return waiting.length === 1;
      });
      await replica.app.get(TrashPurge).run();
      expect(await count()).toBe(rowCount);
      await blocker.query('SELECT pg_advisory_unlock(1)');
      await first;
      expect(await count()).toBe(0);
    } finally {
      await blocker.query('DROP FUNCTION IF EXISTS wait CASCADE');
      await blocker.end();
      await replica.close();
    }
    async function count() {
      return (await ada.get('/entries/trash')).body.total;
    }
  });
});
