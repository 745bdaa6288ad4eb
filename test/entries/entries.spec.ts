import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startApp, type TestApp } from '../harness/app.js';
import type { ApiClient } from '../harness/client.js';
import { statusOfHeaderLines } from '../harness/header-lines.js';
import { expectProblem } from '../harness/problem.js';

const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

let service: TestApp;
let ada: ApiClient;
let bob: ApiClient;
beforeAll(async () => {
  service = await startApp();
  [ada, bob] = await Promise.all([service.signUp(), service.signUp()]);
});
afterAll(() => service.close());

/** An entry of Ada's, as it was answered. */
async function write(fields: object = {}) {
  const { status, body } = await ada.post('/entries', { text: 'Walked by the river.', mood: 7, ...fields });
  expect(status).toBe(201);
  return body;
}

describe('POST /entries', () => {
  it('answers 201 with the entry, its place and its version', async () => {
    const { status, headers, body } = await ada.post('/entries', { text: 'Walked by the river.', mood: 7 });
    expect(status).toBe(201);
    expect(headers.get('content-type')).toBe('application/json; charset=utf-8');
    expect(headers.get('location')).toBe(`/entries/${body.id}`);
    expect(headers.get('etag')).toBe('"1"');
    expect(body).toEqual({
      id: expect.stringMatching(UUID_V7),
      text: 'Walked by the river.',
      mood: 7,
      category: 'general',
      tags: [],
      occurredAt: body.createdAt,
      createdAt: expect.stringMatching(INSTANT),
      updatedAt: body.createdAt,
      version: 1,
    });
    // In UTC; the clocks of service and database may differ a little.
    expect(Math.abs(Date.parse(body.createdAt) - Date.now())).toBeLessThan(60_000);
  });

  it('keeps the entry: it is read back as it was answered', async () => {
    const entry = await write({
      category: 'health',
      tags: ['river'],
      occurredAt: '2026-03-01T08:30:00.000Z',
    });
    expect((await ada.get(`/entries/${entry.id}`)).body).toEqual(entry);
  });

  it.each([
    ['of 1 character', 'x'],
    ['of 10 000 characters', 'x'.repeat(10_000)],
    ['of 10 000 characters of two UTF-16 units each', '😀'.repeat(10_000)],
    ['of a blank', ' '],
    ['with line breaks, tabs and quotes', 'a\r\n\tb "c" \'d\' \\e'],
    [
      'with every control character but NUL',
      Array.from({ length: 31 }, (_, i) => String.fromCharCode(i + 1)).join(''),
    ],
    [
      'with combining and right-to-left characters',
      'e\u0301 \u202eabc\u202c \u{1f468}\u200d\u{1f469}\u200d\u{1f467}',
    ],
    ['with a non-character', 'a\uffffb'],
    ['that looks like JSON', '{"text":"\\u0000"}'],
    ["that has SQL's quotes", "'); DROP TABLE entries; --"],
    ['that is markup', '<script>alert(1)</script>'],
  ])('keeps a text %s as it is', async (_name, text) => {
    const entry = await write({ text });
    expect(entry.text).toBe(text);
    expect((await ada.get(`/entries/${entry.id}`)).body.text).toBe(text);
  });

  it.each([1, 10])('takes mood %d', async (mood) => {
    expect((await write({ mood })).mood).toBe(mood);
  });

  it('trims and lower-cases category and tags, and sorts the tags and lists each once', async () => {
    const entry = await write({
      category: ' Deep Work ',
      tags: ['River', 'alps', ' river ', 'ÄPFEL', 'Alps'],
    });
    expect(entry.category).toBe('deep work');
    expect(entry.tags).toEqual(['alps', 'river', 'äpfel']);
  });

  it('takes the two ways to write one accented letter for one tag', async () => {
    const entry = await write({ tags: ['caf\u00e9', 'cafe\u0301'] });
    expect(entry.tags).toEqual(['caf\u00e9']);
  });

  it('takes 20 tags of 50 characters, and a category of 50', async () => {
    const tags = Array.from({ length: 20 }, (_, i) => String(i).padStart(2, '0').padEnd(50, 'x'));
    const entry = await write({ tags, category: 'c'.repeat(50) });
    expect(entry).toMatchObject({ tags, category: 'c'.repeat(50) });
  });

  it.each([
    ['2026-03-01T08:30:00Z', '2026-03-01T08:30:00.000Z'],
    ['2026-03-01T08:30:00.5Z', '2026-03-01T08:30:00.500Z'],
    ['2026-03-01T08:30:00.123456Z', '2026-03-01T08:30:00.123Z'],
    ['2026-03-01T08:30:00+05:30', '2026-03-01T03:00:00.000Z'],
    ['2024-02-29T23:59:59.999-01:00', '2024-03-01T00:59:59.999Z'],
    ['0001-01-01T00:00:00Z', '0001-01-01T00:00:00.000Z'],
    ['0999-12-31T00:00:00Z', '0999-12-31T00:00:00.000Z'],
    ['1969-12-31T23:59:59.999Z', '1969-12-31T23:59:59.999Z'],
    ['9999-12-31T23:59:59.999Z', '9999-12-31T23:59:59.999Z'],
  ])('takes occurredAt %s for %s', async (occurredAt, utc) => {
    const entry = await write({ occurredAt });
    expect(entry.occurredAt).toBe(utc);
    expect((await ada.get(`/entries/${entry.id}`)).body.occurredAt).toBe(utc);
  });

  const text = 'Walked by the river.';
  it.each<[string, unknown, string[]]>([
    ['mood 0', { text, mood: 0 }, ['mood']],
    ['mood 11', { text, mood: 11 }, ['mood']],
    ['mood 5.5', { text, mood: 5.5 }, ['mood']],
    ['mood "5"', { text, mood: '5' }, ['mood']],
    ['mood true', { text, mood: true }, ['mood']],
    ['mood null', { text, mood: null }, ['mood']],
    ['mood -1', { text, mood: -1 }, ['mood']],
    ['mood 1e300', { text, mood: 1e300 }, ['mood']],
    ['no mood', { text }, ['mood']],
    ['an empty text', { text: '', mood: 5 }, ['text']],
    ['a text of 10 001 characters', { text: 'x'.repeat(10_001), mood: 5 }, ['text']],
    [
      'a text of 10 001 characters of two UTF-16 units each',
      { text: '😀'.repeat(10_001), mood: 5 },
      ['text'],
    ],
    ['a text with a NUL', { text: 'a\u0000b', mood: 5 }, ['text']],
    ['a text with a lone high surrogate', { text: 'a\ud83d', mood: 5 }, ['text']],
    ['a text with a lone low surrogate', { text: '\ude00a', mood: 5 }, ['text']],
    ['a text that is a number', { text: 1, mood: 5 }, ['text']],
    ['a text that is null', { text: null, mood: 5 }, ['text']],
    ['no text', { mood: 5 }, ['text']],
    ['a category of blanks', { text, mood: 5, category: '  ' }, ['category']],
    ['a category of 51 characters', { text, mood: 5, category: 'x'.repeat(51) }, ['category']],
    ['a category with a NUL', { text, mood: 5, category: 'a\u0000' }, ['category']],
    ['a category that is null', { text, mood: 5, category: null }, ['category']],
    ['tags that are a string', { text, mood: 5, tags: 'river' }, ['tags']],
    ['21 tags', { text, mood: 5, tags: Array.from({ length: 21 }, (_, i) => `tag ${i}`) }, ['tags']],
    ['an empty tag', { text, mood: 5, tags: ['river', ''] }, ['tags.1']],
    ['a tag of 51 characters', { text, mood: 5, tags: ['x'.repeat(51)] }, ['tags.0']],
    ['a tag with a lone surrogate', { text, mood: 5, tags: ['\ud800'] }, ['tags.0']],
    ['a tag that is null', { text, mood: 5, tags: [null] }, ['tags.0']],
    ['an occurredAt that is no instant', { text, mood: 5, occurredAt: 'yesterday' }, ['occurredAt']],
    ['an occurredAt without a zone', { text, mood: 5, occurredAt: '2026-03-01T08:30:00' }, ['occurredAt']],
    ['an occurredAt that is a date', { text, mood: 5, occurredAt: '2026-03-01' }, ['occurredAt']],
    ['an occurredAt that is a number', { text, mood: 5, occurredAt: 1772354400000 }, ['occurredAt']],
    ['a day that does not exist', { text, mood: 5, occurredAt: '2026-02-29T08:30:00Z' }, ['occurredAt']],
    ['an hour that does not exist', { text, mood: 5, occurredAt: '2026-03-01T24:30:00Z' }, ['occurredAt']],
    ['the year 0', { text, mood: 5, occurredAt: '0000-12-31T08:30:00Z' }, ['occurredAt']],
    [
      'an instant in the year 10000',
      { text, mood: 5, occurredAt: '9999-12-31T23:59:59-01:00' },
      ['occurredAt'],
    ],
    ['an occurredAt that is null', { text, mood: 5, occurredAt: null }, ['occurredAt']],
    ['an unknown field', { text, mood: 5, colour: 'blue' }, ['colour']],
    ['the id of the entry', { text, mood: 5, id: randomUUID() }, ['id']],
    ['the owner of the entry', { text, mood: 5, userId: randomUUID() }, ['userId']],
    ['the version of the entry', { text, mood: 5, version: 7 }, ['version']],
    ['many faults at once', { text: '', mood: 11, tags: [''] }, ['text', 'mood', 'tags.0']],
    ['an object without anything', {}, ['text', 'mood']],
    ['null', null, ['']],
    ['an array', [{ text, mood: 5 }], ['']],
    ['a string', '"text"', ['']],
    ['a number', '5', ['']],
    ['nothing', undefined, ['']],
  ])('answers 422 to %s', async (_name, body, paths) => {
    expect(expectProblem(await ada.post('/entries', body), 422).paths).toEqual(paths);
  });

  it('names at most 100 faults', async () => {
    const unknown = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`field${i}`, i]));
    expect(expectProblem(await ada.post('/entries', unknown), 422).errors).toHaveLength(100);
  });

  it('writes nothing when it refuses', async () => {
    const carol = await service.signUp();
    await carol.post('/entries', { text: 'a', mood: 11 });
    expect((await carol.get('/entries')).body.total).toBe(0);
  });
});

