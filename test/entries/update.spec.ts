import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startService, type TestService } from '../harness/http/service.js';
import type { ApiClient } from '../harness/http/client.js';
import { createEntry } from '../harness/entries/entries.js';
import { INSTANT } from '../harness/http/formats.js';
import { statusOfHeaderLines } from '../harness/http/header-lines.js';
import { expectProblem } from '../harness/http/problem.js';

let service: TestService;
let ada: ApiClient;
beforeAll(async () => {
  service = await startService();
  ada = await service.signUp();
});
afterAll(() => service.close());

const write = (fields?: object) => createEntry(ada, fields);

describe('PATCH /entries/:id', () => {
  it.each([
    ['text', 'Stayed in.'],
    ['mood', 2],
    ['category', 'home'],
    ['tags', ['sofa', 'tea']],
    ['occurredAt', '2026-01-02T03:04:05.678Z'],
  ])('changes only %s and the version', async (field, value) => {
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

  it('changes updatedAt and keeps createdAt', async () => {
    const entry = await write();
    await service.database.query(
      "UPDATE entries SET created_at = '2020-01-01Z', updated_at = '2020-01-01Z' WHERE id = $1",
      [entry.id],
    );
    const { body } = await ada.patch(`/entries/${entry.id}`, { mood: 1 });
    expect(body.createdAt).toBe('2020-01-01T00:00:00.000Z');
    expect(body.updatedAt >= entry.updatedAt).toBe(true);
  });

  it('removes all tags when tags is empty', async () => {
    const entry = await write({ tags: ['river'] });
    expect((await ada.patch(`/entries/${entry.id}`, { tags: [] })).body.tags).toEqual([]);
  });

  it('does not set an omitted field to its default', async () => {
    const entry = await write({ category: 'health', tags: ['river'] });
    const { body } = await ada.patch(`/entries/${entry.id}`, { text: 'Stayed in.' });
    expect(body).toMatchObject({ category: 'health', tags: ['river'], occurredAt: entry.occurredAt });
  });

  it('trims, lower-cases and sorts as POST does', async () => {
    const entry = await write();
    const { body } = await ada.patch(`/entries/${entry.id}`, {
      category: ' HOME ',
      tags: ['Tea', 'sofa', 'tea'],
    });
    expect(body).toMatchObject({ category: 'home', tags: ['sofa', 'tea'] });
  });

  it('changes nothing for an empty patch, neither version nor updatedAt', async () => {
    const entry = await write();
    const { status, headers, body } = await ada.patch(`/entries/${entry.id}`, {});
    expect({ status, etag: headers.get('etag') }).toEqual({ status: 200, etag: '"1"' });
    expect(body).toEqual(entry);
    expect((await ada.get(`/entries/${entry.id}`)).body).toEqual(entry);
  });

  it('returns 404 for an empty patch of an unknown entry', async () => {
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
    ['a valid field next to an invalid one', { text: 'Stayed in.', mood: 11 }, ['mood']],
    ['an unknown field', { colour: 'blue' }, ['colour']],
    ['another owner', { userId: randomUUID() }, ['userId']],
    ['another version', { version: 9 }, ['version']],
    ['another createdAt', { createdAt: '2020-01-01T00:00:00.000Z' }, ['createdAt']],
    ['null', null, ['']],
    ['an array', [{ mood: 5 }], ['']],
    ['nothing', undefined, ['']],
  ])('returns 422 for %s and changes nothing', async (_name, patch, paths) => {
    const entry = await write();
    expect(expectProblem(await ada.patch(`/entries/${entry.id}`, patch), 422).paths).toEqual(paths);
    expect((await ada.get(`/entries/${entry.id}`)).body).toEqual(entry);
  });

  describe('with If-Match', () => {
    it.each([
      ['the version', '"1"'],
      ['a list with the version', '"7","1"'],
      ['a star', '*'],
    ])('changes the entry when it has %s', async (_name, header) => {
      const entry = await write();
      const { status, body } = await ada.patch(`/entries/${entry.id}`, { mood: 1 }, { 'if-match': header });
      expect(status).toBe(200);
      expect(body).toMatchObject({ mood: 1, version: 2 });
    });

    it.each([
      ['another version', '"2"'],
      ['a list without the version', '"2", "3"'],
      ['the version as a weak tag, which never matches', 'W/"1"'],
      ['the version with a leading zero', '"01"'],
      ['an unquoted version', '1'],
      ['a weak tag with a lower-case w, which is invalid', 'w/"1"'],
      ['a list of the version and something invalid', '"1", x'],
      ['the version and a star', '"1", *'],
      ['a number larger than any version', '"99999999999999999999"'],
      ['a number larger than a PostgreSQL integer', '"2147483648"'],
    ])('returns 412 for %s and changes nothing', async (_name, header) => {
      const entry = await write();
      for (const patch of [{ mood: 1 }, {}]) {
        expectProblem(await ada.patch(`/entries/${entry.id}`, patch, { 'if-match': header }), 412);
      }
      expect((await ada.get(`/entries/${entry.id}`)).body).toEqual(entry);
    });

    it('reads two header lines as one list', async () => {
      const { id } = await write();
      const patch = (values: string[]) =>
        statusOfHeaderLines(ada, 'PATCH', `/entries/${id}`, 'if-match', values, { mood: 1 });
      expect(await patch(['"7"', '"8"'])).toBe(412);
      expect(await patch(['"7"', '"1"'])).toBe(200);
    });

    it('returns 404, not 412, for an unknown entry', async () => {
      expectProblem(await ada.patch(`/entries/${randomUUID()}`, { mood: 1 }, { 'if-match': '"1"' }), 404);
    });

    it('returns 412 after the entry has changed', async () => {
      const entry = await write();
      await ada.patch(`/entries/${entry.id}`, { mood: 2 });
      expectProblem(await ada.patch(`/entries/${entry.id}`, { mood: 3 }, { 'if-match': '"1"' }), 412);
      const { status } = await ada.patch(`/entries/${entry.id}`, { mood: 3 }, { 'if-match': '"2"' });
      expect(status).toBe(200);
    });

    it('lets one of ten concurrent patches succeed', async () => {
      const entry = await write();
      const responses = await Promise.all(
        Array.from({ length: 10 }, (_, i) =>
          ada.patch(`/entries/${entry.id}`, { mood: i + 1 }, { 'if-match': '"1"' }),
        ),
      );
      const won = responses.filter(({ status }) => status === 200);
      expect(won).toHaveLength(1);
      for (const lost of responses.filter(({ status }) => status !== 200)) expectProblem(lost, 412);
      expect((await ada.get(`/entries/${entry.id}`)).body).toEqual(won[0]!.body);
    });
  });

  describe('with If-None-Match', () => {
    it.each(['"1"', 'W/"1"', '"7", "1"', '*'])('returns 412 for %s and changes nothing', async (header) => {
      const entry = await write();
      for (const patch of [{ mood: 1 }, {}]) {
        expectProblem(await ada.patch(`/entries/${entry.id}`, patch, { 'if-none-match': header }), 412);
      }
      expect((await ada.get(`/entries/${entry.id}`)).body).toEqual(entry);
    });

    it.each(['"2"', 'W/"2", "3"', ''])('changes the entry for %j, which does not match', async (header) => {
      const { id } = await write();
      const { status, body } = await ada.patch(`/entries/${id}`, { mood: 1 }, { 'if-none-match': header });
      expect({ status, version: body.version }).toEqual({ status: 200, version: 2 });
    });

    it('returns 404, not 412, for an unknown entry', async () => {
      const path = `/entries/${randomUUID()}`;
      expectProblem(await ada.patch(path, { mood: 1 }, { 'if-none-match': '*' }), 404);
    });
  });

  it('applies all of 30 concurrent patches of different fields, and counts each', async () => {
    const entry = await write();
    const last = { text: 'the last text', mood: 10, category: 'last', tags: ['last'] } as const;
    const fields = Object.keys(last) as (keyof typeof last)[];
    const responses = await Promise.all(
      Array.from({ length: 30 }, (_, i) => {
        const field = fields[i % fields.length]!;
        return ada.patch(`/entries/${entry.id}`, { [field]: last[field] });
      }),
    );
    expect(responses.map(({ status }) => status)).toEqual(Array(30).fill(200));
    const versions = responses.map(({ body }) => Number(body.version)).sort((a, b) => a - b);
    expect(versions).toEqual(Array.from({ length: 30 }, (_, i) => i + 2));
    expect((await ada.get(`/entries/${entry.id}`)).body).toMatchObject({ ...last, version: 31 });
  });

  it('returns a different state to each of many concurrent patches of one field', async () => {
    const entry = await write();
    const responses = await Promise.all(
      Array.from({ length: 10 }, (_, i) => ada.patch(`/entries/${entry.id}`, { text: `text ${i}` })),
    );
    responses.forEach(({ body }, i) => expect(body.text).toBe(`text ${i}`));
    const newest = responses.map(({ body }) => body).find(({ version }) => version === 11);
    expect((await ada.get(`/entries/${entry.id}`)).body).toEqual(newest);
  });
});
