import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startService, type TestService } from '../harness/http/service.js';
import type { ApiClient } from '../harness/http/client.js';
import { createEntry } from '../harness/entries/entries.js';
import { expectProblem } from '../harness/http/problem.js';

let service: TestService;
let ada: ApiClient;
let bob: ApiClient;
beforeAll(async () => {
  service = await startService();
  [ada, bob] = await Promise.all([service.signUp(), service.signUp()]);
});
afterAll(() => service.close());

const write = (fields?: object) => createEntry(ada, fields);

describe('GET /entries/:id', () => {
  it('returns 200 with the entry and its version', async () => {
    const entry = await write();
    const { status, headers, body } = await ada.get(`/entries/${entry.id}`);
    expect(status).toBe(200);
    expect(headers.get('content-type')).toBe('application/json; charset=utf-8');
    expect(headers.get('etag')).toBe('"1"');
    expect(body).toEqual(entry);
  });

  it('accepts an id in upper case', async () => {
    const entry = await write();
    expect((await ada.get(`/entries/${entry.id.toUpperCase()}`)).body).toEqual(entry);
  });

  it('returns the same headers for HEAD, and no body', async () => {
    const entry = await write();
    const { status, headers, text } = await ada.request('HEAD', `/entries/${entry.id}`);
    expect({ status, text, etag: headers.get('etag') }).toEqual({ status: 200, text: '', etag: '"1"' });
  });

  it('returns 404 for an unknown id', async () => {
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
  ])('returns 400 for the id %s, which is not a UUID', async (id) => {
    expect(expectProblem(await ada.get(`/entries/${id}`), 400).paths).toEqual(['id']);
    expectProblem(await ada.patch(`/entries/${id}`, { mood: 5 }), 400);
    expectProblem(await ada.delete(`/entries/${id}`), 400);
    expectProblem(await ada.post(`/entries/${id}/restore`), 400);
  });

  it.each([
    ['the version', '"1"'],
    ['the version as a weak tag', 'W/"1"'],
    ['a list with the version', '"7", W/"1" , "9"'],
    ['a star', '*'],
  ])('returns 304 without a body for If-None-Match with %s', async (_name, header) => {
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
    ['an unfinished list', '"1", "'],
    ['a weak tag with a lower-case w', 'w/"1"'],
  ])('returns 200 for If-None-Match with %s', async (_name, header) => {
    const entry = await write();
    expect((await ada.get(`/entries/${entry.id}`, { 'if-none-match': header })).body).toEqual(entry);
  });

  it('returns 200 for If-None-Match with the previous version', async () => {
    const entry = await write();
    await ada.patch(`/entries/${entry.id}`, { mood: 3 });
    const { status, body } = await ada.get(`/entries/${entry.id}`, { 'if-none-match': '"1"' });
    expect(status).toBe(200);
    expect(body.mood).toBe(3);
  });

  it('returns the same headers with 304 as with 200, except those about the body', async () => {
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

  it('returns 304 and 412 for HEAD as for GET', async () => {
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
  ])('evaluates If-Match: %s first, and returns %d', async (header, status) => {
    const { id } = await write();
    expect((await ada.get(`/entries/${id}`, { 'if-match': header })).status).toBe(status);
    const both = await ada.get(`/entries/${id}`, { 'if-match': header, 'if-none-match': '"1"' });
    expect(both.status).toBe(status === 200 ? 304 : 412);
  });

  it('returns 404 for If-None-Match: * when the entry does not exist', async () => {
    expectProblem(await ada.get(`/entries/${randomUUID()}`, { 'if-none-match': '*' }), 404);
  });

  it('returns a change at once, however often the entry was read before', async () => {
    const entry = await write();
    for (let mood = 1; mood <= 10; mood++) {
      await Promise.all([ada.get(`/entries/${entry.id}`), ada.get(`/entries/${entry.id}`)]);
      await ada.patch(`/entries/${entry.id}`, { mood });
      expect((await ada.get(`/entries/${entry.id}`)).body.mood).toBe(mood);
    }
  });
});

describe("another user's entry", () => {
  it('returns 404 for every call, as an unknown id does, and is not changed', async () => {
    const entry = await write({ text: 'mine' });
    const path = `/entries/${entry.id}`;
    await ada.get(path);
    const responses = [
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
    for (const response of responses) {
      expectProblem(response, 404);
      expect(response.text).not.toContain('mine');
      expect(response.headers.has('etag')).toBe(false);
    }
    const absent = await bob.get(`/entries/${randomUUID()}`);
    expect(responses[0]!.body.detail).toBe(absent.body.detail);
    expect((await ada.get(path)).body).toEqual(entry);
    const [row] = await service.database.query<{ same: boolean }>(
      'SELECT deleted_at IS NULL AND version = 1 AND user_id = $2 AS same FROM entries WHERE id = $1',
      [entry.id, ada.account.userId],
    );
    expect(row).toEqual({ same: true });
  });

  it('cannot be restored by another user', async () => {
    const entry = await write();
    await ada.delete(`/entries/${entry.id}`);
    expectProblem(await bob.post(`/entries/${entry.id}/restore`), 404);
    expectProblem(await ada.get(`/entries/${entry.id}`), 404);
  });

  it('is in no list of another user', async () => {
    const carol = await service.signUp();
    await write();
    for (const path of ['/entries', '/entries?category=general', '/entries/trash']) {
      expect((await carol.get(path)).body).toMatchObject({ entries: [], total: 0 });
    }
  });
});
