import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { wordsIn } from '../src/entries/entry-selection.js';
import { startApp, type TestApp } from './harness/app.js';
import type { ApiClient } from './harness/client.js';
import { expectProblem } from './harness/problem.js';
import { until } from './harness/until.js';

let service: TestApp;
let ada: ApiClient;
beforeAll(async () => {
  service = await startApp();
});
beforeEach(async () => {
  ada = await service.signUp();
});
afterAll(() => service.close());

async function write(text: string, fields: object = {}): Promise<string> {
  const { status, body } = await ada.post('/entries', { text, mood: 5, ...fields });
  expect(status).toBe(201);
  return body.id;
}

/** Writes rows without the API, as many as no test could post, at one instant after the other. */
async function writeMany(texts: string, count: number, from = '2020-01-01T00:00:00Z', step = '1 hour') {
  await service.database.query(
    `INSERT INTO entries (id, user_id, text, mood, occurred_at)
     SELECT gen_random_uuid(), $1, ${texts}, 1 + n % 10, $3::timestamptz + n * $4::interval
       FROM generate_series(1, $2::int) AS n`,
    [ada.account.userId, count, from, step],
  );
}

async function search(
  parameters: Readonly<Record<string, string | number>>,
  path = '/entries',
  client = ada,
) {
  const query = new URLSearchParams(parameters as Record<string, string>);
  const { status, text, body } = await client.get(`${path}?${query.toString()}`);
  expect(`${status} ${text}`).toMatch(/^200 /);
  return body as {
    entries: { id: string; text: string; occurredAt: string }[];
    total: number;
    nextCursor: string | null;
  };
}

async function texts(q: string): Promise<string[]> {
  const { entries, total } = await search({ q });
  expect(total).toBe(entries.length);
  return entries.map(({ text }) => text).sort();
}

async function searchAll(parameters: Readonly<Record<string, string | number>>) {
  const found: { id: string; text: string; occurredAt: string }[] = [];
  let cursor: string | null = null;
  do {
    const page = await search({ ...parameters, ...(cursor !== null && { cursor }) });
    found.push(...page.entries);
    cursor = page.nextCursor;
  } while (cursor !== null);
  return found;
}

