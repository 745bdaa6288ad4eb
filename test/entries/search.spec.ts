import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { foldText } from '../../src/entries/search/search-text.js';
import { startService, type TestService } from '../harness/http/service.js';
import type { ApiClient } from '../harness/http/client.js';
import { bumpRevision } from '../harness/entries/journal.js';
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

async function write(text: string, fields: object = {}): Promise<string> {
  const { status, body } = await ada.post('/entries', { text, mood: 5, ...fields });
  expect(status).toBe(201);
  return body.id;
}

/** Writes rows without the API, as many as no test could post, at one instant after the other. */
async function writeMany(texts: string, count: number, from = '2020-01-01T00:00:00Z', step = '1 hour') {
  await service.database.query(
    `INSERT INTO entries (id, user_id, text, search_text, mood, occurred_at)
     SELECT gen_random_uuid(), $1, ${texts}, lower(${texts}), 1 + n % 10, $3::timestamptz + n * $4::interval
       FROM generate_series(1, $2::int) AS n`,
    [ada.account.userId, count, from, step],
  );
  await bumpRevision(service.database, ada.account.userId);
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

/** What is written in many languages, and what people type to find it. */
const LANGUAGES: readonly (readonly [
  language: string,
  text: string,
  found: readonly string[],
  not: readonly string[],
])[] = [
  ['Chinese', '今天在河边散步，天气很好', ['河', '散步', '河边', '天气很好', '今天 很好'], ['海', '边河']],
  ['Japanese', '今日は川沿いをガンバって散歩しました', ['川', '散歩', 'ガンバ', 'ｶﾞﾝﾊﾞ'], ['海']],
  ['Korean', '오늘은 강가를 산책했다', ['강가', '산책', '오늘은'], ['바다']],
  ['Arabic', 'مَشَيْتُ عَلَى ضِفَّةِ النَّهْرِ', ['مشيت', 'النهر', 'النَّهْرِ', 'نهر'], ['بحر']],
  [
    'Greek',
    'Περπάτησα στον ΔΡΌΜΟ. Ο δρόμος',
    ['δρομος', 'ΔΡΟΜΟΣ', 'δρόμο', 'περπατησα', 'ΠΕΡΠΆΤΗΣΑ'],
    ['θάλασσα'],
  ],
  [
    'Turkish',
    'İstanbul’da ılık bir gün, ISPARTA',
    ['istanbul', 'İSTANBUL', 'ilik', 'ILIK', 'ısparta', 'isparta'],
    ['ankara'],
  ],
  [
    'German',
    'Die Straße war naß, überall Äpfel',
    ['strasse', 'STRASSE', 'straße', 'nass', 'uberall', 'ÜBERALL', 'apfel'],
    ['tor'],
  ],
  [
    'French',
    'Été à la plage, un café crème, œuvre',
    ['ete', 'ÉTÉ', 'cafe', 'creme', 'CRÈME', 'plage'],
    ['hiver'],
  ],
  ['Vietnamese', 'Hôm nay đi dạo bên sông', ['hom nay', 'dao', 'SÔNG', 'song'], ['biển']],
  ['Hindi', 'आज नदी के किनारे चला', ['नदी', 'किनारे'], ['समुद्र']],
  ['English', 'The same as always, not the river', ['same', 'not', 'the', 'ALWAYS', 'iver'], ['rivers']],
  ['emoji', 'Sun 🌧️ then 👩‍👩‍👧 fun', ['🌧', '🌧️', '👩‍👩‍👧', 'sun 🌧'], ['🌞']],
];

describe('GET /entries?q', () => {
  it.each(LANGUAGES)('finds %s', async (_language, text, found, not) => {
    await write(text);
    for (const q of found) expect([q, await texts(q)]).toEqual([q, [text]]);
    for (const q of not) expect([q, await texts(q)]).toEqual([q, []]);
  });

  it('finds all words, in any order, inside other words and in any case', async () => {
    await write('Walked by the river.');
    await write('A WALK in the rain');
    await write('Stayed at home');
    expect(await texts('walk')).toEqual(['A WALK in the rain', 'Walked by the river.']);
    expect(await texts('river WALK')).toEqual(['Walked by the river.']);
    expect(await texts('river rain')).toEqual([]);
    expect(await texts('walk -rain')).toEqual(['Walked by the river.']);
    expect(await texts('"stayed at home"')).toEqual(['Stayed at home']);
    expect(await texts('"home stayed"')).toEqual([]);
    expect(await texts('-walk')).toEqual(['Stayed at home']);
    expect(await texts('-"in the rain" walk')).toEqual(['Walked by the river.']);
  });

  it('finds a phrase across a line break', async () => {
    await write('by the\r\n  river');
    expect(await texts('"by the river"')).toHaveLength(1);
  });

  it.each([
    '%',
    '_',
    '\\',
    "'",
    '-',
    '!',
    '&',
    '(',
    ':*',
    'a%b',
    'a_b',
    '\\\\',
    "'; DROP TABLE entries",
    'x',
  ])('keeps %j unchanged', async (q) => {
    await write(`before ${q} after`);
    await write('nothing of it here?');
    expect(await texts(q)).toEqual([`before ${q} after`]);
  });

  it('finds quotes', async () => {
    await write('she said "hello"');
    await write('she said nothing');
    for (const q of ['"', '"hello"', '"hello', 'hello"'])
      expect([q, await texts(q)]).toEqual([q, ['she said "hello"']]);
  });

  it.each(['""', '"" ""', '-""', '"   "', '\u0301'])(
    'returns 200 without entries for %j, which has no search term',
    async (q) => {
      await write('of the and');
      expect(await search({ q })).toMatchObject({ entries: [], total: 0, nextCursor: null });
    },
  );

  it('finds what was written by any part of it', async () => {
    const unit = fc.oneof(
      { weight: 3, arbitrary: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 }) },
      fc.constantFrom('Straße', 'ΟΔΟΣ', 'İI', '%', '_', '\\', '"', '-', ' ', '\n', 'ﷺ', 'ǅ', 'ﬁ'),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(unit, { minLength: 1, maxLength: 6 }),
        fc.nat(),
        fc.nat(),
        async (parts, a, b) => {
          const text = parts.join('');
          fc.pre(text.trim() !== '' && !text.includes('\u0000') && text.isWellFormed());
          const id = await write(text);
          const words = text.split(/[\s"]+/).filter((word) => word !== '' && !word.startsWith('-'));
          const word = [...(words[a % Math.max(words.length, 1)] ?? '')];
          const part = word
            .slice(b % Math.max(word.length, 1))
            .join('')
            .slice(0, 200);
          fc.pre(foldText(part).trim() !== '' && !part.startsWith('-') && part.isWellFormed());
          const found = await searchAll({ q: part, limit: 100 });
          expect(found.map((each) => each.id)).toContain(id);
        },
      ),
      { numRuns: 150 },
    );
  }, 60_000);

  it('accepts any characters', async () => {
    await write('some text');
    const sign = fc.oneof(
      fc.constantFrom('-', ' -', 'a', 'word', '\u00a0', '\u3000', '🌧️', '"'),
      fc.string({ unit: fc.constantFrom(...Array.from('-"!&|():*\'\\<>.,+~@#/% _\t\n')), maxLength: 3 }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(sign, { minLength: 1, maxLength: 200 }), async (signs) => {
        const q = signs.join('').slice(0, 200);
        fc.pre(q.trim() !== '' && q.isWellFormed());
        expect((await ada.get(`/entries?${new URLSearchParams({ q }).toString()}`)).status).toBe(200);
      }),
      { numRuns: 200 },
    );
  }, 30_000);

  it.each(['', '   ', 'a\u0000b', 'x'.repeat(201)])('answers 400 to q=%j', async (q) => {
    expect(
      expectProblem(await ada.get(`/entries?${new URLSearchParams({ q }).toString()}`), 400).paths,
    ).toEqual(['q']);
  });

  it('returns 400 if q is repeated', async () => {
    expectProblem(await ada.get('/entries?q=a&q=b'), 400);
  });

  it('sorts the newest first, or as requested', async () => {
    const [third, first, second] = [
      await write('a river and much else', { occurredAt: '2026-03-03T00:00:00Z' }),
      await write('river river river', { occurredAt: '2026-03-01T00:00:00Z' }),
      await write('river river river', { occurredAt: '2026-03-02T00:00:00Z' }),
    ];
    const ids = async (parameters: object) =>
      (await search({ q: 'river', ...parameters })).entries.map(({ id }) => id);
    expect(await ids({})).toEqual([third, second, first]);
    expect(await ids({ sort: '-occurredAt' })).toEqual([third, second, first]);
    expect(await ids({ sort: 'occurredAt' })).toEqual([first, second, third]);
    expect(await ids({ sort: 'createdAt' })).toEqual([third, first, second]);
  });

  it('finds the new text after a patch, not the old one', async () => {
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

  it('excludes the trash, which has its own search', async () => {
    const id = await write('river');
    await ada.delete(`/entries/${id}`);
    expect(await texts('river')).toEqual([]);
    expect((await search({ q: 'river' }, '/entries/trash')).entries).toHaveLength(1);
  });

  it('finds nothing of another user', async () => {
    await write('river');
    expect((await search({ q: 'river' }, '/entries', await service.signUp())).total).toBe(0);
  });

  it('can be combined with the other filters', async () => {
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
  it('gives each of many matches once, the newest first', async () => {
    await writeMany(`'river ' || n`, 450);
    const found = await searchAll({ q: 'river', limit: 70 });
    expect(new Set(found.map(({ id }) => id)).size).toBe(450);
    const instants = found.map(({ occurredAt }) => occurredAt);
    expect(instants).toEqual([...instants].sort().reverse());
  });

  it('gives by number what it gives by cursor', async () => {
    await writeMany(`'river ' || n`, 430, '2020-01-01T00:00:00Z', '1 day');
    const found = (await searchAll({ q: 'river', limit: 30 })).map(({ id }) => id);
    for (const page of [1, 7, 14, 15, 16]) {
      const { entries } = await search({ q: 'river', limit: 30, page });
      expect(entries.map(({ id }) => id)).toEqual(found.slice((page - 1) * 30, page * 30));
    }
  });

  it('neither repeats nor skips while others are written and deleted', async () => {
    await writeMany(`'river ' || n`, 260);
    const before = new Set((await searchAll({ q: 'river', limit: 100 })).map(({ id }) => id));
    const seen: string[] = [];
    const gone = new Set<string>();
    let cursor: string | null = null;
    do {
      const page = await search({ q: 'river', limit: 25, ...(cursor !== null && { cursor }) });
      seen.push(...page.entries.map(({ id }) => id));
      cursor = page.nextCursor;
      await writeMany(`'river ' || n`, 3, '2020-01-09T00:00:00Z');
      await writeMany(`'river' || n`, 3, '2030-01-01T00:00:00Z');
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
    const made = Buffer.from(JSON.stringify([])).toString('base64url');
    for (const [q, cursor] of [
      ['sea', nextCursor!],
      ['river', made],
    ] as const) {
      const response = await ada.get(`/entries?q=${q}&limit=1&cursor=${cursor}`);
      expect(expectProblem(response, 400).paths).toEqual(['cursor']);
    }
  });

  it('counts no further than 1000', async () => {
    await writeMany(`'river'`, 1005);
    expect((await search({ q: 'river', limit: 1 })).total).toBe(1000);
    expect((await search({ q: 'river', limit: 1, mood: 2 })).total).toBe(101);
  });
});
