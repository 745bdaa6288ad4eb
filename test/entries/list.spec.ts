import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { startService, type TestService } from '../harness/http/service.js';
import type { ApiClient } from '../harness/http/client.js';
import { createEntry, listEntries, type ListParameters } from '../harness/entries/entries.js';
import { expectProblem } from '../harness/http/problem.js';

let service: TestService;
/** A new user for each test, so that no test lists the entries of another. */
let ada: ApiClient;
beforeAll(async () => {
  service = await startService();
});
beforeEach(async () => {
  ada = await service.signUp();
});
afterAll(() => service.close());

const write = (fields: object = {}) => createEntry(ada, { text: 'a', mood: 5, ...fields });
const list = (parameters: ListParameters = {}, client = ada) => listEntries(client, parameters);

describe('GET /entries', () => {
  it('returns 200 with an empty page when the user has no entries', async () => {
    const { status, headers, body } = await ada.get('/entries');
    expect(status).toBe(200);
    expect(headers.get('content-type')).toBe('application/json; charset=utf-8');
    expect(body).toEqual({ entries: [], total: 0, limit: 20, nextCursor: null });
  });

  it('lists an entry as GET /entries/:id returns it', async () => {
    const entry = await write({ text: 'Walked.', mood: 7, category: 'health', tags: ['river'] });
    const { entries } = await list();
    expect(entries).toEqual([entry]);
    expect(entries).toEqual([(await ada.get(`/entries/${entry.id}`)).body]);
  });

  it.each([1, 100])('accepts limit=%d', async (limit) => {
    await write();
    await write();
    const response = await list({ limit });
    expect(response.limit).toBe(limit);
    expect(response.entries).toHaveLength(Math.min(limit, 2));
  });

  it.each([
    'limit=0',
    'limit=101',
    'limit=abc',
    'limit=1.5',
    'limit=-1',
    'limit=',
    'limit=NaN',
    'limit=Infinity',
    'limit=1&limit=2',
    'limit=%00',
    'page=0',
    'page=-1',
    'page=abc',
    'page=1.5',
    'page=',
    'page=101&limit=100',
    'page=10001&limit=1',
    'page=501',
    'page=9007199254740993',
    'sort=mood',
    'sort=',
    'sort=-occurredAt,createdAt',
    'sort=occurredAt&sort=createdAt',
    'sort=occurred_at;drop table entries',
    'mood=0',
    'mood=11',
    'mood=5.5',
    'mood=abc',
    'mood=',
    'mood=1&mood=2',
    'moodMin=0',
    'moodMax=11',
    'from=yesterday',
    'from=2026-02-30',
    'from=2026-02-30T00:00:00Z',
    'to=2026-03-01T08:30:00',
    'to=',
    'from=0000-01-01T00:00:00Z',
    'category=',
    `category=${'x'.repeat(51)}`,
    'category=a%00b',
    'category=a&category=b',
    'tag=',
    `tag=${'x'.repeat(51)}`,
    'tag=a%00b',
    `tag=${Array.from({ length: 21 }, (_, i) => `t${i}`).join('&tag=')}`,
    'cursor=',
    'cursor=abc',
    'cursor=%00',
    `cursor=${'x'.repeat(513)}`,
    'cursor=a&cursor=b',
  ])('returns 400 for ?%s', async (parameters) => {
    const name = /^[a-zA-Z]+/.exec(parameters)![0];
    const { paths } = expectProblem(await ada.get(`/entries?${parameters}`), 400);
    expect(paths.map((path) => path.split('.')[0])).toContain(name);
  });

  it.each([
    'colour=blue',
    'Limit=5',
    'limit[]=5',
    'tags=river',
    'userId=1',
    '__proto__=1',
    'constructor=1',
    '__proto__[a]=1',
  ])('returns 400 for ?%s, which is unknown', async (parameters) => {
    const { paths } = expectProblem(await ada.get(`/entries?${parameters}`), 400);
    expect(paths).toEqual([parameters.split('=')[0]]);
    expect(({} as Record<string, unknown>)['a']).toBeUndefined();
  });
});