describe('GET /entries?q', () => {
  it('finds words in whichever form they are written', async () => {
    await write('Walked by the river.');
    await write('A WALK in the rain');
    await write('Stayed at home');
    expect(await texts('walking')).toEqual(['A WALK in the rain', 'Walked by the river.']);
    expect(await texts('river rain')).toEqual([]);
    expect(await texts('river or rain')).toHaveLength(2);
    expect(await texts('walk -rain')).toEqual(['Walked by the river.']);
    expect(await texts('"stayed at home"')).toEqual(['Stayed at home']);
    expect(await texts('"home stayed"')).toEqual([]);
    expect(await texts('-walk')).toEqual(['Stayed at home']);
  });

  it('finds words that are not English, as they are written', async () => {
    await write('Heute regnete es über Wien 🌧️, 日本語');
    for (const q of ['Wien', 'ÜBER', 'regnete', '日本語']) expect(await texts(q)).toHaveLength(1);
  });

  it.each(['the', 'of the and', '"', "'", ':*', '()', '!', '& |', '🌧️', '-', '"the"'])(
    'answers 200 without entries to %j, in which there is no word to look for',
    async (q) => {
      await write('of the and');
      expect(await search({ q })).toMatchObject({ entries: [], total: 0, nextCursor: null });
    },
  );

  it.each([
    '"walked by',
    'walked "by the river',
    'river & ! (',
    "river'; DROP TABLE entries --",
    'river\\',
    'or river or',
  ])('takes %j as the words in it', async (q) => {
    await write("Walked by the river'; drop table entries");
    expect(await texts(q)).toHaveLength(1);
  });

  it.each([
    ['-', 150, 'stayed'],
    ['- ', 80, 'stayed'],
    ['-(', 80, 'stayed'],
    ['-', 151, 'walked'],
    ['- & ', 45, 'walked'],
  ])('takes %j %i times as an even or odd number of negations', async (sign, count, found) => {
    await write('walked');
    await write('stayed');
    expect(await texts(`${sign.repeat(count)}stayed`)).toEqual([found]);
  });

  it('takes whatever signs there are', async () => {
    const sign = fc.oneof(
      fc.constantFrom(' or ', 'a', 'word', 'the', '\u00a0', '\u3000', '🌧️'),
      fc.string({ unit: fc.constantFrom(...Array.from('-"!&|():*\'\\<>.,+~@#/ \t\n')), maxLength: 3 }),
    );
    const rarely = fc.oneof(
      { weight: 3, arbitrary: fc.constantFrom('-', '- ', ' -') },
      { weight: 1, arbitrary: sign },
    );
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(fc.array(sign, { maxLength: 200 }), fc.array(rarely, { minLength: 50, maxLength: 200 })),
        async (signs) => {
          const q = signs.join('').slice(0, 200);
          const values: unknown[] = [];
          const query = wordsIn(q, (value) => `$${values.push(value)}`);
          expect(await service.database.query(`SELECT ${query} AS query`, values)).toHaveLength(1);
        },
      ),
      { numRuns: 300 },
    );
  }, 30_000);

  it.each(['', '   ', 'a\u0000b', 'x'.repeat(201)])('answers 400 to q=%j', async (q) => {
    expect(
      expectProblem(await ada.get(`/entries?${new URLSearchParams({ q }).toString()}`), 400).paths,
    ).toEqual(['q']);
  });

  it('answers 400 to q given twice', async () => {
    expectProblem(await ada.get('/entries?q=a&q=b'), 400);
  });

  it('puts the best first, and of those that are as good the newest', async () => {
    const [once, older, newer] = [
      await write('a river and much else', { occurredAt: '2026-03-03T00:00:00Z' }),
      await write('river river river', { occurredAt: '2026-03-01T00:00:00Z' }),
      await write('river river river', { occurredAt: '2026-03-02T00:00:00Z' }),
    ];
    const ids = async (parameters: object) =>
      (await search({ q: 'river', ...parameters })).entries.map(({ id }) => id);
    expect(await ids({})).toEqual([newer, older, once]);
    expect(await ids({ sort: '-occurredAt' })).toEqual([once, newer, older]);
    expect(await ids({ sort: 'occurredAt' })).toEqual([older, newer, once]);
    expect(await ids({ sort: 'createdAt' })).toEqual([once, older, newer]);
  });

  it('finds what a patch has made of an entry, and no more what it was', async () => {
    const id = await write('river');
    await ada.patch(`/entries/${id}`, { text: 'mountain' });
    expect(await texts('river')).toEqual([]);
    expect(await texts('mountain')).toEqual(['mountain']);
  });

  it('finds an entry whose day was moved', async () => {
    const id = await write('river', { occurredAt: '2026-01-31T23:59:59.999Z' });
    await ada.patch(`/entries/${id}`, { occurredAt: '1999-02-01T00:00:00Z' });
    expect(await texts('river')).toEqual(['river']);
  });

  it('leaves out the trash, which has a search of its own', async () => {
    const id = await write('river');
    await ada.delete(`/entries/${id}`);
    expect(await texts('river')).toEqual([]);
    expect((await search({ q: 'river' }, '/entries/trash')).entries).toHaveLength(1);
  });

  it('finds nothing of another user', async () => {
    await write('river');
    expect((await search({ q: 'river' }, '/entries', await service.signUp())).total).toBe(0);
  });

  it('goes with the other filters', async () => {
    await write('river one', {
      mood: 3,
      tags: ['a'],
      category: 'work',
      occurredAt: '2025-12-31T23:59:59.999Z',
    });
    await write('river two', { mood: 7, tags: ['a', 'b'], occurredAt: '2026-01-01T00:00:00.000Z' });
    for (const [parameters, expected] of [
      [{ mood: 3 }, ['river one']],
      [{ moodMin: 4 }, ['river two']],
      [{ tag: 'b' }, ['river two']],
      [{ category: 'work' }, ['river one']],
      [{ from: '2026-01-01T00:00:00Z' }, ['river two']],
      [{ to: '2026-01-01T00:00:00Z' }, ['river one']],
    ] as const) {
      const { entries, total } = await search({ q: 'river', ...parameters });
      expect(entries.map(({ text }) => text)).toEqual(expected);
      expect(total).toBe(1);
    }
  });
});

