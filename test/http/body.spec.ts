import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startService, type TestService } from '../harness/http/service.js';
import type { ApiClient } from '../harness/http/client.js';
import { expectProblem } from '../harness/http/problem.js';
import { sendRaw } from '../harness/http/raw-request.js';

const MIB = 1_048_576;
const ENTRY = { text: 'Walked by the river.', mood: 7 };

let service: TestService;
let anonymous: ApiClient;
let ada: ApiClient;
beforeAll(async () => {
  service = await startService();
  anonymous = service.anonymous;
  ada = await service.signUp();
});
afterAll(() => service.close());

describe('a request body', () => {
  it.each([
    ['that is cut off', '{"text":"a"'],
    ['with an extra comma', '{"text":"a","mood":5,}'],
    ['with unquoted keys', '{text:"a",mood:5}'],
    ['that is a form', 'text=a&mood=5'],
    ['of two values', '{} {}'],
    ['that is a bare word', 'undefined'],
    ['with a number that JSON does not have', '{"text":"a","mood":NaN}'],
    ['with a raw line break in a string', '{"text":"a\nb","mood":5}'],
    ['with a NUL', '{"text":"a","mood":5}\u0000'],
    ['that is empty', ''],
    ['of spaces', '   '],
  ])('%s returns 400', async (_name, body) => {
    expectProblem(await ada.post('/entries', body), 400);
    expectProblem(await anonymous.post('/auth/login', body), 400);
  });

  it.each([
    ['__proto__', '{"__proto__":{"isAdmin":true},"text":"a","mood":5}'],
    ['__proto__ in escapes', '{"\\u005f_proto__":{"isAdmin":true},"text":"a","mood":5}'],
    ['__proto__ deep inside', '{"text":"a","mood":5,"tags":[{"__proto__":{"isAdmin":true}}]}'],
    ['constructor.prototype', '{"constructor":{"prototype":{"isAdmin":true}},"text":"a","mood":5}'],
  ])('with %s returns 400, and changes no prototype', async (_name, body) => {
    expectProblem(await ada.post('/entries', body), 400);
    expectProblem(await anonymous.post('/auth/register', body), 400);
    expect(({} as Record<string, unknown>)['isAdmin']).toBeUndefined();
  });

  it.each(['constructor', 'prototype', 'toString', 'hasOwnProperty'])(
    'with the unknown field %s returns 422',
    async (field) => {
      expect(expectProblem(await ada.post('/entries', { ...ENTRY, [field]: 1 }), 422).paths).toEqual([field]);
    },
  );

  it.each([
    ['lists', 'text', '['.repeat(520_000) + ']'.repeat(520_000), 422],
    ['objects', 'text', '{"a":'.repeat(170_000) + '1' + '}'.repeat(170_000), 422],
    ['lists in an unknown field', 'nest', '['.repeat(520_000) + ']'.repeat(520_000), 422],
    ['lists that do not end', 'text', '['.repeat(1_000_000), 400],
    // The key makes the parser search the whole body.
    [
      'objects with __proto__ at the bottom',
      'text',
      '{"a":'.repeat(170_000) + '{"__proto__":1}' + '}'.repeat(170_000),
      400,
    ],
  ])('nested as deep as its length allows, in %s, returns %s', async (_how, field, deep, status) => {
    const { paths } = expectProblem(
      await ada.post('/entries', `{"text":"a","mood":5,"${field}":${deep}}`),
      status,
    );
    if (status === 422) expect(paths).toEqual([field]);
    expect((await ada.get('/users/me')).status).toBe(200);
  });

  const padded = (length: number) => {
    const entry = JSON.stringify(ENTRY);
    return `${entry.slice(0, -1)}${' '.repeat(length - entry.length)}}`;
  };

  it('of exactly the limit is accepted', async () => {
    expect((await ada.post('/entries', padded(MIB))).status).toBe(201);
  });

  it('of one byte more returns 413', async () => {
    expectProblem(await ada.post('/entries', padded(MIB + 1)), 413);
  });

  it('of 2 MiB returns 413, and the next request is served', async () => {
    for (let i = 0; i < 5; i++) {
      expectProblem(await ada.post('/entries', { ...ENTRY, text: 'x'.repeat(2 * MIB) }), 413);
      expect((await ada.post('/entries', ENTRY)).status).toBe(201);
    }
  });

  it('of 2 MiB returns 413 without a content-length too', async () => {
    const chunk = 'x'.repeat(64 * 1024);
    const response = await sendRaw(
      service.url,
      `POST /entries HTTP/1.1\r\nhost: test\r\nconnection: close\r\ncontent-type: application/json\r\n` +
        `transfer-encoding: chunked\r\n\r\n` +
        `${chunk.length.toString(16)}\r\n${chunk}\r\n`.repeat(32) +
        '0\r\n\r\n',
    );
    expect(response).toMatch(/^HTTP\/1\.1 413 /);
    expect(response).toContain('content-type: application/problem+json');
  });

  it.each([
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/xml',
    'application/x-ndjson',
    'application/jsonx',
    'application',
  ])('of type %s returns 415', async (type) => {
    expectProblem(await ada.post('/entries', JSON.stringify(ENTRY), { 'content-type': type }), 415);
    expectProblem(await anonymous.post('/auth/login', 'email=a&password=b', { 'content-type': type }), 415);
  });

  it('without a type returns 415', async () => {
    const body = JSON.stringify(ENTRY);
    const response = await sendRaw(
      service.url,
      `POST /entries HTTP/1.1\r\nhost: test\r\nconnection: close\r\nauthorization: Bearer ${ada.account.accessToken}\r\n` +
        `content-length: ${body.length}\r\n\r\n${body}`,
    );
    expect(response).toMatch(/^HTTP\/1\.1 415 /);
    expect(response).toContain('content-type: application/problem+json');
  });

  it.each([
    'application/json',
    'application/json; charset=utf-8',
    'Application/JSON',
    'application/json ;charset="UTF-8"',
  ])('of type %s is accepted', async (type) => {
    expect((await ada.post('/entries', JSON.stringify(ENTRY), { 'content-type': type })).status).toBe(201);
  });
});

describe('a request body of invalid UTF-8', () => {
  it('returns 400, and stores nothing in its place', async () => {
    const body = Buffer.concat([
      Buffer.from('{"text":"'),
      Buffer.from([0xc3, 0x28]),
      Buffer.from('","mood":5}'),
    ]);
    const response = await sendRaw(
      service.url,
      Buffer.concat([
        Buffer.from(
          `POST /entries HTTP/1.1\r\nhost: a\r\nconnection: close\r\nauthorization: Bearer ${ada.account.accessToken}\r\n` +
            `content-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n`,
        ),
        body,
      ]),
    );
    expect(response).toMatch(/^HTTP\/1.1 400 /);
    expect(response).toContain('The body is not valid UTF-8');
  });
});

describe('a request body in another charset than UTF-8', () => {
  it.each(['latin1', 'iso-8859-1', '"utf-16"', 'windows-1252'])('returns 415 for %s', async (charset) => {
    const headers = { 'content-type': `application/json; charset=${charset}` };
    const body = Buffer.from('{"text":"caf\xe9","mood":5}', 'latin1');
    expectProblem(await ada.request('POST', '/entries', { body, headers }), 415);
  });
});

describe('a DELETE with a content-type and no body', () => {
  it('is accepted', async () => {
    const { body } = await ada.post('/entries', ENTRY);
    const { status } = await ada.delete(`/entries/${body.id}`, { 'content-type': 'application/json' });
    expect(status).toBe(204);
  });
});
