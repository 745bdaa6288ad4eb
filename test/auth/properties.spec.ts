import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { startService, type TestService } from '../harness/http/service.js';
import { randomEmail, type ApiResponse, type ApiClient } from '../harness/http/client.js';
import { sendRaw } from '../harness/http/raw-request.js';

/** Requests a property: each is one round trip or two. */
const RUNS = 50;

let service: TestService;
let anonymous: ApiClient;
let ada: ApiClient;
let mallory: ApiClient;
beforeAll(async () => {
  service = await startService();
  anonymous = service.anonymous;
  [ada, mallory] = await Promise.all([service.signUp({ displayName: 'Ada' }), service.signUp()]);
});
afterAll(() => service.close());

/** Everything that is held, but for what a request may change of Mallory's own: what an attack must leave as it is. */
async function stateOfOthers(): Promise<unknown> {
  const { userId } = mallory.account;
  return [
    await service.database.query('SELECT * FROM users WHERE id <> $1 ORDER BY id', [userId]),
    await service.database.query('SELECT * FROM sessions WHERE user_id <> $1 ORDER BY id', [userId]),
    await service.database.query('SELECT * FROM entries WHERE user_id <> $1 ORDER BY id', [userId]),
  ];
}

const COLUMNS = [
  ...[
    'id',
    'userId',
    'user_id',
    'email',
    'passwordHash',
    'password_hash',
    'createdAt',
    'updatedAt',
    'version',
  ],
  ...[
    'role',
    'roles',
    'isAdmin',
    'admin',
    'sub',
    'sid',
    'expiresAt',
    'endedAt',
    'refreshTokenHash',
    'deletedAt',
  ],
  ...[
    '__proto__',
    'constructor',
    'prototype',
    'toString',
    'hasOwnProperty',
    '$where',
    '',
    ' ',
    'user.id',
    'user[id]',
  ],
];
const CALLS = [
  ['PATCH', '/users/me', { displayName: 'Mallory' }],
  ['PUT', '/users/me/password', { currentPassword: 'correct horse battery', newPassword: 'a new password' }],
  ['DELETE', '/users/me', { password: 'correct horse battery' }],
  ['POST', '/auth/register', { email: 'new@example.org', password: 'correct horse battery' }],
  ['POST', '/auth/login', { email: 'new@example.org', password: 'correct horse battery' }],
  ['POST', '/auth/refresh', { refreshToken: 'x' }],
  ['POST', '/entries', { text: 'a', mood: 5 }],
] as const;

describe('mass assignment', () => {
  it('does not work: a field that is not of the contract is refused by name, on every call, and nothing is done', async () => {
    const before = await stateOfOthers();
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...CALLS),
        fc.oneof(fc.constantFrom(...COLUMNS), fc.string({ minLength: 1, maxLength: 30 })),
        fc.jsonValue({ maxDepth: 2 }),
        async ([method, path, body], name, value) => {
          fc.pre(
            !Object.hasOwn(body, name) &&
              !['displayName', 'timezone', 'category', 'tags', 'occurredAt'].includes(name),
          );
          fc.pre(!(path === '/users/me/password' && name === 'password'));
          // Written out by hand: an object literal would make __proto__ something else.
          const text = `${JSON.stringify(body).slice(0, -1)},${JSON.stringify(name)}:${JSON.stringify(value)}}`;
          const response = await mallory.request(method, path, { body: text });
          // Fastify itself refuses a key __proto__, and constructor.prototype.
          expect([400, 422]).toContain(response.status);
          if (response.status === 422) {
            expect(response.body.errors).toContainEqual({ path: name, message: 'is an unknown field' });
          } else expect(['__proto__', 'constructor']).toContain(name);
        },
      ),
      { numRuns: RUNS * 2 },
    );
    expect(await stateOfOthers()).toEqual(before);
    expect((await mallory.get('/entries')).body.total).toBe(0);
  });
});

describe('an id of another user', () => {
  it('is as good as none, wherever it is given', async () => {
    const entry = (await ada.post('/entries', { text: 'of Ada', mood: 5 })).body;
    const thrown = (await ada.post('/entries', { text: 'thrown away', mood: 5 })).body;
    await ada.delete(`/entries/${thrown.id}`);
    const session = (await ada.get('/auth/sessions')).body.sessions[0];
    const before = await stateOfOthers();
    const ids = [entry.id, thrown.id, session.id, ada.account.userId];
    const spelt = (id: string) => [id, id.toUpperCase(), `%${id.charCodeAt(0).toString(16)}${id.slice(1)}`];
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(
          ['GET', '/entries/'] as const,
          ['PATCH', '/entries/'] as const,
          ['DELETE', '/entries/'] as const,
          ['POST', '/entries/', '/restore'] as const,
          ['DELETE', '/auth/sessions/'] as const,
        ),
        fc.constantFrom(...ids.flatMap(spelt)),
        async ([method, path, rest = ''], id) => {
          const body = method === 'PATCH' ? { text: 'of Mallory' } : undefined;
          const response = await mallory.request(method, path + id + rest, { body });
          expect([method, path, response.status]).toEqual([method, path, 404]);
          expect(response.text).not.toContain('of Ada');
        },
      ),
      { numRuns: RUNS },
    );
    expect(await stateOfOthers()).toEqual(before);
    for (const path of ['/entries', '/entries/trash', '/users/me/export', '/auth/sessions']) {
      const { text } = await mallory.get(path);
      for (const id of ids) expect(text).not.toContain(id);
    }
  });
});