describe('GET /entries/:id', () => {
  it('answers 200 with the entry and its version', async () => {
    const entry = await write();
    const { status, headers, body } = await ada.get(`/entries/${entry.id}`);
    expect(status).toBe(200);
    expect(headers.get('content-type')).toBe('application/json; charset=utf-8');
    expect(headers.get('etag')).toBe('"1"');
    expect(body).toEqual(entry);
  });

  it('takes an id in capitals', async () => {
    const entry = await write();
    expect((await ada.get(`/entries/${String(entry.id).toUpperCase()}`)).body).toEqual(entry);
  });

  it('answers HEAD alike, without a body', async () => {
    const entry = await write();
    const { status, headers, text } = await ada.request('HEAD', `/entries/${entry.id}`);
    expect({ status, text, etag: headers.get('etag') }).toEqual({ status: 200, text: '', etag: '"1"' });
  });

  it('answers 404 to an id that nobody has', async () => {
    expectProblem(await ada.get(`/entries/${randomUUID()}`), 404);
  });

  it.each([
    'abc',
    '1',
    '%20',
    '%00',
    'null',
    '..%2fusers',
    "'%20OR%20true",
    '00000000-0000-0000-0000-00000000000g',
    '0'.repeat(36),
    'x'.repeat(199),
  ])('answers 400 to the id %s, which is no UUID', async (id) => {
    expect(expectProblem(await ada.get(`/entries/${id}`), 400).paths).toEqual(['id']);
    expectProblem(await ada.patch(`/entries/${id}`, { mood: 5 }), 400);
    expectProblem(await ada.delete(`/entries/${id}`), 400);
    expectProblem(await ada.post(`/entries/${id}/restore`), 400);
  });

  it.each([
    ['the version', '"1"'],
    ['the version, weakly', 'W/"1"'],
    ['a list with the version', '"7", W/"1" , "9"'],
    ['any version', '*'],
  ])('answers 304 without a body to If-None-Match with %s', async (_name, header) => {
    const entry = await write();
    const { status, text, headers } = await ada.get(`/entries/${entry.id}`, { 'if-none-match': header });
    expect({ status, text, etag: headers.get('etag') }).toEqual({ status: 304, text: '', etag: '"1"' });
    expect(headers.has('content-type')).toBe(false);
  });

  it.each([
    ['another version', '"2"'],
    ['a longer version', '"11"'],
    ['a list without the version', '"2", "3"'],
    ['an unquoted version', '1'],
    ['an empty value', ''],
    ['a list that is broken off', '"1", "'],
    ['a weak tag of a small w', 'w/"1"'],
  ])('answers 200 to If-None-Match with %s', async (_name, header) => {
    const entry = await write();
    expect((await ada.get(`/entries/${entry.id}`, { 'if-none-match': header })).body).toEqual(entry);
  });

  it('answers 200 to If-None-Match with the version before the last change', async () => {
    const entry = await write();
    await ada.patch(`/entries/${entry.id}`, { mood: 3 });
    const { status, body } = await ada.get(`/entries/${entry.id}`, { 'if-none-match': '"1"' });
    expect(status).toBe(200);
    expect(body.mood).toBe(3);
  });

  it('answers 304 as 200 is answered, but for what tells of the body', async () => {
    const { id } = await write();
    const told = (headers: Headers) =>
      [...headers.keys()]
        .filter((name) => !/^content-(type|length)$|^date$|^x-request-id$/.test(name))
        .sort();
    const full = await ada.get(`/entries/${id}`);
    const { status, headers } = await ada.get(`/entries/${id}`, { 'if-none-match': '"1"' });
    expect(status).toBe(304);
    expect(told(headers)).toEqual(told(full.headers));
    for (const name of ['etag', 'cache-control', 'vary']) {
      expect([name, headers.get(name)]).toEqual([name, full.headers.get(name)]);
    }
  });

  it('answers HEAD with 304 and 412 as it answers GET', async () => {
    const { id } = await write();
    const head = async (headers: Record<string, string>) =>
      (await ada.request('HEAD', `/entries/${id}`, { headers })).status;
    expect(await head({ 'if-none-match': 'W/"1"' })).toBe(304);
    expect(await head({ 'if-none-match': '"2"' })).toBe(200);
    expect(await head({ 'if-match': '"2"' })).toBe(412);
  });

  it.each([
    ['"1"', 200],
    ['"2", "1"', 200],
    ['*', 200],
    ['"2"', 412],
    ['W/"1"', 412],
  ])('answers If-Match: %s with %d, If-Match first', async (header, status) => {
    const { id } = await write();
    expect((await ada.get(`/entries/${id}`, { 'if-match': header })).status).toBe(status);
    const both = await ada.get(`/entries/${id}`, { 'if-match': header, 'if-none-match': '"1"' });
    expect(both.status).toBe(status === 200 ? 304 : 412);
  });

  it('answers 404 to If-None-Match: * on an entry that is not there', async () => {
    expectProblem(await ada.get(`/entries/${randomUUID()}`, { 'if-none-match': '*' }), 404);
  });

  it('shows a change at once, however often it was read before', async () => {
    const entry = await write();
    for (let mood = 1; mood <= 10; mood++) {
      await Promise.all([ada.get(`/entries/${entry.id}`), ada.get(`/entries/${entry.id}`)]);
      await ada.patch(`/entries/${entry.id}`, { mood });
      expect((await ada.get(`/entries/${entry.id}`)).body.mood).toBe(mood);
    }
  });
});

