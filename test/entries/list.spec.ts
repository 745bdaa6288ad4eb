import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { startApp, type TestApp } from '../harness/app.js';
import type { ApiClient } from '../harness/client.js';
import { expectProblem } from '../harness/problem.js';

let service: TestApp;
/** A new user for each test: what one writes, no other lists. */
let ada: ApiClient;
beforeAll(async () => {
  service = await startApp();
});
beforeEach(async () => {
  ada = await service.signUp();
});
afterAll(() => service.close());

interface Listed {
  readonly id: string;
  readonly text: string;
  readonly occurredAt: string;
  readonly createdAt: string;
}

const SORTS = ['-occurredAt', 'occurredAt', '-createdAt', 'createdAt'] as const;
type Sort = (typeof SORTS)[number];

/** Three instants for many entries, so that the id has to decide. */
const INSTANTS = [
  '2026-03-01T08:30:00.001Z',
  '2026-03-01T08:30:00.002Z',
  '2026-03-02T00:00:00.000Z',
] as const;

async function write(fields: object = {}): Promise<Listed> {
  const { status, body } = await ada.post('/entries', { text: 'a', mood: 5, ...fields });
  expect(status).toBe(201);
  return body;
}

/** Writes entries that share few values of occurredAt, and of createdAt. */
async function writeMany(count: number): Promise<Listed[]> {
  const written = await Promise.all(
    Array.from({ length: count }, (_, i) => write({ text: `entry ${i}`, occurredAt: INSTANTS[i % 3] })),
  );
  const createdAt = written.map((_, i) => INSTANTS[((i * 7) % 5) % 3]!);
  await service.database.query(
    `UPDATE entries SET created_at = given.at
       FROM unnest($1::uuid[], $2::timestamptz[]) AS given (id, at) WHERE entries.id = given.id`,
    [written.map(({ id }) => id), createdAt],
  );
  return written.map((entry, i) => ({ ...entry, createdAt: createdAt[i]! }));
}

/** What the contract says of the order: by the key, and by the id where keys are equal. */
function inOrder(entries: readonly Listed[], sort: Sort): string[] {
  const field = sort.replace('-', '') as 'occurredAt' | 'createdAt';
  const ids = entries.map((entry) => `${entry[field]} ${entry.id}`).sort();
  if (sort.startsWith('-')) ids.reverse();
  return ids.map((key) => key.split(' ')[1]!);
}

/** A query's parameters, escaped. */
function query(parameters: Readonly<Record<string, string | number | readonly string[]>>): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    for (const each of [value].flat()) search.append(name, String(each));
  }
  return `/entries?${search.toString()}`;
}

async function list(parameters: Parameters<typeof query>[0] = {}, client = ada) {
  const { status, text, body } = await client.get(query(parameters));
  expect(`${status} ${text}`).toMatch(/^200 /);
  return body as {
    entries: Listed[];
    total: number;
    limit: number;
    page?: number;
    nextCursor: string | null;
  };
}

describe('GET /entries', () => {
  it('answers 200 with an empty page to a user who has written nothing', async () => {
    const { status, headers, body } = await ada.get('/entries');
    expect(status).toBe(200);
    expect(headers.get('content-type')).toBe('application/json; charset=utf-8');
    expect(body).toEqual({ entries: [], total: 0, limit: 20, nextCursor: null });
  });

  it('lists entries as they are read one by one', async () => {
    const entry = await write({ text: 'Walked.', mood: 7, category: 'health', tags: ['river'] });
    const { entries } = await list();
    expect(entries).toEqual([entry]);
    expect(entries).toEqual([(await ada.get(`/entries/${entry.id}`)).body]);
  });

  it('gives 20 a page, those of the latest occurredAt first', async () => {
    const written = await writeMany(21);
    const { entries, total, limit, nextCursor } = await list();
    expect(entries.map(({ id }) => id)).toEqual(inOrder(written, '-occurredAt').slice(0, 20));
    expect({ total, limit, nextCursor }).toEqual({ total: 21, limit: 20, nextCursor: expect.any(String) });
  });

  it.each([1, 100])('takes limit=%d', async (limit) => {
    await writeMany(2);
    const answer = await list({ limit });
    expect(answer.limit).toBe(limit);
    expect(answer.entries).toHaveLength(Math.min(limit, 2));
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
    'from=2026-03-01',
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
  ])('answers 400 to ?%s', async (parameters) => {
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
  ])('answers 400 to the unknown parameter of ?%s', async (parameters) => {
    const { paths } = expectProblem(await ada.get(`/entries?${parameters}`), 400);
    expect(paths).toEqual([parameters.split('=')[0]]);
    expect(({} as Record<string, unknown>)['a']).toBeUndefined();
  });
});

