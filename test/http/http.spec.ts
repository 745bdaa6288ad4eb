import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startApp, type TestApp } from '../harness/app.js';
import type { ApiClient, Answer } from '../harness/client.js';
import { expectProblem } from '../harness/problem.js';

const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const MIB = 1_048_576;
const ENTRY = { text: 'Walked by the river.', mood: 7 };

let service: TestApp;
let anonymous: ApiClient;
let ada: ApiClient;
beforeAll(async () => {
  service = await startApp();
  anonymous = service.anonymous;
  ada = await service.signUp();
});
afterAll(() => service.close());

describe('a body', () => {
  it.each([
    ['that breaks off', '{"text":"a"'],
    ['with a comma too many', '{"text":"a","mood":5,}'],
    ['with unquoted names', '{text:"a",mood:5}'],
    ['that is a form', 'text=a&mood=5'],
    ['that is two values', '{} {}'],
    ['that is a word', 'undefined'],
    ['with a number that JSON has not', '{"text":"a","mood":NaN}'],
    ['with a raw line break in a string', '{"text":"a\nb","mood":5}'],
    ['with a NUL', '{"text":"a","mood":5}\u0000'],
    ['that is empty', ''],
    ['of blanks', '   '],
  ])('%s is 400', async (_name, body) => {
    expectProblem(await ada.post('/entries', body), 400);
    expectProblem(await anonymous.post('/auth/login', body), 400);
  });

  it.each([
    ['__proto__', '{"__proto__":{"isAdmin":true},"text":"a","mood":5}'],
    ['__proto__ in escapes', '{"\\u005f_proto__":{"isAdmin":true},"text":"a","mood":5}'],
    ['__proto__ deep inside', '{"text":"a","mood":5,"tags":[{"__proto__":{"isAdmin":true}}]}'],
    ['constructor.prototype', '{"constructor":{"prototype":{"isAdmin":true}},"text":"a","mood":5}'],
  ])('with %s is 400, and pollutes nothing', async (_name, body) => {
    expectProblem(await ada.post('/entries', body), 400);
    expectProblem(await anonymous.post('/auth/register', body), 400);
    expect(({} as Record<string, unknown>)['isAdmin']).toBeUndefined();
  });

  it.each(['constructor', 'prototype', 'toString', 'hasOwnProperty'])(
    'with the field %s is 422: it is unknown as any other',
    async (field) => {
      expect(expectProblem(await ada.post('/entries', { ...ENTRY, [field]: 1 }), 422).paths).toEqual([field]);
    },
  );

  it.each([
    ['lists', 'text', '['.repeat(520_000) + ']'.repeat(520_000), 422],
    ['objects', 'text', '{"a":'.repeat(170_000) + '1' + '}'.repeat(170_000), 422],
    ['lists in a field that is not known', 'nest', '['.repeat(520_000) + ']'.repeat(520_000), 422],
    ['lists that do not end', 'text', '['.repeat(1_000_000), 400],
    // The key has all of it looked through for another meaning.
    [
      'objects with __proto__ at the bottom',
      'text',
      '{"a":'.repeat(170_000) + '{"__proto__":1}' + '}'.repeat(170_000),
      400,
    ],
  ])('nested as deep as it may be long, in %s, is a %s', async (_how, field, deep, status) => {
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

  it('of exactly the limit is read', async () => {
    expect((await ada.post('/entries', padded(MIB))).status).toBe(201);
  });

  it('of one byte more is 413', async () => {
    expectProblem(await ada.post('/entries', padded(MIB + 1)), 413);
  });

  it('of 2 MiB is 413, and the next request is served', async () => {
    for (let i = 0; i < 5; i++) {
      expectProblem(await ada.post('/entries', { ...ENTRY, text: 'x'.repeat(2 * MIB) }), 413);
      expect((await ada.post('/entries', ENTRY)).status).toBe(201);
    }
  });

  it('of 2 MiB is 413 also where its length is not told', async () => {
    const chunk = 'x'.repeat(64 * 1024);
    const answer = await raw(
      `POST /entries HTTP/1.1\r\nhost: test\r\nconnection: close\r\ncontent-type: application/json\r\n` +
        `transfer-encoding: chunked\r\n\r\n` +
        `${chunk.length.toString(16)}\r\n${chunk}\r\n`.repeat(32) +
        '0\r\n\r\n',
    );
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
    expect(answer).toContain('content-type: application/problem+json');
  });

  it.each([
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/xml',
    'application/x-ndjson',
    'application/jsonx',
    'application',
  ])('of type %s is 415', async (type) => {
    expectProblem(await ada.post('/entries', JSON.stringify(ENTRY), { 'content-type': type }), 415);
    expectProblem(await anonymous.post('/auth/login', 'email=a&password=b', { 'content-type': type }), 415);
  });

  it('of no type is 415', async () => {
    const body = JSON.stringify(ENTRY);
    const answer = await raw(
      `POST /entries HTTP/1.1\r\nhost: test\r\nconnection: close\r\nauthorization: Bearer ${ada.account.accessToken}\r\n` +
        `content-length: ${body.length}\r\n\r\n${body}`,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 415 /);
    expect(answer).toContain('content-type: application/problem+json');
  });

  it.each([
    'application/json',
    'application/json; charset=utf-8',
    'Application/JSON',
    'application/json ;charset="UTF-8"',
  ])('of type %s is read', async (type) => {
    expect((await ada.post('/entries', JSON.stringify(ENTRY), { 'content-type': type })).status).toBe(201);
  });
});

describe('a path', () => {
  it.each([
    '/',
    '/nothing',
    '/entries/',
    '/ENTRIES',
    '//entries',
    '/entries/a/b',
    '/auth',
    '/users',
    '/.env',
    '/v1/entries',
  ])('%s, which leads nowhere, is 404, with a token and without', async (path) => {
    expect(expectProblem(await anonymous.get(path), 404).instance).toBe(path);
    expectProblem(await ada.get(path), 404);
    expectProblem(await ada.post(path, ENTRY), 404);
  });

  it('with a query that leads nowhere shows the path alone as its instance', async () => {
    expect(expectProblem(await anonymous.get('/nothing?password=secret'), 404).instance).toBe('/nothing');
  });

  it.each(['/%E0%A4%A', '/entries/%E0%A4%A', '/%', '/entries/%zz', '/users/me%'])(
    '%s, which is no valid URL, is 400',
    async (path) => {
      expect(expectProblem(await anonymous.get(path), 400).instance).toBe(path);
      expectProblem(await ada.get(path), 400);
    },
  );

  it('longer than any of ours is 404', async () => {
    expectProblem(await ada.get(`/entries/${'x'.repeat(5000)}`), 404);
  });
});

describe('a method that the path has not', () => {
  const id = '01a20f82-9a69-74d9-ab45-fad434e8495e';
  it.each([
    ['PUT', '/entries', 'GET, HEAD, POST'],
    ['DELETE', '/entries', 'GET, HEAD, POST'],
    ['PATCH', '/entries?limit=5', 'GET, HEAD, POST'],
    ['OPTIONS', '/entries', 'GET, HEAD, POST'],
    ['POST', `/entries/${id}`, 'DELETE, GET, HEAD, PATCH'],
    ['PUT', `/entries/${id}`, 'DELETE, GET, HEAD, PATCH'],
    ['GET', `/entries/${id}/restore`, 'POST'],
    ['GET', '/auth/login', 'POST'],
    ['HEAD', '/auth/login', 'POST'],
    ['DELETE', '/auth/register', 'POST'],
    ['POST', '/users/me', 'DELETE, GET, HEAD, PATCH'],
    ['POST', '/health', 'GET, HEAD'],
    ['PROPFIND', '/entries', 'GET, HEAD, POST'],
  ])('%s %s is 405 with Allow: %s, with a token and without', async (method, path, allow) => {
    for (const client of [anonymous, ada]) {
      const answer = await client.request(method, path);
      if (method === 'HEAD') expect(answer.status).toBe(405);
      else expectProblem(answer, 405);
      expect(answer.headers.get('allow')).toBe(allow);
    }
  });
});

describe('x-request-id', () => {
  it.each(['a', 'A-Za-z0-9._-', '01a20f82-9a69-74d9-ab45-fad434e8495e', 'x'.repeat(128)])(
    'is taken when it is %s',
    async (id) => {
      const headers = { 'x-request-id': id };
      expect((await ada.get('/users/me', headers)).headers.get('x-request-id')).toBe(id);
      expect(expectProblem(await anonymous.get('/nothing', headers), 404).requestId).toBe(id);
      expect(expectProblem(await anonymous.get('/%E0%A4%A', headers), 400).requestId).toBe(id);
    },
  );

  it.each(['', 'a b', 'a,b', 'a/b', 'a"b', 'a;b', '<a>', 'a\tb', 'é', 'x'.repeat(129)])(
    'is replaced when it is %j',
    async (id) => {
      const { headers } = await ada.get('/users/me', { 'x-request-id': id });
      expect(headers.get('x-request-id')).toMatch(UUID_V7);
      const problem = expectProblem(await anonymous.get('/nothing', { 'x-request-id': id }), 404);
      expect(problem.requestId).toMatch(UUID_V7);
    },
  );

  it('is made anew for each request that brings none, whatever the answer', async () => {
    const { id } = (await ada.post('/entries', ENTRY)).body;
    const answers = [
      await ada.get('/users/me'),
      await ada.get(`/entries/${id}`, { 'if-none-match': '*' }),
      await ada.delete(`/entries/${id}`),
      await anonymous.get('/users/me'),
      await anonymous.get('/nothing'),
      await anonymous.get('/%E0%A4%A'),
      await anonymous.request('PUT', '/entries'),
      await ada.post('/entries', '{'),
      await ada.post('/entries', { ...ENTRY, text: 'x'.repeat(2 * MIB) }),
      await anonymous.get('/health/live'),
    ];
    expect(answers.map(({ status }) => status)).toEqual([200, 304, 204, 401, 404, 400, 405, 400, 413, 200]);
    const ids = answers.map(({ headers }) => headers.get('x-request-id'));
    for (const each of ids) expect(each).toMatch(UUID_V7);
    expect(new Set(ids).size).toBe(ids.length);
    for (const { headers } of answers) expect(headers.get('x-content-type-options')).toBe('nosniff');
  });
});

describe('an attempt to put a header into the answer', () => {
  it.each([
    ['by the path', '/entries/%0d%0ax-injected:%20yes', ''],
    ['by a path that leads nowhere', '/%0d%0ax-injected:%20yes', ''],
    ['by the query', '/entries?sort=%0d%0ax-injected:%20yes', ''],
    ['by the request id', '/users/me', 'x-request-id: a%0d%0ax-injected: yes\r\n'],
    ['by the request id, folded', '/users/me', 'x-request-id: a\r\n x-injected: yes\r\n'],
    ['by the request id, with a bare line feed', '/users/me', 'x-request-id: a\nx-injected: yes\r\n'],
    ['by the request id, with a bare carriage return', '/users/me', 'x-request-id: a\rx-injected: yes\r\n'],
    ['by If-None-Match', '/users/me', 'if-none-match: "1"%0d%0ax-injected: yes\r\n'],
    ['by the origin', '/users/me', 'origin: https://a.example%0d%0ax-injected: yes\r\n'],
    ['by the host', '/users/me', 'x-forwarded-host: a%0d%0ax-injected: yes\r\n'],
  ])('%s fails', async (_name, path, header) => {
    const authorization = `authorization: Bearer ${ada.account.accessToken}\r\n`;
    const answer = await raw(
      `GET ${path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n${authorization}${header}\r\n`,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 [24]\d\d /);
    expect(answer.split('\r\n\r\n', 1)[0]).not.toMatch(/x-injected/i);
  });
});

describe('every answer', () => {
  const answers = async (): Promise<Answer[]> => [
    await ada.get('/users/me'),
    await anonymous.get('/health'),
    await anonymous.get('/users/me'),
    await anonymous.get('/nothing'),
    await anonymous.get('/%E0%A4%A'),
    await ada.post('/entries', '{'),
  ];

  it('carries the headers that keep a browser from doing harm with it', async () => {
    for (const { headers } of await answers()) {
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('content-security-policy')).toContain("default-src 'none'");
      expect(headers.get('content-security-policy')).toContain("frame-ancestors 'none'");
      expect(headers.get('referrer-policy')).toBe('no-referrer');
      expect(headers.get('cross-origin-resource-policy')).toBe('same-origin');
    }
  });

  it('names no software, and allows no other origin', async () => {
    for (const { headers } of await answers()) {
      expect(headers.has('x-powered-by')).toBe(false);
      expect(headers.has('server')).toBe(false);
    }
    const { headers } = await anonymous.get('/health', { origin: 'https://app.example.org' });
    expect(headers.has('access-control-allow-origin')).toBe(false);
  });
});

describe('a failure that nobody foresaw', () => {
  it('is a 500 that shows neither SQL nor a path nor a stack', async () => {
    await service.database.query('ALTER TABLE entries RENAME COLUMN mood TO moood');
    try {
      const { id } = { id: '01a20f82-9a69-74d9-ab45-fad434e8495e' };
      for (const answer of [
        await ada.get('/entries'),
        await ada.get(`/entries/${id}`),
        await ada.post('/entries', ENTRY),
        await ada.patch(`/entries/${id}`, { mood: 5 }),
      ]) {
        const { detail } = expectProblem(answer, 500);
        expect(answer.body.errors).toBeUndefined();
        expect(detail).not.toMatch(/mood|entries|select|insert|column|\.[jt]s\b|\bat /i);
      }
    } finally {
      await service.database.query('ALTER TABLE entries RENAME COLUMN moood TO mood');
    }
    expect((await ada.post('/entries', ENTRY)).status).toBe(201);
  });
});

describe('HEAD', () => {
  it.each(['/users/me', '/entries', '/health', '/health/live'])(
    '%s answers as GET does, without a body',
    async (path) => {
      const [head, get] = [await ada.request('HEAD', path), await ada.get(path)];
      expect({ status: head.status, text: head.text }).toEqual({ status: get.status, text: '' });
      expect(head.headers.get('content-type')).toBe(get.headers.get('content-type'));
      expect(head.headers.get('content-length')).toBe(get.headers.get('content-length'));
    },
  );

  it('needs a token where GET does', async () => {
    expect((await anonymous.request('HEAD', '/users/me')).status).toBe(401);
  });
});

describe('GET /metrics', () => {
  it('counts requests by the pattern of their route, for everybody, in the form of Prometheus', async () => {
    await ada.get('/entries/01a20f82-9a69-74d9-ab45-fad434e8495e');
    await anonymous.get('/nothing/of/this/name');
    const { status, headers, text } = await anonymous.get('/metrics');
    expect(status).toBe(200);
    expect(headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(text).toMatch(
      /^http_request_duration_seconds_count\{method="GET",route="\/entries\/:id",status="404"\} [1-9]/m,
    );
    expect(text).toMatch(
      /^http_request_duration_seconds_count\{method="GET",route="unmatched",status="404"\} [1-9]/m,
    );
    expect(text).not.toContain('/nothing/of/this/name');
    expect(text).not.toContain('01a20f82');
  });
});

/** https://fetch.spec.whatwg.org/#cors-safelisted-response-header-name */
const READABLE_ANYWAY = new Set([
  'cache-control',
  'content-language',
  'content-length',
  'content-type',
  'expires',
  'last-modified',
  'pragma',
]);

/** What is for the browser itself, and for the connection. */
const OF_THE_BROWSER =
  /^(access-control-.*|connection|content-security-policy|cross-origin-.*|date|keep-alive|origin-agent-cluster|referrer-policy|strict-transport-security|transfer-encoding|vary|x-content-type-options|x-dns-prefetch-control|x-download-options|x-frame-options|x-permitted-cross-domain-policies|x-xss-protection)$/;

// Last, as a second application in one process takes Passport's strategies over: nobody is signed in after this.
describe('a service that is set up otherwise', () => {
  const ORIGIN = 'https://app.example.org';
  let other: TestApp;
  beforeAll(async () => {
    other = await startApp({
      CORS_ORIGINS: `${ORIGIN},http://localhost:3000`,
      BODY_LIMIT_BYTES: '2048',
      METRICS_ENABLED: 'false',
      RATE_LIMIT_ENABLED: 'true',
    });
  });
  afterAll(() => other.close());

  it.each([ORIGIN, 'http://localhost:3000'])(
    'lets pages of %s call it, which CORS_ORIGINS names',
    async (origin) => {
      const preflight = await other.anonymous.request('OPTIONS', '/entries', {
        headers: {
          origin,
          'access-control-request-method': 'PATCH',
          'access-control-request-headers': 'authorization',
        },
      });
      expect(preflight.status).toBe(204);
      expect(preflight.headers.get('access-control-allow-origin')).toBe(origin);
      expect(preflight.headers.get('access-control-allow-methods')).toContain('PATCH');
      expect(preflight.headers.get('access-control-allow-headers')).toContain('authorization');

      const { headers } = await other.anonymous.get('/users/me', { origin });
      expect(headers.get('access-control-allow-origin')).toBe(origin);
    },
  );

  it('lets them read every header that means something to them', async () => {
    const from = (headers: Readonly<Record<string, string>> = {}) => ({ origin: ORIGIN, ...headers });
    const bob = await other.signUp();
    const created = await bob.post('/entries', ENTRY, from({ 'idempotency-key': 'once' }));
    const answers = [
      created,
      await bob.post('/entries', ENTRY, from({ 'idempotency-key': 'once' })),
      await bob.get(`/entries/${created.body.id}`, from({ 'if-none-match': '*' })),
      await bob.get('/entries', from()),
      await bob.get('/entries/export', from()),
      await bob.get('/users/me/export', from()),
      await bob.delete(`/entries/${created.body.id}`, from()),
      await bob.put('/entries', ENTRY, from()),
      await bob.post('/entries', 'x'.repeat(2049), from()),
      await other.anonymous.get('/users/me', from()),
      await other.anonymous.get('/nothing', from()),
    ];
    expect(answers.map(({ status }) => status)).toEqual([
      ...[201, 201, 304, 200, 200, 200, 204],
      ...[405, 413, 401, 404],
    ]);
    const sent = new Set(answers.flatMap(({ headers }) => [...headers.keys()]));
    const exposed = answers[0]!.headers.get('access-control-expose-headers')!.split(', ');
    for (const { headers } of answers) {
      expect(headers.get('access-control-allow-origin')).toBe(ORIGIN);
      expect(headers.get('access-control-expose-headers')).toBe(exposed.join(', '));
    }
    const hidden = [...sent].filter(
      (name) => !exposed.includes(name) && !READABLE_ANYWAY.has(name) && !OF_THE_BROWSER.test(name),
    );
    expect(hidden).toEqual([]);
    expect(exposed.filter((name) => !sent.has(name))).toEqual(['retry-after']);
  });

  it('answers an OPTIONS that is no preflight without a body', async () => {
    const { status, text } = await other.anonymous.request('OPTIONS', '/entries');
    expect({ status, text }).toEqual({ status: 204, text: '' });
  });

  it.each([
    'https://evil.example.org',
    'https://app.example.org.evil.example',
    'http://app.example.org',
    'null',
  ])('lets no page of %s call it', async (origin) => {
    const preflight = await other.anonymous.request('OPTIONS', '/entries', {
      headers: { origin, 'access-control-request-method': 'POST' },
    });
    const { headers } = await other.anonymous.get('/health', { origin });
    for (const allowed of [preflight.headers, headers]) {
      expect(allowed.has('access-control-allow-origin')).toBe(false);
    }
  });

  it('refuses a body of more than BODY_LIMIT_BYTES', async () => {
    const body = JSON.stringify({ email: 'a', password: 'b' });
    expectProblem(await other.anonymous.post('/auth/login', body.padEnd(2048)), 422);
    expectProblem(await other.anonymous.post('/auth/login', body.padEnd(2049)), 413);
  });

  it('has no /metrics with METRICS_ENABLED=false', async () => {
    expectProblem(await other.anonymous.get('/metrics'), 404);
  });
});

describe('what is no HTTP request', () => {
  it.each([
    ['a line of anything', 'hello there\r\n\r\n', 400],
    ['a header without a name', 'GET / HTTP/1.1\r\nhost: a\r\n: b\r\n\r\n', 400],
    [
      'two lengths that differ',
      'POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\na',
      400,
    ],
    ['a URL of 20 KiB', `GET /entries?q=${'a'.repeat(20_480)} HTTP/1.1\r\nhost: a\r\n\r\n`, 431],
    ['headers of 20 KiB', `GET / HTTP/1.1\r\nhost: a\r\nx-long: ${'a'.repeat(20_480)}\r\n\r\n`, 431],
  ])('%s is answered with a problem, and the connection ends', async (_name, bytes, status) => {
    const answer = await raw(bytes);
    const [head = '', body = ''] = answer.split('\r\n\r\n');
    expect(head).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(head).toContain('content-type: application/problem+json');
    expect(head).toContain('connection: close');
    const problem = JSON.parse(body) as { status: number; requestId: string };
    expect(problem.status).toBe(status);
    expect(head).toContain(`x-request-id: ${problem.requestId}`);
    expect((await anonymous.get('/health/live')).status).toBe(200);
  });
});

describe('the time that a client has', () => {
  // What happens then is caused in src/http/problem/client-error.spec.ts, with shorter times.
  it('is 10 s for the headers and 30 s for the whole request', () => {
    const { headersTimeout, requestTimeout } = service.app.getHttpServer();
    expect({ headersTimeout, requestTimeout }).toEqual({ headersTimeout: 10_000, requestTimeout: 30_000 });
  });
});

describe('a request that Node would answer by itself', () => {
  it('is 400 without a host, and a problem', async () => {
    const answer = await raw('GET /health/live HTTP/1.1\r\nconnection: close\r\n\r\n');
    expect(answer).toMatch(/^HTTP\/1.1 400 /);
    expect(answer).toContain('The header Host is missing');
  });

  it('is served though nobody knows what it expects', async () => {
    const answer = await raw(
      'GET /health/live HTTP/1.1\r\nhost: a\r\nexpect: tea\r\nconnection: close\r\n\r\n',
    );
    expect(answer).toMatch(/^HTTP\/1.1 200 /);
  });
});

describe('a request that goes wrong after its answer', () => {
  it('has no second answer, which could be taken for that of the next request', async () => {
    const answer = await raw('POST /entries HTTP/1.1\r\nhost: a\r\ntransfer-encoding: nonsense\r\n\r\n');
    expect(answer.match(/^HTTP\/1.1 \d+/gm)).toHaveLength(1);
  });
});

describe('a body in bytes that are no UTF-8', () => {
  it('is 400, and nothing is kept in its place', async () => {
    const body = Buffer.concat([
      Buffer.from('{"text":"'),
      Buffer.from([0xc3, 0x28]),
      Buffer.from('","mood":5}'),
    ]);
    const answer = await raw(
      Buffer.concat([
        Buffer.from(
          `POST /entries HTTP/1.1\r\nhost: a\r\nconnection: close\r\nauthorization: Bearer ${ada.account.accessToken}\r\n` +
            `content-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n`,
        ),
        body,
      ]),
    );
    expect(answer).toMatch(/^HTTP\/1.1 400 /);
    expect(answer).toContain('The body is not valid UTF-8');
  });
});

describe('a body in another charset than UTF-8', () => {
  it.each(['latin1', 'iso-8859-1', '"utf-16"', 'windows-1252'])(
    'is 415 where it says %s',
    async (charset) => {
      const headers = { 'content-type': `application/json; charset=${charset}` };
      const body = Buffer.from('{"text":"caf\xe9","mood":5}', 'latin1');
      expectProblem(await ada.request('POST', '/entries', { body, headers }), 415);
    },
  );
});

describe('a DELETE that names a media type and has no body', () => {
  it('is taken as one without', async () => {
    const { body } = await ada.post('/entries', ENTRY);
    const { status } = await ada.delete(`/entries/${body.id}`, { 'content-type': 'application/json' });
    expect(status).toBe(204);
  });
});

/** Sends bytes as they are, as `fetch` would not, and returns all that comes back. */
async function raw(request: string | Buffer): Promise<string> {
  const { hostname, port } = new URL(service.url);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => {});
  socket.write(request);
  let answer = '';
  socket.setEncoding('latin1').on('data', (chunk: string) => (answer += chunk));
  await new Promise((resolve) => socket.once('close', resolve));
  return answer;
}