describe('the total', () => {
  it('counts all pages, and is correct right after each write', async () => {
    const expectTotals = async (entries: number, trash: number) => {
      expect((await list({ limit: 1 })).total).toBe(entries);
      expect((await ada.get('/entries/trash?limit=1')).body.total).toBe(trash);
    };
    await expectTotals(0, 0);
    const { id } = await write();
    await expectTotals(1, 0);
    await write();
    await expectTotals(2, 0);
    await ada.delete(`/entries/${id}`);
    await expectTotals(1, 1);
    await ada.post(`/entries/${id}/restore`);
    await expectTotals(2, 0);
  });

  it('counts what matches the filters, also after a change', async () => {
    const { id } = await write({ mood: 3, tags: ['river'] });
    await write({ mood: 9 });
    expect((await list({ mood: 3 })).total).toBe(1);
    expect((await list({ tag: 'river' })).total).toBe(1);
    await ada.patch(`/entries/${id}`, { mood: 9, tags: [] });
    expect((await list({ mood: 3 })).total).toBe(0);
    expect((await list({ mood: 9 })).total).toBe(2);
    expect((await list({ tag: 'river' })).total).toBe(0);
    expect((await list()).total).toBe(2);
  });

  it('is correct after many concurrent writes', async () => {
    const writes = Array.from({ length: 20 }, async () => {
      const entry = await write();
      await list({ limit: 1 });
      return entry;
    });
    const written = await Promise.all(writes);
    expect((await list()).total).toBe(20);
    await Promise.all(written.slice(0, 15).map(({ id }) => ada.delete(`/entries/${id}`)));
    expect((await list()).total).toBe(5);
  });

  it('counts only entries of the user', async () => {
    const bob = await service.signUp();
    await list({}, bob);
    await write();
    expect((await list({}, bob)).total).toBe(0);
    expect((await list()).total).toBe(1);
  });
});

describe('the filters of GET /entries', () => {
  let filtered: ApiClient;
  beforeAll(async () => {
    filtered = await service.signUp();
    for (const fields of [
      { text: 'a', mood: 1, category: 'health', tags: ['river'], occurredAt: '2026-01-01T00:00:00.000Z' },
      {
        text: 'b',
        mood: 3,
        category: 'health',
        tags: ['river', 'alps'],
        occurredAt: '2026-01-31T23:59:59.999Z',
      },
      {
        text: 'c',
        mood: 5,
        category: 'work',
        tags: ['alps', 'river', 'tea'],
        occurredAt: '2026-02-01T00:00:00.000Z',
      },
      {
        text: 'd',
        mood: 7,
        category: 'health care',
        tags: ['riverside'],
        occurredAt: '2026-02-01T00:00:00.001Z',
      },
      { text: 'e', mood: 10, occurredAt: '2026-03-01T00:00:00.000Z' },
    ]) {
      expect((await filtered.post('/entries', fields)).status).toBe(201);
    }
  });

  it.each<[ListParameters, string]>([
    [{}, 'abcde'],
    [{ category: 'health' }, 'ab'],
    [{ category: ' HEALTH ' }, 'ab'],
    [{ category: 'health care' }, 'd'],
    [{ category: 'general' }, 'e'],
    [{ category: 'heal%' }, ''],
    [{ category: "' OR 'a'='a" }, ''],
    [{ tag: 'river' }, 'abc'],
    [{ tag: ['river', 'alps'] }, 'bc'],
    [{ tag: ['Alps', ' TEA', 'river', 'river'] }, 'c'],
    [{ tag: ['river', 'sea'] }, ''],
    [{ tag: 'alps,river' }, ''],
    [{ tag: '{river}' }, ''],
    [{ mood: 3 }, 'b'],
    [{ mood: 10 }, 'e'],
    [{ mood: 2 }, ''],
    [{ moodMin: 5 }, 'cde'],
    [{ moodMax: 5 }, 'abc'],
    [{ moodMin: 3, moodMax: 7 }, 'bcd'],
    [{ moodMin: 7, moodMax: 3 }, ''],
    [{ mood: 5, moodMin: 5, moodMax: 5 }, 'c'],
    [{ from: '2026-02-01T00:00:00Z' }, 'cde'],
    [{ to: '2026-02-01T00:00:00Z' }, 'ab'],
    [{ from: '2026-01-01T00:00:00Z', to: '2026-02-01T00:00:00.001Z' }, 'abc'],
    [{ from: '2026-02-01T01:00:00+01:00', to: '2026-02-01T01:00:00.001+01:00' }, 'c'],
    [{ from: '2026-02-01T00:00:00Z', to: '2026-02-01T00:00:00Z' }, ''],
    [{ from: '2026-03-01T00:00:00Z', to: '2026-01-01T00:00:00Z' }, ''],
    [{ from: '0001-01-01T00:00:00Z', to: '9999-12-31T23:59:59Z' }, 'abcde'],
    [{ tag: 'river', category: 'health', moodMin: 2, to: '2026-02-01T00:00:00Z' }, 'b'],
  ])('%j lists %j', async (parameters, texts) => {
    const { entries, total } = await list({ ...parameters, sort: 'occurredAt' }, filtered);
    expect(entries.map(({ text }) => text).join('')).toBe(texts);
    expect(total).toBe(texts.length);
  });

  it('apply to every page', async () => {
    const parameters: ListParameters = { tag: 'river', sort: 'occurredAt', limit: 1 };
    const texts: string[] = [];
    let cursor: string | null = null;
    do {
      const page = await list({ ...parameters, ...(cursor !== null && { cursor }) }, filtered);
      expect(page.total).toBe(3);
      texts.push(...page.entries.map(({ text }) => text));
      cursor = page.nextCursor;
    } while (cursor !== null);
    expect(texts).toEqual(['a', 'b', 'c']);
    expect((await list({ ...parameters, page: 2 }, filtered)).entries[0]!.text).toBe('b');
  });
});
