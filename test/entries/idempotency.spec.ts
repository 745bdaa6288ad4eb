import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import { IdempotencyPurge } from '../../src/idempotency/idempotency.purge.js';
import { startApp, type TestApp } from '../harness/http/app.js';
import type { ApiClient } from '../harness/http/client.js';
import { statusOfHeaderLines } from '../harness/http/header-lines.js';
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

const BODY = { text: 'a', mood: 5 };
const post = (key: string, body: unknown = BODY, client = ada) =>
  client.post('/entries', body, { 'idempotency-key': key });
const total = async () => (await ada.get('/entries?limit=1')).body.total as number;
const keys = () =>
  service.database.query('SELECT key FROM idempotency_keys WHERE user_id = $1', [ada.account.userId]);

describe('POST /entries with Idempotency-Key', () => {
  it('repeats the first response, even if the entry has changed since, and creates no other entry', async () => {
    const first = await post('k');
    expect(first.status).toBe(201);
    expect(first.headers.get('idempotency-replayed')).toBeNull();
    await ada.patch(`/entries/${first.body.id}`, { mood: 9 });
    const again = await post('k');
    expect(again.status).toBe(201);
    expect(again.text).toBe(first.text);
    expect(again.headers.get('idempotency-replayed')).toBe('true');
    for (const name of ['etag', 'location', 'content-type']) {
      expect(again.headers.get(name)).toBe(first.headers.get(name));
    }
    expect(await total()).toBe(1);
  });

  it('creates an entry for each request without a key', async () => {
    for (const response of [await ada.post('/entries', BODY), await ada.post('/entries', BODY)]) {
      expect(response.status).toBe(201);
      expect(response.headers.get('idempotency-replayed')).toBeNull();
    }
    expect(await total()).toBe(2);
  });

  it('treats an equivalent body as equal', async () => {
    const first = await post('k', '{"text":"a","mood":5,"tags":["b","A"]}');
    expect(
      (await post('k', '{ "mood": 5, "tags": ["a", "b"], "text": "a", "category": "General" }')).text,
    ).toBe(first.text);
  });

  it('returns 422 for the same key with another body, and still repeats the first response', async () => {
    const first = await post('k');
    const { detail } = expectProblem(await post('k', { ...BODY, mood: 6 }), 422);
    expect(detail).toBe('This Idempotency-Key was used for a different request');
    expect((await post('k')).text).toBe(first.text);
    expect(await total()).toBe(1);
  });

  it('keeps the keys of users apart', async () => {
    const bob = await service.signUp();
    const first = await post('k');
    expect((await post('k', { ...BODY, mood: 6 }, bob)).status).toBe(201);
    expect((await post('k')).text).toBe(first.text);
  });

  it('keeps nothing of a request that was refused', async () => {
    expectProblem(await post('k', { ...BODY, mood: 11 }), 422);
    expect((await post('k')).status).toBe(201);
  });

  it('creates one entry for 20 concurrent requests; the others get 409 or the first response', async () => {
    const responses = await Promise.all(Array.from({ length: 20 }, () => post('k')));
    const made = responses.filter(({ status }) => status === 201);
    expect(made.filter(({ headers }) => !headers.has('idempotency-replayed'))).toHaveLength(1);
    expect(new Set(made.map(({ text }) => text)).size).toBe(1);
    for (const response of responses.filter(({ status }) => status !== 201)) expectProblem(response, 409);
    expect(await total()).toBe(1);
    expect((await post('k')).headers.get('idempotency-replayed')).toBe('true');
  });

  it('answers 409 while the first is under way', async () => {
    const holder = new Client({ connectionString: service.database.url });
    await holder.connect();
    try {
      // The first waits for this.
      await holder.query('BEGIN');
      await holder.query('SELECT FROM users WHERE id = $1 FOR UPDATE', [ada.account.userId]);
      const first = post('k');
      await until('the first waits', async () => {
        const rows = await service.database.query(
          `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
        );
        return rows.length > 0;
      });
      const { detail } = expectProblem(await post('k'), 409);
      expect(detail).toBe('The first request with this Idempotency-Key is still in progress');
      expect(await keys()).toEqual([]);
      await holder.query('COMMIT');
      expect((await first).status).toBe(201);
    } finally {
      await holder.end();
    }
  });

  it('leaves neither entry nor key if storing the key fails', async () => {
    await service.database.query(
      `ALTER TABLE idempotency_keys ADD CONSTRAINT broken CHECK (key <> 'broken') NOT VALID`,
    );
    try {
      expect((await post('broken')).status).toBe(500);
    } finally {
      await service.database.query('ALTER TABLE idempotency_keys DROP CONSTRAINT broken');
    }
    expect(await total()).toBe(0);
    expect(await keys()).toEqual([]);
    expect((await post('broken')).headers.has('idempotency-replayed')).toBe(false);
  });

  it.each([' ', 'a b', '"a b"', '""', 'é', 'x'.repeat(256), `"${'x'.repeat(256)}"`, 'a, b'])(
    'answers 400 to the key %j',
    async (key) => {
      expectProblem(await post(key), 400);
      expect(await total()).toBe(0);
    },
  );

  it.each(['x'.repeat(255), `"${'x'.repeat(255)}"`, '!', '"', '"a', "' OR true --"])(
    'takes the key %j',
    async (key) => {
      const visible = key.replaceAll(' ', '_');
      expect((await post(visible)).status).toBe(201);
      expect((await post(visible)).headers.get('idempotency-replayed')).toBe('true');
    },
  );

  it.each([
    ['8e03978e-40d5-43e8-bc93-6894a57f9324', '"8e03978e-40d5-43e8-bc93-6894a57f9324"'],
    ['a"\\b', '"a\\"\\\\b"'],
  ])('treats the key %s like the quoted one of the draft: %s', async (bare, quoted) => {
    const first = await post(quoted);
    expect(first.status).toBe(201);
    for (const key of [bare, quoted]) expect((await post(key)).text).toBe(first.text);
    expect(await total()).toBe(1);
  });

  it('repeats the first response, even if the entry is in the trash or deleted, and does not restore it', async () => {
    const first = await post('k');
    for (const path of [`/entries/${first.body.id}`, `/entries/trash/${first.body.id}`]) {
      expect((await ada.delete(path)).status).toBe(204);
      const again = await post('k');
      expect({ status: again.status, text: again.text }).toEqual({ status: 201, text: first.text });
      expect(await total()).toBe(0);
    }
  });

  it('answers 400 to two keys in two header lines', async () => {
    expect(await statusOfHeaderLines(ada, 'POST', '/entries', 'idempotency-key', ['k', 'k'], BODY)).toBe(400);
    expect(await total()).toBe(0);
  });

  it('forgets a key after 24 h, and deletes it', async () => {
    const age = (hours: string) =>
      service.database.query(`UPDATE idempotency_keys SET created_at = now() - $1::interval`, [hours]);
    await post('k');
    await post('other');
    await age('23 hours 59 minutes');
    expect((await post('k')).headers.get('idempotency-replayed')).toBe('true');
    await age('24 hours');
    // Not deleted yet, and forgotten all the same.
    const anew = await post('k', { ...BODY, mood: 6 });
    expect(anew.headers.has('idempotency-replayed')).toBe(false);
    expect((await post('k', { ...BODY, mood: 6 })).text).toBe(anew.text);
    await service.app.get(IdempotencyPurge).run();
    expect(await keys()).toEqual([{ key: 'k' }]);
  });

  it('deletes as many as there are, in batches', async () => {
    await service.database.query(
      `INSERT INTO idempotency_keys (user_id, key, request_hash, status, headers, body, created_at)
       SELECT $1, n::text, '', 201, '{}', '', now() - interval '2 days' FROM generate_series(1, 1200) AS n`,
      [ada.account.userId],
    );
    await service.app.get(IdempotencyPurge).run();
    expect(await keys()).toEqual([]);
  });

  it('keeps nothing of an erased user', async () => {
    await post('k');
    await service.database.query('DELETE FROM users WHERE id = $1', [ada.account.userId]);
    expect(await keys()).toEqual([]);
    expectProblem(await post('k2'), 401);
  });
});

describe('POST /entries/bulk with Idempotency-Key', () => {
  const bulk = (key: string, entries: readonly object[]) =>
    ada.post('/entries/bulk', { entries }, { 'idempotency-key': key });

  it('writes all of them once, of 20 at once too, and answers as the first time', async () => {
    const responses = await Promise.all(Array.from({ length: 20 }, () => bulk('k', [BODY, BODY])));
    expect(
      responses.filter(({ status, headers }) => status === 201 && !headers.has('idempotency-replayed')),
    ).toHaveLength(1);
    expect(await total()).toBe(2);
    const again = await bulk('k', [BODY, BODY]);
    expect(again.headers.get('idempotency-replayed')).toBe('true');
    expect(again.body.entries).toHaveLength(2);
  });

  it('answers 422 when the key comes with other entries, or was that of a single one', async () => {
    await bulk('k', [BODY]);
    expectProblem(await bulk('k', [BODY, BODY]), 422);
    await post('single');
    expectProblem(await bulk('single', [BODY]), 422);
    expect(await total()).toBe(2);
  });
});
