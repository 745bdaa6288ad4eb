import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startService, type TestService } from '../harness/http/service.js';
import type { ApiClient } from '../harness/http/client.js';
import { createEntry } from '../harness/entries/entries.js';
import { INSTANT, UUID_V7 } from '../harness/http/formats.js';
import { expectProblem } from '../harness/http/problem.js';

let service: TestService;
let ada: ApiClient;
beforeAll(async () => {
  service = await startService();
  ada = await service.signUp();
});
afterAll(() => service.close());

const write = (fields?: object) => createEntry(ada, fields);

describe('POST /entries', () => {
  it('returns 201 with the entry, its Location and its ETag', async () => {
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

  it('stores the entry: a read returns the same body', async () => {
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
    ['of 10 000 emoji, two UTF-16 units each', '😀'.repeat(10_000)],
    ['of one space', ' '],
    ['with line breaks, tabs and quotes', 'a\r\n\tb "c" \'d\' \\e'],
    [
      'with every control character but NUL',
      Array.from({ length: 31 }, (_, i) => String.fromCharCode(i + 1)).join(''),
    ],
    [
      'with combining and right-to-left characters',
      'e\u0301 \u202eabc\u202c \u{1f468}\u200d\u{1f469}\u200d\u{1f467}',
    ],
    ['with a Unicode non-character', 'a\uffffb'],
    ['that looks like JSON', '{"text":"\\u0000"}'],
    ['with SQL quotes', "'); DROP TABLE entries; --"],
    ['that is markup', '<script>alert(1)</script>'],
  ])('stores a text %s unchanged', async (_name, text) => {
    const entry = await write({ text });
    expect(entry.text).toBe(text);
    expect((await ada.get(`/entries/${entry.id}`)).body.text).toBe(text);
  });

  it.each([1, 10])('accepts mood %d', async (mood) => {
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

  it('stores two spellings of an accented letter as one tag', async () => {
    const entry = await write({ tags: ['caf\u00e9', 'cafe\u0301'] });
    expect(entry.tags).toEqual(['caf\u00e9']);
  });

  it('accepts 20 tags of 50 characters, and a category of 50', async () => {
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
  ])('stores occurredAt %s as %s', async (occurredAt, utc) => {
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
    ['a text of 10 001 emoji', { text: '😀'.repeat(10_001), mood: 5 }, ['text']],
    ['a text with a NUL', { text: 'a\u0000b', mood: 5 }, ['text']],
    ['a text with a lone high surrogate', { text: 'a\ud83d', mood: 5 }, ['text']],
    ['a text with a lone low surrogate', { text: '\ude00a', mood: 5 }, ['text']],
    ['a text that is a number', { text: 1, mood: 5 }, ['text']],
    ['a text that is null', { text: null, mood: 5 }, ['text']],
    ['no text', { mood: 5 }, ['text']],
    ['a category of spaces', { text, mood: 5, category: '  ' }, ['category']],
    ['a category of 51 characters', { text, mood: 5, category: 'x'.repeat(51) }, ['category']],
    ['a category with a NUL', { text, mood: 5, category: 'a\u0000' }, ['category']],
    ['a category that is null', { text, mood: 5, category: null }, ['category']],
    ['tags that are a string', { text, mood: 5, tags: 'river' }, ['tags']],
    ['21 tags', { text, mood: 5, tags: Array.from({ length: 21 }, (_, i) => `tag ${i}`) }, ['tags']],
    ['an empty tag', { text, mood: 5, tags: ['river', ''] }, ['tags.1']],
    ['a tag of 51 characters', { text, mood: 5, tags: ['x'.repeat(51)] }, ['tags.0']],
    ['a tag with a lone surrogate', { text, mood: 5, tags: ['\ud800'] }, ['tags.0']],
    ['a tag that is null', { text, mood: 5, tags: [null] }, ['tags.0']],
    ['an occurredAt that is not an instant', { text, mood: 5, occurredAt: 'yesterday' }, ['occurredAt']],
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
    ['three invalid fields', { text: '', mood: 11, tags: [''] }, ['text', 'mood', 'tags.0']],
    ['an empty object', {}, ['text', 'mood']],
    ['null', null, ['']],
    ['an array', [{ text, mood: 5 }], ['']],
    ['a string', '"text"', ['']],
    ['a number', '5', ['']],
    ['nothing', undefined, ['']],
  ])('returns 422 for %s', async (_name, body, paths) => {
    expect(expectProblem(await ada.post('/entries', body), 422).paths).toEqual(paths);
  });

  it('lists at most 100 invalid fields', async () => {
    const unknown = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`field${i}`, i]));
    expect(expectProblem(await ada.post('/entries', unknown), 422).errors).toHaveLength(100);
  });

  it('creates nothing when it returns 422', async () => {
    const carol = await service.signUp();
    await carol.post('/entries', { text: 'a', mood: 11 });
    expect((await carol.get('/entries')).body.total).toBe(0);
  });
});