describe('what a client sends in a header', () => {
  it('is never sent back as a header, except for a valid request id', async () => {
    const value = fc.string({ unit: 'binary-ascii', maxLength: 200 });
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(
          'x-request-id',
          'user-agent',
          'x-forwarded-for',
          'authorization',
          'if-none-match',
          'accept',
        ),
        value,
        async (name, sent) => {
          const { status, headers } = await sendHeader(name, sent);
          expect(status).toBeGreaterThanOrEqual(200);
          expect(status).toBeLessThan(500);
          expect(headers['x-injected']).toBeUndefined();
          expect(headers['set-cookie']).toBeUndefined();
          if (status !== 400 || headers['x-request-id'] !== undefined) {
            expect(headers['x-request-id']).toMatch(/^[A-Za-z0-9._-]{1,128}$/);
          }
        },
      ),
      {
        numRuns: RUNS,
        examples: [
          ['x-request-id', 'a\r\nx-injected: 1'],
          ['x-request-id', 'a\nset-cookie: a=b'],
          ['user-agent', 'a\r\n\r\nHTTP/1.1 200 OK'],
          ['x-forwarded-for', '1\r\nx-injected: 1'],
        ],
      },
    );
  });

  it('does not get from a body into a header, a file name or the log context either', async () => {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom('\r\n', '\n', '\r', '%0d%0a'), async (end) => {
        const displayName = `Mallory${end}x-injected: 1`;
        const patched = await mallory.patch('/users/me', { displayName });
        const exported = await mallory.get('/users/me/export');
        for (const { headers } of [patched, exported]) expect(headers.has('x-injected')).toBe(false);
        expect(exported.body.user.displayName).toBe(displayName);
      }),
      { numRuns: 4 },
    );
  });
});

describe('overlong, deep or unexpected input', () => {
  const long = fc
    .constantFrom(129, 255, 513, 10_001, 100_000)
    .chain((length) =>
      fc.constantFrom('x', '😀', '\u0301', ' ', '\\', '"', '\u200B').map((unit) => unit.repeat(length)),
    );
  const deep = fc.integer({ min: 10, max: 5000 }).map((depth) => '['.repeat(depth) + ']'.repeat(depth));

  it('is refused with a 4xx, and never with a 5xx', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...CALLS.filter(([, path]) => path !== '/entries')),
        fc.nat(),
        fc.oneof(
          long.map((text) => JSON.stringify(text)),
          deep,
          // No string, which might be a good password.
          fc.json().filter((json) => typeof JSON.parse(json) !== 'string'),
        ),
        async ([method, path, body], at, json) => {
          const fields = Object.keys(body);
          const field = fields[at % fields.length]!;
          const rest = { ...body, [field]: 0 };
          const text = JSON.stringify(rest).replace(`"${field}":0`, () => `"${field}":${json}`);
          const response: ApiResponse = await mallory.request(method, path, { body: text });
          // A name may be null or short.
          if (field === 'displayName' && response.status === 200) return;
          // A wrong password, or e-mail, that has the form of one.
          expect([401, 403, 422]).toContain(response.status);
          expect(response.text.length).toBeLessThan(20_000);
        },
      ),
      { numRuns: RUNS * 2 },
    );
    expect((await mallory.get('/users/me')).status).toBe(200);
  });

  it('cuts the user agent of a session to the length of its column', async () => {
    const email = randomEmail();
    const headers = { 'user-agent': 'x'.repeat(8000) };
    const { status, body } = await anonymous.post(
      '/auth/register',
      { email, password: 'correct horse battery' },
      headers,
    );
    expect(status).toBe(201);
    const { sessions } = (await anonymous.withToken(body.accessToken).get('/auth/sessions')).body;
    expect(sessions[0].userAgent).toBe('x'.repeat(512));
  });

  it('is refused as a token, in any form and length', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.stringMatching(/^[\w-]{0,300}\.[\w-]{0,300}\.[\w-]{0,300}$/),
          fc.constantFrom(1000, 12_000).map((length) => `${'e'.repeat(length)}.e.e`),
          fc.base64String({ maxLength: 400 }),
        ),
        async (token) => {
          const headers = { authorization: `Bearer ${token}` };
          expect((await anonymous.get('/users/me', headers)).status).toBe(401);
          expect([401, 422]).toContain(
            (await anonymous.post('/auth/refresh', { refreshToken: token })).status,
          );
        },
      ),
      { numRuns: RUNS },
    );
  });
});

/** The first response to a request with a header that no client would send, byte for byte. */
async function sendHeader(
  name: string,
  value: string,
): Promise<{ status: number; headers: Readonly<Record<string, string | undefined>> }> {
  const token = `authorization: Bearer ${ada.account.accessToken}`;
  const others = ['host: localhost', ...(name === 'authorization' ? [] : [token]), 'connection: close'];
  const bytes = `GET /users/me HTTP/1.1\r\n${others.join('\r\n')}\r\n${name}: ${value}\r\n\r\n`;
  const [head = ''] = (await sendRaw(service.url, Buffer.from(bytes, 'latin1'))).split('\r\n\r\n', 1);
  const [statusLine = '', ...lines] = head.split('\r\n');
  const headers = lines.map((line) => [line.split(':', 1)[0]!.toLowerCase(), line.replace(/^[^:]*: ?/, '')]);
  return {
    status: Number(statusLine.split(' ')[1]),
    headers: Object.fromEntries(headers) as Record<string, string>,
  };
}