describe('PATCH /entries/:id', () => {
  it.each([
    ['text', 'Stayed in.'],
    ['mood', 2],
    ['category', 'home'],
    ['tags', ['sofa', 'tea']],
    ['occurredAt', '2026-01-02T03:04:05.678Z'],
  ])('changes %s alone, and the version', async (field, value) => {
    const entry = await write({
      category: 'health',
      tags: ['river'],
      occurredAt: '2026-03-01T08:30:00.000Z',
    });
    const { status, headers, body } = await ada.patch(`/entries/${entry.id}`, { [field]: value });
    expect(status).toBe(200);
    expect(headers.get('etag')).toBe('"2"');
    expect(body).toEqual({ ...entry, [field]: value, version: 2, updatedAt: expect.stringMatching(INSTANT) });
    expect(body.updatedAt >= entry.updatedAt).toBe(true);
    expect((await ada.get(`/entries/${entry.id}`)).body).toEqual(body);
  });

  it('moves updatedAt and leaves createdAt', async () => {
    const entry = await write();
    await service.database.query(
      "UPDATE entries SET created_at = '2020-01-01Z', updated_at = '2020-01-01Z' WHERE id = $1",
      [entry.id],
    );
    const { body } = await ada.patch(`/entries/${entry.id}`, { mood: 1 });
    expect(body.createdAt).toBe('2020-01-01T00:00:00.000Z');
    expect(body.updatedAt >= entry.updatedAt).toBe(true);
  });

  it('takes the tags away when they are empty', async () => {
    const entry = await write({ tags: ['river'] });
    expect((await ada.patch(`/entries/${entry.id}`, { tags: [] })).body.tags).toEqual([]);
  });

  it('does not give what is left out its default', async () => {
    const entry = await write({ category: 'health', tags: ['river'] });
    const { body } = await ada.patch(`/entries/${entry.id}`, { text: 'Stayed in.' });
    expect(body).toMatchObject({ category: 'health', tags: ['river'], occurredAt: entry.occurredAt });
  });

  it('trims, lower-cases and sorts as a new entry has it', async () => {
    const entry = await write();
    const { body } = await ada.patch(`/entries/${entry.id}`, {
      category: ' HOME ',
      tags: ['Tea', 'sofa', 'tea'],
    });
    expect(body).toMatchObject({ category: 'home', tags: ['sofa', 'tea'] });
  });

  it('changes nothing when nothing is sent: not the version, not updatedAt', async () => {
    const entry = await write();
    const { status, headers, body } = await ada.patch(`/entries/${entry.id}`, {});
    expect({ status, etag: headers.get('etag') }).toEqual({ status: 200, etag: '"1"' });
    expect(body).toEqual(entry);
    expect((await ada.get(`/entries/${entry.id}`)).body).toEqual(entry);
  });

  it('answers 404 to an empty patch of an entry that is not there', async () => {
    expectProblem(await ada.patch(`/entries/${randomUUID()}`, {}), 404);
  });

  it.each<[string, unknown, string[]]>([
    ['mood 0', { mood: 0 }, ['mood']],
    ['mood 11', { mood: 11 }, ['mood']],
    ['mood 5.5', { mood: 5.5 }, ['mood']],
    ['mood "5"', { mood: '5' }, ['mood']],
    ['mood null', { mood: null }, ['mood']],
    ['an empty text', { text: '' }, ['text']],
    ['a text of 10 001 characters', { text: 'x'.repeat(10_001) }, ['text']],
    ['a text with a NUL', { text: 'a\u0000b' }, ['text']],
    ['a text with a lone surrogate', { text: 'a\ud800' }, ['text']],
    ['a text that is null', { text: null }, ['text']],
    ['tags that are null', { tags: null }, ['tags']],
    ['an occurredAt that is null', { occurredAt: null }, ['occurredAt']],
    ['a good field beside a bad one', { text: 'Stayed in.', mood: 11 }, ['mood']],
    ['an unknown field', { colour: 'blue' }, ['colour']],
    ['another owner', { userId: randomUUID() }, ['userId']],
    ['another version', { version: 9 }, ['version']],
    ['another createdAt', { createdAt: '2020-01-01T00:00:00.000Z' }, ['createdAt']],
    ['null', null, ['']],
    ['an array', [{ mood: 5 }], ['']],
    ['nothing', undefined, ['']],
  ])('answers 422 to %s and changes nothing', async (_name, patch, paths) => {
    const entry = await write();
    expect(expectProblem(await ada.patch(`/entries/${entry.id}`, patch), 422).paths).toEqual(paths);
    expect((await ada.get(`/entries/${entry.id}`)).body).toEqual(entry);
  });

  describe('with If-Match', () => {
    it.each([
      ['the version', '"1"'],
      ['a list with the version', '"7","1"'],
      ['any version', '*'],
    ])('changes the entry for %s', async (_name, header) => {
      const entry = await write();
      const { status, body } = await ada.patch(`/entries/${entry.id}`, { mood: 1 }, { 'if-match': header });
      expect(status).toBe(200);
      expect(body).toMatchObject({ mood: 1, version: 2 });
    });

    it.each([
      ['another version', '"2"'],
      ['a list without the version', '"2", "3"'],
      ['the version as a weak tag, which never matches', 'W/"1"'],
      ['the version with a zero before it', '"01"'],
      ['what is no tag', '1'],
      ['a weak tag of a small w, which is no tag', 'w/"1"'],
      ['a list that has the version, and more that is no tag', '"1", x'],
      ['the version and a star', '"1", *'],
      ['a number beyond every version', '"99999999999999999999"'],
      ['a number that is no integer of PostgreSQL', '"2147483648"'],
    ])('answers 412 to %s and changes nothing', async (_name, header) => {
      const entry = await write();
      for (const patch of [{ mood: 1 }, {}]) {
        expectProblem(await ada.patch(`/entries/${entry.id}`, patch, { 'if-match': header }), 412);
      }
      expect((await ada.get(`/entries/${entry.id}`)).body).toEqual(entry);
    });

    it('takes a list in two header lines for one list', async () => {
      const { id } = await write();
      const patch = (values: string[]) =>
        statusOfHeaderLines(ada, 'PATCH', `/entries/${id}`, 'if-match', values, { mood: 1 });
      expect(await patch(['"7"', '"8"'])).toBe(412);
      expect(await patch(['"7"', '"1"'])).toBe(200);
    });

    it('answers 404, not 412, to an entry that is not there', async () => {
      expectProblem(await ada.patch(`/entries/${randomUUID()}`, { mood: 1 }, { 'if-match': '"1"' }), 404);
    });

    it('answers 412 once the entry was changed', async () => {
      const entry = await write();
      await ada.patch(`/entries/${entry.id}`, { mood: 2 });
      expectProblem(await ada.patch(`/entries/${entry.id}`, { mood: 3 }, { 'if-match': '"1"' }), 412);
      const { status } = await ada.patch(`/entries/${entry.id}`, { mood: 3 }, { 'if-match': '"2"' });
      expect(status).toBe(200);
    });

    it('lets one of ten at the same instant through', async () => {
      const entry = await write();
      const answers = await Promise.all(
        Array.from({ length: 10 }, (_, i) =>
          ada.patch(`/entries/${entry.id}`, { mood: i + 1 }, { 'if-match': '"1"' }),
        ),
      );
      const won = answers.filter(({ status }) => status === 200);
      expect(won).toHaveLength(1);
      for (const lost of answers.filter(({ status }) => status !== 200)) expectProblem(lost, 412);
      expect((await ada.get(`/entries/${entry.id}`)).body).toEqual(won[0]!.body);
    });
  });

  describe('with If-None-Match', () => {
    it.each(['"1"', 'W/"1"', '"7", "1"', '*'])('answers 412 to %s and changes nothing', async (header) => {
      const entry = await write();
      for (const patch of [{ mood: 1 }, {}]) {
        expectProblem(await ada.patch(`/entries/${entry.id}`, patch, { 'if-none-match': header }), 412);
      }
      expect((await ada.get(`/entries/${entry.id}`)).body).toEqual(entry);
    });

    it.each(['"2"', 'W/"2", "3"', ''])('changes the entry for %j, which it does not have', async (header) => {
      const { id } = await write();
      const { status, body } = await ada.patch(`/entries/${id}`, { mood: 1 }, { 'if-none-match': header });
      expect({ status, version: body.version }).toEqual({ status: 200, version: 2 });
    });

    it('answers 404, not 412, to an entry that is not there', async () => {
      const path = `/entries/${randomUUID()}`;
      expectProblem(await ada.patch(path, { mood: 1 }, { 'if-none-match': '*' }), 404);
    });
  });

  it('loses none of 30 patches of different fields at the same instant, and counts each', async () => {
    const entry = await write();
    const last = { text: 'the last text', mood: 10, category: 'last', tags: ['last'] } as const;
    const fields = Object.keys(last) as (keyof typeof last)[];
    const answers = await Promise.all(
      Array.from({ length: 30 }, (_, i) => {
        const field = fields[i % fields.length]!;
        return ada.patch(`/entries/${entry.id}`, { [field]: last[field] });
      }),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array(30).fill(200));
    const versions = answers.map(({ body }) => Number(body.version)).sort((a, b) => a - b);
    expect(versions).toEqual(Array.from({ length: 30 }, (_, i) => i + 2));
    expect((await ada.get(`/entries/${entry.id}`)).body).toMatchObject({ ...last, version: 31 });
  });

  it('answers each of many patches of one field with a state that no other patch was given', async () => {
    const entry = await write();
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, i) => ada.patch(`/entries/${entry.id}`, { text: `text ${i}` })),
    );
    answers.forEach(({ body }, i) => expect(body.text).toBe(`text ${i}`));
    const newest = answers.map(({ body }) => body).find(({ version }) => version === 11);
    expect((await ada.get(`/entries/${entry.id}`)).body).toEqual(newest);
  });
});