describe.each(SORTS)('GET /entries?sort=%s', (sort) => {
  it('pages by cursor without repeat or gap, though keys are equal', async () => {
    const written = await writeMany(20);
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const page = await list({ sort, limit: 3, ...(cursor !== null && { cursor }) });
      expect(page.total).toBe(20);
      expect(page.entries.length).toBeGreaterThan(0);
      seen.push(...page.entries.map(({ id }) => id));
      cursor = page.nextCursor;
    } while (cursor !== null);
    expect(seen).toEqual(inOrder(written, sort));
  });

  it('pages by number alike', async () => {
    const written = await writeMany(20);
    const seen: string[] = [];
    for (let page = 1; page <= 7; page++) {
      const answer = await list({ sort, limit: 3, page });
      expect(answer).toMatchObject({ page, total: 20, limit: 3 });
      expect(answer.nextCursor === null).toBe(page === 7);
      seen.push(...answer.entries.map(({ id }) => id));
    }
    expect(seen).toEqual(inOrder(written, sort));
    expect((await list({ sort, limit: 3, page: 8 })).entries).toEqual([]);
  });

  it('goes on by cursor from a page got by number', async () => {
    const written = await writeMany(8);
    const { nextCursor } = await list({ sort, limit: 3, page: 2 });
    const { entries } = await list({ sort, limit: 3, cursor: nextCursor! });
    expect(entries.map(({ id }) => id)).toEqual(inOrder(written, sort).slice(6));
  });

  it('says that a last page is the last when it is full', async () => {
    await writeMany(6);
    const { nextCursor } = await list({ sort, limit: 3 });
    expect((await list({ sort, limit: 3, cursor: nextCursor! })).nextCursor).toBeNull();
  });

  it('goes on from a cursor whose entry is gone', async () => {
    const written = await writeMany(9);
    const order = inOrder(written, sort);
    const { nextCursor } = await list({ sort, limit: 3 });
    await ada.delete(`/entries/${order[2]}`);
    const { entries } = await list({ sort, limit: 3, cursor: nextCursor! });
    expect(entries.map(({ id }) => id)).toEqual(order.slice(3, 6));
  });

  it('neither repeats nor skips what was there throughout, while others are written and deleted', async () => {
    const written = await writeMany(24);
    const throughout = written.filter((_, i) => i % 4 !== 0);
    const doomed = written.filter((_, i) => i % 4 === 0);
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const page = await list({ sort, limit: 4, ...(cursor !== null && { cursor }) });
      seen.push(...page.entries.map(({ id }) => id));
      cursor = page.nextCursor;

      await writeMany(3);
      const victim = doomed.pop();
      if (victim) expect((await ada.delete(`/entries/${victim.id}`)).status).toBe(204);
      expect(seen.length).toBeLessThan(500);
    } while (cursor !== null);

    expect(new Set(seen).size).toBe(seen.length);
    const stayed = new Set(throughout.map(({ id }) => id));
    expect(seen.filter((id) => stayed.has(id))).toEqual(inOrder(throughout, sort));
  });
});

