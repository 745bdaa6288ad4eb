import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { PersonalDataService } from '../../src/users/personal-data.service.js';
import { startApp, type TestApp } from '../harness/http/app.js';
import { expectProblem } from '../harness/http/problem.js';
import { beginDownload, insertLongEntries } from '../harness/entries/transfer.js';
import { until } from '../harness/until.js';

let service: TestApp;
beforeAll(async () => {
  service = await startApp();
});
afterAll(() => service.close());

describe('GET /users/me/export', () => {
  it('returns 200 with all data of the user, as a download', async () => {
    const ada = await service.signUp({ displayName: 'Ada' });
    const fields = { text: 'quote " and \u2028 and 🌧️', mood: 3, category: 'health', tags: ['a "b"'] };
    const kept = (await ada.post('/entries', fields)).body;
    const trashed = (await ada.post('/entries', { text: 'thrown away', mood: 1 })).body;
    await ada.delete(`/entries/${trashed.id}`);
    const { status, headers, body } = await ada.get('/users/me/export');
    expect(status).toBe(200);
    expect(headers.get('content-type')).toBe('application/json; charset=utf-8');
    expect(headers.get('content-disposition')).toMatch(
      /^attachment; filename="entries-\d{4}-\d\d-\d\d\.json"$/,
    );
    expect(headers.get('cache-control')).toBe('no-store');
    const { exportedAt, user, sessions, entries } = body;
    expect(Date.parse(exportedAt)).toBeLessThanOrEqual(Date.now());
    expect(user).toEqual((await ada.get('/users/me')).body);
    expect(sessions).toEqual([
      {
        id: expect.any(String),
        createdAt: expect.any(String),
        lastUsedAt: expect.any(String),
        expiresAt: expect.any(String),
        endedAt: null,
        ip: '127.0.0.1',
        userAgent: 'node',
      },
    ]);
    expect(entries).toMatchObject([
      { ...kept, deletedAt: null },
      { id: trashed.id, text: 'thrown away', deletedAt: expect.stringMatching(/Z$/) },
    ]);
  });

  it('contains the responses stored for idempotency keys', async () => {
    const ada = await service.signUp();
    const bodies = new Map<string, unknown>();
    for (let n = 1; n <= 6; n += 1) {
      const headers = { 'idempotency-key': `key-${n}` };
      bodies.set(`key-${n}`, (await ada.post('/entries', { text: `once ${n}`, mood: 5 }, headers)).body);
    }
    const { idempotencyKeys } = (await ada.get('/users/me/export')).body;
    expect(idempotencyKeys).toEqual(
      [...bodies].map(([key, body]) => ({ key, createdAt: expect.stringMatching(/Z$/), status: 201, body })),
    );
  });

  it('contains every entry once, in order of creation, across many batches', async () => {
    const ada = await service.signUp();
    // Many have the same instant, so that a batch ends between two of them.
    await service.database.query(
      `INSERT INTO entries (id, user_id, text, search_text, mood, created_at)
       SELECT gen_random_uuid(), $1, 'number ' || n, 'number ' || n, 5, '2026-01-01Z'::timestamptz + make_interval(secs => n / 150)
         FROM generate_series(1, 1001) AS n`,
      [ada.account.userId],
    );
    const { entries } = (await ada.get('/users/me/export')).body;
    expect(new Set(entries.map(({ text }: { text: string }) => text)).size).toBe(1001);
    const times = entries.map(({ createdAt }: { createdAt: string }) => createdAt);
    expect(times).toEqual([...times].sort());
  });

  it('contains nothing of another user, and no hash', async () => {
    const [ada, bob] = await Promise.all([service.signUp(), service.signUp()]);
    await ada.post('/entries', { text: 'a secret of Ada', mood: 5 });
    const { text } = await bob.get('/users/me/export');
    expect(text).not.toMatch(new RegExp(`secret of Ada|${ada.account.userId}|argon2|[Hh]ash`));
  });

  it('reads from the database only as fast as the client reads', async () => {
    const ada = await service.signUp();
    await insertLongEntries(service.database, ada, 4000);
    let yielded = 0;
    const data = service.app.get(PersonalDataService);
    const exportOf = data.export.bind(data);
    data.export = async function* (...args) {
      for await (const piece of exportOf(...args)) {
        yielded += piece.length;
        yield piece;
      }
    };
    try {
      const download = await beginDownload(ada, '/users/me/export');
      let before: number;
      // Unchanged for a while: the buffers between here and there are full.
      do {
        before = yielded;
        await sleep(150);
      } while (yielded !== before);
      download.destroy();
      expect(yielded).toBeGreaterThan(10_000);
      // All of it is 40 MB; the kernel's buffers of both ends hold some.
      expect(yielded).toBeLessThan(20_000_000);
    } finally {
      data.export = exportOf;
      await service.database.query('DELETE FROM entries WHERE user_id = $1', [ada.account.userId]);
    }
  });

  it('returns 429 while two exports of the same user are open', async () => {
    const [ada, bob] = await Promise.all([service.signUp(), service.signUp()]);
    await insertLongEntries(service.database, ada, 2000);
    const unread = [
      await beginDownload(ada, '/users/me/export'),
      await beginDownload(ada, '/users/me/export'),
    ];
    const refused = await ada.get('/users/me/export');
    expectProblem(refused, 429);
    expect(refused.headers.get('retry-after')).toBe('10');
    expect((await bob.get('/users/me/export')).status).toBe(200);
    for (const response of unread) response.destroy();
    await service.database.query('DELETE FROM entries WHERE user_id = $1', [ada.account.userId]);
    await until('it is allowed again', async () => (await ada.get('/users/me/export')).status === 200);
    expect((await ada.get('/users/me/export')).headers.has('retry-after')).toBe(false);
  });

  it('returns the same headers for HEAD, and reads no data', async () => {
    const ada = await service.signUp();
    const data = service.app.get(PersonalDataService);
    const exported = jest.spyOn(data, 'export');
    try {
      const { status, headers, text } = await ada.request('HEAD', '/users/me/export');
      expect([status, text]).toEqual([200, '']);
      expect(headers.get('content-type')).toBe('application/json; charset=utf-8');
      expect(headers.get('content-disposition')).toMatch(/^attachment; filename="entries-/);
      expect(exported).not.toHaveBeenCalled();
    } finally {
      exported.mockRestore();
    }
  });

  it('returns 503 with Retry-After while 20 exports are open, for any user', async () => {
    const users = await Promise.all(Array.from({ length: 21 }, () => service.signUp()));
    for (const user of users) await insertLongEntries(service.database, user, 500);
    const unread = await Promise.all(
      users.slice(0, 20).map((user) => beginDownload(user, '/users/me/export')),
    );
    expect(unread.map(({ statusCode }) => statusCode)).toEqual(Array.from({ length: 20 }, () => 200));
    const last = users.at(-1)!;
    const refused = await last.get('/users/me/export');
    expectProblem(refused, 503);
    expect(refused.headers.get('retry-after')).toBe('10');
    for (const response of unread) response.destroy();
    await until('it is allowed again', async () => (await last.get('/users/me/export')).status === 200);
  });

  it('closes the connection when it fails, so that a partial export does not look complete', async () => {
    const ada = await service.signUp();
    const data = service.app.get(PersonalDataService);
    const exportOf = data.export.bind(data);
    data.export = async function* (...args) {
      let pieces = 0;
      for await (const piece of exportOf(...args)) {
        if (++pieces > 2) throw new Error('the database is gone');
        yield piece;
      }
    };
    try {
      await expect(ada.get('/users/me/export')).rejects.toThrow();
    } finally {
      data.export = exportOf;
    }
  });
});