describe("another user's entry", () => {
  it('is 404 for each call, as one that is not there, and stays as it is', async () => {
    const entry = await write({ text: 'mine' });
    const path = `/entries/${entry.id}`;
    await ada.get(path);
    const answers = [
      await bob.get(path),
      await bob.get(path, { 'if-none-match': '*' }),
      await bob.patch(path, { text: 'yours' }),
      await bob.patch(path, {}),
      await bob.patch(path, { text: 'yours' }, { 'if-match': '"1"' }),
      await bob.patch(path, { text: 'yours' }, { 'if-match': '"9"' }),
      await bob.delete(path),
      await bob.delete(path, { 'if-match': '*' }),
      await bob.post(`${path}/restore`),
    ];
    for (const answer of answers) {
      expectProblem(answer, 404);
      expect(answer.text).not.toContain('mine');
      expect(answer.headers.has('etag')).toBe(false);
    }
    const absent = await bob.get(`/entries/${randomUUID()}`);
    expect(answers[0]!.body.detail).toBe(absent.body.detail);
    expect((await ada.get(path)).body).toEqual(entry);
    const [row] = await service.database.query<{ same: boolean }>(
      'SELECT deleted_at IS NULL AND version = 1 AND user_id = $2 AS same FROM entries WHERE id = $1',
      [entry.id, ada.account.userId],
    );
    expect(row).toEqual({ same: true });
  });

  it('cannot be taken out of the trash by another', async () => {
    const entry = await write();
    await ada.delete(`/entries/${entry.id}`);
    expectProblem(await bob.post(`/entries/${entry.id}/restore`), 404);
    expectProblem(await ada.get(`/entries/${entry.id}`), 404);
  });

  it('is in no list of another', async () => {
    const carol = await service.signUp();
    await write();
    for (const path of ['/entries', '/entries?category=general', '/entries/trash']) {
      expect((await carol.get(path)).body).toMatchObject({ entries: [], total: 0 });
    }
  });
});
