import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { startService, type TestService } from '../harness/http/service.js';
import type { ApiClient } from '../harness/http/client.js';
import { listEntries } from '../harness/entries/entries.js';
import { exportEntries } from '../harness/entries/transfer.js';
import { expectProblem } from '../harness/http/problem.js';

let service: TestService;
/** A new user for each test, who lives in Vienna. */
let ada: ApiClient;
beforeAll(async () => {
  service = await startService();
});
beforeEach(async () => {
  ada = await service.signUp();
  await ada.patch('/users/me', { timezone: 'Europe/Vienna' });
});
afterAll(() => service.close());

const write = async (...times: string[]) => {
  for (const occurredAt of times) await ada.post('/entries', { text: occurredAt, mood: 5, occurredAt });
};

describe('a date in from and to', () => {
  const [before, first, last, after] = [
    '2026-02-28T22:59:59.999Z',
    '2026-02-28T23:00:00.000Z',
    '2026-03-31T21:59:59.999Z',
    '2026-03-31T22:00:00.000Z',
  ] as const;

  it('is the beginning of a day in the time zone of the user, on both sides of a change of the clocks', async () => {
    await write(before, first, last, after);
    const range = { from: '2026-03-01', to: '2026-04-01' };
    const march = '?from=2026-03-01&to=2026-04-01';
    expect((await listEntries(ada, range)).entries.map(({ text }) => text)).toEqual([last, first]);
    expect((await exportEntries(ada, march)).map(({ text }) => text as string)).toEqual([first, last]);
    const { body } = await ada.get(`/entries/stats${march}&bucket=month`);
    expect(body).toMatchObject({ count: 2, series: [{ start: '2026-03-01', count: 2 }] });
  });

  it('may be the first that there is', async () => {
    await write('0001-01-01T00:00:00Z');
    for (const from of ['0000-01-01', '0001-01-01']) expect((await listEntries(ada, { from })).total).toBe(1);
    expect((await listEntries(ada, { from: '9999-12-31', to: '9999-12-31' })).total).toBe(0);
  });

  it('may stand beside an instant', async () => {
    await write(before, first, last, after);
    const { entries } = await listEntries(ada, { from: '2026-03-01', to: last });
    expect(entries.map(({ text }) => text)).toEqual([first]);
  });

  it('is in the time zone that statistics are asked for', async () => {
    await write(before, first);
    const { body } = await ada.get('/entries/stats?from=2026-03-01&timezone=Asia/Kolkata');
    expect(body).toMatchObject({ count: 2 });
  });

  it.each([
    ['its midnight is skipped', 'Asia/Beirut', '2026-03-29', '2026-03-28T22:00:00.000Z'],
    ['its midnight is repeated', 'America/Havana', '2026-11-01', '2026-11-01T04:00:00.000Z'],
  ])('is a whole day although %s', async (_why, timezone, date, beginning) => {
    await ada.patch('/users/me', { timezone });
    await write(new Date(Date.parse(beginning) - 1).toISOString(), beginning);
    expect((await listEntries(ada, { from: date })).entries.map(({ text }) => text)).toEqual([beginning]);
  });

  it('moves with the user: a list that was read elsewhere is not unchanged', async () => {
    await write(before, first);
    const path = '/entries?from=2026-03-01';
    const here = await ada.get(path);
    const etag = here.headers.get('etag')!;
    expect((await ada.get(path, { 'if-none-match': etag })).status).toBe(304);
    await ada.patch('/users/me', { timezone: 'Asia/Tokyo' });
    const there = await ada.get(path, { 'if-none-match': etag });
    expect([there.status, there.body.total]).toEqual([200, 2]);
  });

  it.each(['2026-02-30', '2026-13-01', '2026-3-1', '20260301', '2026-03-01T00:00'])(
    'is refused with 400: %s',
    async (date) => {
      for (const path of ['/entries', '/entries/export', '/entries/stats']) {
        const response = await ada.get(`${path}?from=${date}`);
        expectProblem(response, 400);
        expect(response.text).toContain('or a date, such as 2026-03-01');
      }
    },
  );
});
