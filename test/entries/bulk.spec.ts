import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { startService, type TestService } from '../harness/http/service.js';
import type { ApiClient } from '../harness/http/client.js';
import { expectProblem } from '../harness/http/problem.js';

let service: TestService;
let ada: ApiClient;
beforeAll(async () => {
  service = await startService();
});
beforeEach(async () => {
  ada = await service.signUp();
});
afterAll(() => service.close());

async function total(client = ada): Promise<number> {
  return (await client.get('/entries')).body.total;
}

describe('POST /entries/bulk', () => {
  it('returns 201 with each entry as a single POST would create it, in the order of the request', async () => {
    const given = [
      { text: 'third', mood: 3, occurredAt: '2026-03-03T00:00:00+01:00' },
      { text: 'a "quoted" \\ text,\n{null} 😀', mood: 10, category: ' Work', tags: ['b', 'A', 'a,"\\{}'] },
      { text: 'NULL', mood: 1, tags: ['x', 'null'] },
    ];
    const { status, headers, body } = await ada.post('/entries/bulk', { entries: given });
    expect(status).toBe(201);
    expect(headers.get('content-type')).toBe('application/json; charset=utf-8');
    const made = {
      version: 1,
      createdAt: expect.stringMatching(/Z$/),
      updatedAt: expect.stringMatching(/Z$/),
    };
    expect(body.entries).toMatchObject([
      {
        ...made,
        text: 'third',
        mood: 3,
        category: 'general',
        tags: [],
        occurredAt: '2026-03-02T23:00:00.000Z',
      },
      { ...made, text: given[1]!.text, mood: 10, category: 'work', tags: ['a', 'a,"\\{}', 'b'] },
      { ...made, text: 'NULL', mood: 1, tags: ['null', 'x'] },
    ]);
    for (const entry of body.entries) {
      const read = await ada.get(`/entries/${entry.id}`);
      expect({ etag: read.headers.get('etag'), body: read.body }).toEqual({ etag: '"1"', body: entry });
    }
  });

  it('accepts 1000 entries and keeps their order', async () => {
    const entries = Array.from({ length: 1000 }, (_, n) => ({ text: `${n}`, mood: 1 + (n % 10) }));
    const { status, body } = await ada.post('/entries/bulk', { entries });
    expect(status).toBe(201);
    expect(body.entries.map(({ text }: { text: string }) => text)).toEqual(entries.map(({ text }) => text));
    expect(await total()).toBe(1000);
  });

  it('shows in the list at once', async () => {
    expect(await total()).toBe(0);
    await ada.post('/entries/bulk', { entries: [{ text: 'a', mood: 1 }] });
    expect(await total()).toBe(1);
  });

  it('returns 422 that names each invalid item, and creates no entry', async () => {
    const entries: object[] = Array.from({ length: 10 }, () => ({ text: 'a', mood: 5 }));
    entries[3] = { text: '', mood: 5 };
    entries[7] = { text: 'a', mood: 11, colour: 'blue' };
    const { paths } = expectProblem(await ada.post('/entries/bulk', { entries }), 422);
    expect([...paths].sort()).toEqual(['entries.3.text', 'entries.7.colour', 'entries.7.mood']);
    expect(await total()).toBe(0);
  });

  it('creates none if PostgreSQL refuses one of them', async () => {
    await service.database.query(`ALTER TABLE entries ADD CONSTRAINT no_poetry CHECK (text <> 'poetry')`);
    try {
      const entries = [
        { text: 'prose', mood: 5 },
        { text: 'poetry', mood: 5 },
      ];
      expectProblem(await ada.post('/entries/bulk', { entries }), 500);
      expect(await total()).toBe(0);
    } finally {
      await service.database.query('ALTER TABLE entries DROP CONSTRAINT no_poetry');
    }
  });

  it.each([
    ['no entries', { entries: [] }, ['entries']],
    ['1001 entries', { entries: Array(1001).fill({ text: 'a', mood: 5 }) }, ['entries']],
    ['no list', { entries: { text: 'a', mood: 5 } }, ['entries']],
    ['nothing', {}, ['entries']],
    ['a field more', { entries: [{ text: 'a', mood: 5 }], dryRun: true }, ['dryRun']],
    [
      'an id',
      { entries: [{ text: 'a', mood: 5, id: '0195503c-7d7e-7b6c-9a4e-0f2f6d1c2b3a' }] },
      ['entries.0.id'],
    ],
    ['what is no entry', { entries: [null] }, ['entries.0']],
  ])('answers 422 to %s', async (_what, body, paths) => {
    expect(expectProblem(await ada.post('/entries/bulk', body), 422).paths).toEqual(paths);
  });

  it('answers 413 to a body that is larger than any other may be, though each entry is good', async () => {
    const entries = Array(200).fill({ text: 'x'.repeat(10_000), mood: 5 });
    expectProblem(await ada.post('/entries/bulk', { entries }), 413);
  });

  it('answers 401 to a user who was erased meanwhile', async () => {
    await service.database.query('DELETE FROM users WHERE id = $1', [ada.account.userId]);
    expectProblem(await ada.post('/entries/bulk', { entries: [{ text: 'a', mood: 5 }] }), 401);
  });
});