describe('paging through a search', () => {
  it('gives each of many matches once, the newest 200 best first, then the next', async () => {
    await writeMany(`'river ' || CASE WHEN n % 7 = 0 THEN 'river ' ELSE '' END || n`, 450);
    const found = await searchAll({ q: 'river', limit: 70 });
    expect(new Set(found.map(({ id }) => id)).size).toBe(450);
    expect(found).toHaveLength(450);
    const instants = found.map(({ occurredAt }) => occurredAt);
    for (const [start, end] of [
      [0, 200],
      [200, 400],
      [400, 450],
    ]) {
      const block = found.slice(start, end);
      // Two occurrences rank higher than one, and the newest come first among equals.
      const twice = block.filter(({ text }) => text.startsWith('river river'));
      expect(block.slice(0, twice.length)).toEqual(twice);
      for (const part of [twice, block.slice(twice.length)]) {
        const own = part.map(({ occurredAt }) => occurredAt);
        expect(own).toEqual([...own].sort().reverse());
      }
    }
    expect(instants.slice(0, 200).sort()[0]! > instants.slice(200).sort().at(-1)!).toBe(true);
  });

  it('gives by number what it gives by cursor', async () => {
    await writeMany(`'river ' || repeat('river ', n % 5)`, 430, '2020-01-01T00:00:00Z', '1 day');
    const found = (await searchAll({ q: 'river', limit: 30 })).map(({ id }) => id);
    for (const page of [1, 7, 14, 15, 16]) {
      const { entries } = await search({ q: 'river', limit: 30, page });
      expect(entries.map(({ id }) => id)).toEqual(found.slice((page - 1) * 30, page * 30));
    }
  });

  it('neither repeats nor skips while others are written and deleted', async () => {
    await writeMany(`'river ' || repeat('river ', n % 5)`, 260);
    const before = new Set((await searchAll({ q: 'river', limit: 100 })).map(({ id }) => id));
    const seen: string[] = [];
    const gone = new Set<string>();
    let cursor: string | null = null;
    do {
      const page = await search({ q: 'river', limit: 25, ...(cursor !== null && { cursor }) });
      seen.push(...page.entries.map(({ id }) => id));
      cursor = page.nextCursor;
      await writeMany(`'river river river river river river ' || n`, 3, '2020-01-09T00:00:00Z');
      await writeMany(`'river'`, 3, '2030-01-01T00:00:00Z');
      const unseen = [...before].find((id) => !seen.includes(id) && !gone.has(id));
      for (const id of [seen.at(-1)!, unseen].filter((each) => each !== undefined)) {
        gone.add(id);
        await ada.delete(`/entries/${id}`);
      }
    } while (cursor !== null);
    expect(new Set(seen).size).toBe(seen.length);
    expect([...before].filter((id) => !gone.has(id) && !seen.includes(id))).toEqual([]);
  });

  it('refuses a cursor of another search, and one that was made up', async () => {
    await writeMany(`'river sea'`, 3);
    const { nextCursor } = await search({ q: 'river', limit: 1 });
    const made = (content: unknown) => Buffer.from(JSON.stringify(content)).toString('base64url');
    const parts = JSON.parse(Buffer.from(nextCursor!, 'base64url').toString()) as unknown[];
    for (const [q, cursor] of [
      ['sea', nextCursor!],
      ['river', made([])],
      ['river', made([...parts.slice(0, 2), 'NaN', ...parts.slice(3)])],
      ['river', made([...parts.slice(0, 2), '1e-99', ...parts.slice(3)])],
      ['river', made([...parts.slice(0, 2), '1e99', ...parts.slice(3)])],
    ] as const) {
      const answer = await ada.get(`/entries?q=${q}&limit=1&cursor=${cursor}`);
      expect(expectProblem(answer, 400).paths).toEqual(['cursor']);
    }
  });

  it('counts no further than 1000', async () => {
    await writeMany(`'river'`, 1005);
    expect((await search({ q: 'river', limit: 1 })).total).toBe(1000);
    expect((await search({ q: 'river', limit: 1, mood: 2 })).total).toBe(101);
  });
});

describe('SEARCH_LANGUAGE', () => {
  it('decides what a word is, of entries of before too, as soon as the index is built anew', async () => {
    await write('Die Häuser am Fluss');
    await write('The houses by the river');
    expect(await texts('haus')).toEqual([]);
    expect(await texts('the')).toEqual([]);

    const german = await startApp({ SEARCH_LANGUAGE: 'german' }, service.database);
    await until('the index is built for German', async () => {
      const rows = await service.database.query<{ language: string }>(
        `SELECT obj_description('entries_search_idx'::regclass, 'pg_class') AS language`,
      );
      return rows[0]?.language === 'german';
    });
    // A total that was counted before is kept until the user writes, or for a minute.
    await write('unrelated');
    expect(await texts('haus')).toEqual(['Die Häuser am Fluss']);
    expect(await texts('die am')).toEqual([]);
    expect(await texts('the')).toEqual(['The houses by the river']);
    await german.close();
  });
});
