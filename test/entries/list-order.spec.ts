import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { startService, type TestService } from '../harness/http/service.js';
import type { ApiClient } from '../harness/http/client.js';
import type { Entry } from '../../client/src/index.js';
import { createEntry, listEntries, listPath, type ListParameters } from '../harness/entries/entries.js';
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

const SORTS = ['-occurredAt', 'occurredAt', '-createdAt', 'createdAt'] as const;
type Sort = (typeof SORTS)[number];

/** Three instants for many entries, so that equal keys are ordered by id. */
const INSTANTS = [
  '2026-03-01T08:30:00.001Z',
  '2026-03-01T08:30:00.002Z',
  '2026-03-02T00:00:00.000Z',
] as const;

/** Creates entries that share few values of occurredAt and createdAt. */
async function writeMany(count: number): Promise<Entry[]> {
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

/** The documented order: by the key, then by the id. */
function inOrder(entries: readonly Entry[], sort: Sort): string[] {
  const field = sort.replace('-', '') as 'occurredAt' | 'createdAt';
  const ids = entries.map((entry) => `${entry[field]} ${entry.id}`).sort();
  if (sort.startsWith('-')) ids.reverse();
  return ids.map((key) => key.split(' ')[1]!);
}

describe('GET /entries without parameters', () => {
  it('returns 20 per page, the latest occurredAt first', async () => {
    const written = await writeMany(21);
    const { entries, total, limit, nextCursor } = await list();
    expect(entries.map(({ id }) => id)).toEqual(inOrder(written, '-occurredAt').slice(0, 20));
    expect({ total, limit, nextCursor }).toEqual({ total: 21, limit: 20, nextCursor: expect.any(String) });
  });
});

describe.each(SORTS)('GET /entries?sort=%s', (sort) => {
  it('pages by cursor without repeats or gaps, even when sort keys are equal', async () => {
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

  it('pages by number in the same order', async () => {
    const written = await writeMany(20);
    const seen: string[] = [];
    for (let page = 1; page <= 7; page++) {
      const response = await list({ sort, limit: 3, page });
      expect(response).toMatchObject({ page, total: 20, limit: 3 });
      expect(response.nextCursor === null).toBe(page === 7);
      seen.push(...response.entries.map(({ id }) => id));
    }
    expect(seen).toEqual(inOrder(written, sort));
    expect((await list({ sort, limit: 3, page: 8 })).entries).toEqual([]);
  });

  it('continues by cursor from a numbered page', async () => {
    const written = await writeMany(8);
    const { nextCursor } = await list({ sort, limit: 3, page: 2 });
    const { entries } = await list({ sort, limit: 3, cursor: nextCursor! });
    expect(entries.map(({ id }) => id)).toEqual(inOrder(written, sort).slice(6));
  });

  it('returns no cursor with a last page that is full', async () => {
    await writeMany(6);
    const { nextCursor } = await list({ sort, limit: 3 });
    expect((await list({ sort, limit: 3, cursor: nextCursor! })).nextCursor).toBeNull();
  });

  it('continues from a cursor whose entry was deleted', async () => {
    const written = await writeMany(9);
    const order = inOrder(written, sort);
    const { nextCursor } = await list({ sort, limit: 3 });
    await ada.delete(`/entries/${order[2]}`);
    const { entries } = await list({ sort, limit: 3, cursor: nextCursor! });
    expect(entries.map(({ id }) => id)).toEqual(order.slice(3, 6));
  });

  it('neither repeats nor skips an entry while others are created and deleted', async () => {
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
  /** Clients treat a cursor as opaque; the tests read it to forge one. */
  const open = (cursor: string) => JSON.parse(Buffer.from(cursor, 'base64url').toString()) as string[];
  const close = (content: unknown) => Buffer.from(JSON.stringify(content)).toString('base64url');

  async function firstCursor(parameters: ListParameters = {}): Promise<string> {
    const { nextCursor } = await list({ limit: 1, ...parameters });
    return nextCursor!;
  }

  beforeEach(async () => {
    await writeMany(3);
  });

  it('returns 400 for a cursor of other filters', async () => {
    const cursor = await firstCursor();
    for (const other of ['mood=5', 'category=general', `from=${INSTANTS[0]}`, 'moodMin=1', 'tag=river']) {
      const { paths } = expectProblem(await ada.get(`/entries?${other}&cursor=${cursor}`), 400);
      expect(paths).toEqual(['cursor']);
    }
    const filtered = await firstCursor({ mood: 5 });
    expectProblem(await ada.get(listPath({ cursor: filtered })), 400);
    expectProblem(await ada.get(listPath({ moodMin: 5, moodMax: 5, cursor: filtered })), 400);
  });

  it('returns 400 for a cursor of another sort', async () => {
    const cursor = await firstCursor();
    for (const sort of SORTS.filter((other) => other !== '-occurredAt')) {
      expect(expectProblem(await ada.get(listPath({ sort, cursor })), 400).paths).toEqual(['cursor']);
    }
  });

  it('returns 400 for a cursor of another user', async () => {
    const bob = await service.signUp();
    const cursor = await firstCursor();
    expect(expectProblem(await bob.get(listPath({ cursor })), 400).paths).toEqual(['cursor']);
  });

  it('returns 400 for a cursor of the trash, and the trash for one of the list', async () => {
    const cursor = await firstCursor();
    expectProblem(await ada.get(`/entries/trash?cursor=${cursor}`), 400);
    for (const { id } of (await list()).entries) await ada.delete(`/entries/${id}`);
    const { nextCursor } = (await ada.get('/entries/trash?limit=1')).body;
    expectProblem(await ada.get(listPath({ cursor: nextCursor })), 400);
  });

  it('accepts a cursor with another limit, and with equivalent filters', async () => {
    const cursor = await firstCursor({ category: 'general', tag: [] });
    const { entries } = await list({ limit: 2, category: ' GENERAL ', sort: '-occurredAt', cursor });
    expect(entries).toHaveLength(2);
  });

  it('returns 400 for a cursor and a page at once', async () => {
    const { paths } = expectProblem(await ada.get(listPath({ cursor: await firstCursor(), page: 1 })), 400);
    expect(paths).toEqual(['page']);
  });

  it.each<[string, (cursor: string) => string]>([
    ['cut short', (cursor) => cursor.slice(0, -4)],
    ['without its first character', (cursor) => cursor.slice(1)],
    ['with extra characters at the end', (cursor) => `${cursor}AAAA`],
    ['reversed', (cursor) => [...cursor].reverse().join('')],
    ['that is plain JSON', (cursor) => JSON.stringify(open(cursor))],
    ['that is null', () => close(null)],
    ['that is an object', () => close({ key: INSTANTS[0] })],
    ['that is an empty array', () => close([])],
    ['without its digest', (cursor) => close(open(cursor).slice(0, 2))],
    ['with another digest', (cursor) => close([...open(cursor).slice(0, 2), 'AAAAAAAAAAAAAAAA'])],
    ['of an id that is not a UUID', (cursor) => close(withPart(open(cursor), 1, "' OR true"))],
    ['of an id with a NUL', (cursor) => close(withPart(open(cursor), 1, '\u0000'))],
    ['of a time that is not a time', (cursor) => close(withPart(open(cursor), 0, 'infinity'))],
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
  ])('returns 400 for a cursor %s', async (_name, change) => {
    const cursor = change(await firstCursor());
    expect(expectProblem(await ada.get(listPath({ cursor })), 400).paths).toEqual(['cursor']);
  });

  it('does not give access to more entries when it is forged', async () => {
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
  it('allows page × limit up to 10 000', async () => {
    expect((await list({ page: 100, limit: 100 })).entries).toEqual([]);
    expect((await list({ page: 10_000, limit: 1 })).page).toBe(10_000);
    expect((await list({ page: 500 })).page).toBe(500);
  });
});