describe('GET /entries?cursor', () => {
  /** What is in a cursor is nobody's business but the service's: read here to send it a forged one. */
  const open = (cursor: string) => JSON.parse(Buffer.from(cursor, 'base64url').toString()) as string[];
  const close = (content: unknown) => Buffer.from(JSON.stringify(content)).toString('base64url');

  async function firstCursor(parameters: Parameters<typeof query>[0] = {}): Promise<string> {
    const { nextCursor } = await list({ limit: 1, ...parameters });
    return nextCursor!;
  }

  beforeEach(async () => {
    await writeMany(3);
  });

  it('answers 400 to a cursor of other filters', async () => {
    const cursor = await firstCursor();
    for (const other of ['mood=5', 'category=general', `from=${INSTANTS[0]}`, 'moodMin=1', 'tag=river']) {
      const { paths } = expectProblem(await ada.get(`/entries?${other}&cursor=${cursor}`), 400);
      expect(paths).toEqual(['cursor']);
    }
    const filtered = await firstCursor({ mood: 5 });
    expectProblem(await ada.get(query({ cursor: filtered })), 400);
    expectProblem(await ada.get(query({ moodMin: 5, moodMax: 5, cursor: filtered })), 400);
  });

  it('answers 400 to a cursor of another sort', async () => {
    const cursor = await firstCursor();
    for (const sort of SORTS.filter((other) => other !== '-occurredAt')) {
      expect(expectProblem(await ada.get(query({ sort, cursor })), 400).paths).toEqual(['cursor']);
    }
  });

  it('answers 400 to a cursor of another user', async () => {
    const bob = await service.signUp();
    const cursor = await firstCursor();
    expect(expectProblem(await bob.get(query({ cursor })), 400).paths).toEqual(['cursor']);
  });

  it('answers 400 to a cursor of the trash, and the trash to one of the list', async () => {
    const cursor = await firstCursor();
    expectProblem(await ada.get(`/entries/trash?cursor=${cursor}`), 400);
    for (const { id } of (await list()).entries) await ada.delete(`/entries/${id}`);
    const { nextCursor } = (await ada.get('/entries/trash?limit=1')).body;
    expectProblem(await ada.get(query({ cursor: nextCursor })), 400);
  });

  it('takes a cursor with another limit, and with filters that say the same', async () => {
    const cursor = await firstCursor({ category: 'general', tag: [] });
    const { entries } = await list({ limit: 2, category: ' GENERAL ', sort: '-occurredAt', cursor });
    expect(entries).toHaveLength(2);
  });

  it('answers 400 to a cursor and a page at once', async () => {
    const { paths } = expectProblem(await ada.get(query({ cursor: await firstCursor(), page: 1 })), 400);
    expect(paths).toEqual(['page']);
  });

  it.each<[string, (cursor: string) => string]>([
    ['cut short', (cursor) => cursor.slice(0, -4)],
    ['without its first character', (cursor) => cursor.slice(1)],
    ['with more behind it', (cursor) => `${cursor}AAAA`],
    ['reversed', (cursor) => [...cursor].reverse().join('')],
    ['that is JSON as it is', (cursor) => JSON.stringify(open(cursor))],
    ['that is null', () => close(null)],
    ['that is an object', () => close({ key: INSTANTS[0] })],
    ['that is an array of nothing', () => close([])],
    ['without its binding', (cursor) => close(open(cursor).slice(0, 2))],
    ['with another binding', (cursor) => close([...open(cursor).slice(0, 2), 'AAAAAAAAAAAAAAAA'])],
    ['of an id that is no UUID', (cursor) => close(withPart(open(cursor), 1, "' OR true"))],
    ['of an id with a NUL', (cursor) => close(withPart(open(cursor), 1, '\u0000'))],
    ['of a time that is none', (cursor) => close(withPart(open(cursor), 0, 'infinity'))],
    [
      'of a time that PostgreSQL cannot read',
      (cursor) => close(withPart(open(cursor), 0, '0000-01-01T00:00:00.000Z')),
    ],
    [
      'of a day that does not exist',
      (cursor) => close(withPart(open(cursor), 0, '2026-02-30T00:00:00.000Z')),
    ],
    ['of a time that is a number', (cursor) => close(withPart(open(cursor), 0, 1))],
    ['nested deeply', () => close(JSON.parse('['.repeat(150) + ']'.repeat(150)))],
  ])('answers 400 to one %s', async (_name, change) => {
    const cursor = change(await firstCursor());
    expect(expectProblem(await ada.get(query({ cursor })), 400).paths).toEqual(['cursor']);
  });

  it('shows no more to one who forges a place than to one who pages', async () => {
    const bob = await service.signUp();
    const forged = close(withPart(open(await firstCursor()), 0, '9999-12-31T23:59:59.999Z'));
    const { entries } = await list({ cursor: forged });
    expect(entries).toHaveLength(3);
    expect((await list({}, bob)).entries).toEqual([]);
  });

  function withPart(content: readonly string[], index: number, value: unknown): unknown[] {
    return content.map((part, i) => (i === index ? value : part));
  }
});

describe('GET /entries?page', () => {
  it('reaches to page × limit = 10 000 and no further', async () => {
    expect((await list({ page: 100, limit: 100 })).entries).toEqual([]);
    expect((await list({ page: 10_000, limit: 1 })).page).toBe(10_000);
    expect((await list({ page: 500 })).page).toBe(500);
  });
});

describe('the total', () => {
  it('counts all pages, right after each write of the user', async () => {
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

  it('is of the filters given, and follows a change that moves an entry in or out of them', async () => {
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

  it('is right after many writes at once', async () => {
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

  it('is of the user alone', async () => {
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

  it.each<[Parameters<typeof query>[0], string]>([
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

  it('hold from page to page', async () => {
    const parameters = { tag: 'river', sort: 'occurredAt', limit: 1 };
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
