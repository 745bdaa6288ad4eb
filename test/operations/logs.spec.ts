import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { TEST_SECRET } from '../harness/test-secret.js';
import { ApiClient, type ApiResponse } from '../harness/http/client.js';
import { createDatabase, type TestDatabase } from '../harness/database/database.js';
import { resolveReference, type JsonSchema } from '../harness/http/json-schema.js';
import type { Document, Operation } from '../harness/http/openapi.js';
import { Program } from '../harness/programs/program.js';
import { sendRaw } from '../harness/http/raw-request.js';
import { redisUrl } from '../harness/servers/redis.js';
import { until } from '../harness/until.js';

/** Stands in everything that a client writes: the log is never to have it. */
const CANARY = 'canary7f3a';

/** Throws, at a signal, what Node would print with all that hangs on it. (A stack names this source itself.) */
const PRELOADED = `process.on('SIGWINCH', () => {
  const value = atob('${btoa(CANARY)}');
  Promise.reject(Object.assign(new Error('nobody catches this'), { detail: value, parameters: [value] }));
});`;

let database: TestDatabase;
let program: Program;
let anonymous: ApiClient;
let document: Document;
/** Tokens, which only answers tell. */
const secrets = new Set<string>([TEST_SECRET]);
let sent = 0;

beforeAll(async () => {
  database = await createDatabase();
  program = Program.start({
    DATABASE_URL: database.url,
    ...(redisUrl !== undefined && { REDIS_URL: redisUrl }),
    LOG_LEVEL: 'trace',
    ARGON2_MEMORY_KIB: '1024',
    ARGON2_TIME_COST: '1',
    RATE_LIMIT_ENABLED: 'false',
    NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(PRELOADED)}`,
  });
  anonymous = new ApiClient(await program.listening());
  document = (await ask(anonymous, 'GET', '/openapi.json')).body;
});
afterAll(async () => {
  await program.stop('SIGKILL');
  await database.drop();
});

/** Headers that a client may fill as it likes. The request id is not one of those that are taken. */
const HEADERS = {
  'user-agent': `${CANARY} agent`,
  'idempotency-key': `${CANARY}-key-${randomUUID()}`,
  'if-none-match': `"${CANARY}"`,
  'x-request-id': `${CANARY} not accepted`,
  'x-forwarded-for': CANARY,
  referer: `https://example.org/${CANARY}`,
  cookie: `session=${CANARY}`,
};

async function ask(
  client: ApiClient,
  method: string,
  path: string,
  options: { headers?: Readonly<Record<string, string>>; body?: unknown } = {},
): Promise<ApiResponse> {
  sent++;
  const response = await client.request(method, path, {
    ...options,
    headers: { ...HEADERS, ...options.headers },
  });
  for (const name of ['accessToken', 'refreshToken', 'secret']) {
    const token: unknown = response.body?.[name];
    if (typeof token !== 'string') continue;
    secrets.add(token);
    // Of a JWT, each part by itself.
    for (const part of token.split('.').slice(1)) secrets.add(part);
  }
  return response;
}

async function signUp(): Promise<ApiClient> {
  const fields = { email: `${CANARY}-${randomUUID()}@example.org`, password: `${CANARY} password` };
  const { status, body } = await ask(anonymous, 'POST', '/auth/register', { body: fields });
  expect(status).toBe(201);
  const { user, accessToken, refreshToken } = body;
  return anonymous.as({ ...fields, userId: user.id, accessToken, refreshToken });
}

/** A value that the schema takes, with the canary wherever text may stand. */
function fill(schema: JsonSchema, name: string, client: ApiClient, fresh: boolean): unknown {
  const known: Readonly<Record<string, string | undefined>> = {
    // Only for users with a second factor.
    code: undefined,
    newEmail: `${CANARY}-${randomUUID()}@example.org`,
    email: fresh ? `${CANARY}-${randomUUID()}@example.org` : client.account.email,
    password: client.account.password,
    currentPassword: client.account.password,
    newPassword: `${CANARY} another password`,
    refreshToken: client.account.refreshToken,
    timezone: 'Europe/Vienna',
  };
  if (name in known) return known[name];
  const { $ref, anyOf, properties, items, type, format } = schema as {
    $ref?: string;
    anyOf?: JsonSchema[];
    properties?: Readonly<Record<string, JsonSchema>>;
    items?: JsonSchema;
    type?: string;
    format?: string;
  };
  if ($ref !== undefined) return fill(resolveReference($ref, document), name, client, fresh);
  if (anyOf !== undefined) return fill(anyOf[0]!, name, client, fresh);
  if (schema['enum'] !== undefined) return (schema['enum'] as unknown[])[0];
  if (format === 'date-time') return '2026-03-01T08:30:00.000Z';
  if (format === 'uuid') return randomUUID();
  if (properties !== undefined) {
    return Object.fromEntries(
      Object.entries(properties).map(([key, inner]) => [key, fill(inner, key, client, fresh)]),
    );
  }
  if (items !== undefined) return [fill(items, name, client, fresh)];
  if (type === 'integer' || type === 'number') return schema['minimum'] ?? 1;
  if (type === 'boolean') return true;
  return `${CANARY} ${name}`;
}

/** A path whose id is of something that the client has. */
async function pathOf(path: string, client: ApiClient): Promise<string> {
  if (path.startsWith('/auth/sessions/')) {
    const { sessions } = (await ask(client, 'GET', '/auth/sessions')).body;
    return path.replace('{id}', sessions[0].id);
  }
  if (!path.includes('{id}')) return path;
  if (path.startsWith('/admin/')) return path.replace('{id}', (await signUp()).account.userId);
  const { id } = (await ask(client, 'POST', '/entries', { body: { text: CANARY, mood: 5 } })).body;
  if (/trash|restore/.test(path))
    await ask(client, 'DELETE', `/entries/${id}`, { headers: { 'if-match': '*' } });
  return path.replace('{id}', id);
}

/** Refused without the token of a mail, or the code of an app. */
const NEEDS_SECRET =
  /^POST \/auth\/(reset-password|verify-email)$|^POST \/users\/me\/second-factor\/|^DELETE .+\/second-factor$/;

async function signUpFor(path: string): Promise<ApiClient> {
  const client = await signUp();
  if (path.startsWith('/admin/'))
    await database.query(`UPDATE users SET role = 'admin' WHERE id = $1`, [client.account.userId]);
  return client;
}

/** Sends an operation all kinds of things that it does not take, and then, of a new user, what it does. */
async function exercise(method: string, path: string, operation: Operation): Promise<void> {
  const [mediaType, content] = Object.entries(operation.requestBody?.content ?? {})[0] ?? [];
  const bodyFor = (client: ApiClient): unknown =>
    mediaType === 'application/json' ? fill(content!.schema, '', client, path.endsWith('register')) : CANARY;
  const headers = { 'if-match': '*', ...(mediaType !== undefined && { 'content-type': mediaType }) };

  const client = await signUpFor(path);
  const target = await pathOf(path, client);
  const token = (value: string) => ({ headers: { authorization: value } });
  const invalid: { path?: string; body?: unknown; headers?: Record<string, string> }[] = [
    { path: `${target}?${CANARY}=${CANARY}&cursor=${CANARY}&q=${CANARY}&limit=${CANARY}` },
    { path: path.replace('{id}', CANARY) },
    token(`Bearer ${CANARY}.${CANARY}.${CANARY}`),
    token(`Basic ${Buffer.from(`${CANARY}:${CANARY}`).toString('base64')}`),
  ];
  if (content) {
    invalid.push(
      { body: `{"${CANARY}": "${CANARY}` },
      { body: CANARY },
      { body: { ...(bodyFor(client) as object), [CANARY]: CANARY } },
      { body: { text: { [CANARY]: CANARY }, mood: CANARY, email: CANARY, password: [CANARY] } },
      { body: CANARY, headers: { 'content-type': `text/${CANARY}` } },
    );
  }
  for (const each of invalid) {
    const options = { ...each, headers: { ...headers, ...each.headers } };
    const { status } = await ask(client, method, each.path ?? target, options);
    expect([method, path, each, status < 500]).toEqual([method, path, each, true]);
  }

  const other = await signUpFor(path);
  const { status, text } = await ask(other, method, await pathOf(path, other), {
    headers,
    ...(content && { body: bodyFor(other) }),
  });
  const expected = NEEDS_SECRET.test(`${method} ${path}`) ? /^\S+ \S+ 4/ : /^\S+ \S+ (2|304)/;
  expect(`${method} ${path}: ${status} ${text}`).toMatch(expected);
}

const requestLines = () => program.lines.filter(({ msg }) => msg === 'request');

function expectNoSecret(): void {
  const output = program.stdout + program.stderr;
  const told = [CANARY, ...secrets].filter((secret) => output.toLowerCase().includes(secret.toLowerCase()));
  // Where it was told, rather than all of the log.
  expect(told.map((secret) => output.split('\n').find((line) => line.includes(secret)) ?? secret)).toEqual(
    [],
  );
}

describe('the log at its most talkative', () => {
  it('has one line per request and no data of the client, for any request to any endpoint', async () => {
    for (const [path, methods] of Object.entries(document.paths)) {
      for (const [method, operation] of Object.entries(methods)) {
        await exercise(method.toUpperCase(), path, operation);
      }
    }
    await until('every request is told', () => requestLines().length >= sent);
    expect(requestLines()).toHaveLength(sent);
    expectNoSecret();
    const told = requestLines().map(({ method, route }) => `${String(method)} ${String(route)}`);
    for (const [path, methods] of Object.entries(document.paths)) {
      for (const method of Object.keys(methods)) {
        expect(told).toContain(`${method.toUpperCase()} ${path.replace(/\{(\w+)\}/g, ':$1')}`);
      }
    }
  });

  it('logs method, route pattern, status, duration, bytes, cache hits and user', async () => {
    const ada = await signUp();
    await ask(ada, 'POST', '/entries', { body: { text: CANARY, mood: 5 } });
    await ask(ada, 'GET', '/entries');
    const response = await ask(ada, 'GET', '/entries');
    const [line] = await linesOf(response.headers.get('x-request-id')!);
    expect(line).toEqual({
      level: 'info',
      time: expect.any(String),
      pid: program.process.pid,
      msg: 'request',
      requestId: response.headers.get('x-request-id'),
      userId: ada.account.userId,
      method: 'GET',
      route: '/entries',
      status: 200,
      durationMs: expect.any(Number),
      bytes: Buffer.byteLength(response.text),
      cacheHits: 1,
    });
  });

  it('logs the bytes of a streamed response, and 0 for HEAD', async () => {
    const ada = await signUp();
    const [streamed] = await linesOf(
      (await ask(ada, 'GET', '/users/me/export')).headers.get('x-request-id')!,
    );
    expect(streamed?.['bytes']).toBeGreaterThan(200);
    const [head] = await linesOf((await ask(ada, 'HEAD', '/users/me')).headers.get('x-request-id')!);
    expect(head).toMatchObject({ method: 'HEAD', bytes: 0 });
  });

  it.each([
    ['a path that is no URL', `/%E0%A4%A/${CANARY}`, 400],
    ['a path that leads nowhere', `/${CANARY}/${CANARY}?${CANARY}`, 404],
    ['a segment that is too long', `/entries/${CANARY.repeat(30)}`, 404],
  ])('reports %s without it', async (_what, path, status) => {
    const response = await ask(anonymous, 'GET', path);
    expect(response.status).toBe(status);
    const [line] = await linesOf(response.headers.get('x-request-id')!);
    expect(line).toMatchObject({ method: 'GET', status });
    expectNoSecret();
  });

  it('logs malformed HTTP', async () => {
    await sendRaw(anonymous.url, `GET /${CANARY} HTTP/1.1\r\nhost: a\r\n: ${CANARY}\r\n\r\n`);
    await until('it is told', () => requestLines().some(({ code }) => code === 'HPE_INVALID_HEADER_TOKEN'));
    expect(requestLines().at(-1)).toMatchObject({ level: 'info', route: 'unmatched', status: 400 });
    expectNoSecret();
  });

  it.each(['closes', 'resets'] as const)(
    'logs once, without a warning, a client that aborts its upload and %s the connection',
    async (end) => {
      const ada = await signUp();
      await until('the sign-up is told', () => requestLines().at(-1)?.['route'] === '/auth/register');
      const before = program.lines.length;
      const bytes =
        `POST /entries HTTP/1.1\r\nhost: a\r\nauthorization: Bearer ${ada.account.accessToken}\r\n` +
        `content-type: application/json\r\ncontent-length: 1000\r\n\r\n{"text":"${CANARY}`;
      await sendRaw(anonymous.url, bytes, end);
      // Answered after it, so that whatever is said of the other is said before.
      await linesOf((await ask(ada, 'GET', '/users/me')).headers.get('x-request-id')!);
      await until('it is told', () => program.lines.slice(before).some(({ aborted }) => aborted === true));
      const lines = program.lines.slice(before).filter(({ route }) => route !== '/users/me');
      expect(lines).toEqual([expect.objectContaining({ level: 'info', route: '/entries', aborted: true })]);
      expectNoSecret();
    },
  );
});

describe('a failed statement in the log', () => {
  it.each([
    [
      'that quotes a value in its message',
      `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM NEW.text::int; RETURN NEW; END $$;
       CREATE TRIGGER refuse BEFORE INSERT ON entries FOR EACH ROW EXECUTE FUNCTION refuse()`,
      'DROP TRIGGER refuse ON entries; DROP FUNCTION refuse()',
      { code: '22P02' },
    ],
    [
      'that quotes the row in its detail',
      `ALTER TABLE entries ADD CONSTRAINT entries_refused CHECK (text = '') NOT VALID`,
      'ALTER TABLE entries DROP CONSTRAINT entries_refused',
      { code: '23514', constraint: 'entries_refused', table: 'entries' },
    ],
    [
      'that is not understood',
      'ALTER TABLE entries RENAME COLUMN mood TO moood',
      'ALTER TABLE entries RENAME COLUMN moood TO mood',
      { code: '42703' },
    ],
  ])('%s has code and constraint, request and user, and no value', async (_what, breakIt, mend, err) => {
    const ada = await signUp();
    await database.query(breakIt);
    try {
      const response = await ask(ada, 'POST', '/entries', {
        body: { text: CANARY, mood: 5, tags: [CANARY] },
      });
      expect(response.status).toBe(500);
      const requestId = response.headers.get('x-request-id')!;
      const lines = await linesOf(requestId);
      const failure = lines.find((line) => line['err'] !== undefined);
      expect(failure).toMatchObject({ level: 'error', requestId, userId: ada.account.userId, err });
      expect(lines.at(-1)).toMatchObject({ msg: 'request', level: 'error', status: 500 });
      expectNoSecret();
    } finally {
      await database.query(mend);
    }
  });
});

describe('a service that is not ready', () => {
  it('logs the reason once, however often it is probed, and when it is ready again', async () => {
    const before = program.lines.length;
    const told = () => program.lines.slice(before);
    const [newest] = await database.query<{ name: string; timestamp: string }>(
      'DELETE FROM migrations WHERE id = (SELECT max(id) FROM migrations) RETURNING name, timestamp',
    );
    for (let probe = 0; probe < 3; probe += 1)
      expect((await ask(anonymous, 'GET', '/health')).status).toBe(503);
    await database.query('INSERT INTO migrations (name, timestamp) VALUES ($1, $2)', [
      newest!.name,
      newest!.timestamp,
    ]);
    const { status, headers } = await ask(anonymous, 'GET', '/health');
    expect(status).toBe(200);
    await linesOf(headers.get('x-request-id')!);
    expect(told().filter(({ context }) => context === 'Health')).toEqual([
      expect.objectContaining({ level: 'warn', msg: `not ready: migrations pending: ${newest!.name}` }),
      expect.objectContaining({ level: 'info', msg: 'ready again: migrations' }),
    ]);
    const probes = told().filter(({ route }) => route === '/health');
    expect(probes.map(({ level, status }) => [level, status])).toEqual([
      ['info', 503],
      ['info', 503],
      ['info', 503],
      ['debug', 200],
    ]);
  });
});

describe('SIGUSR2', () => {
  it('changes the level of the running process, and logs it', async () => {
    const levels: unknown[] = [];
    for (const [level, told] of [
      ['info', false],
      ['debug', true],
      ['trace', true],
    ] as const) {
      program.process.kill('SIGUSR2');
      await program.said(new RegExp(`SIGUSR2: log level ${level}, was`));
      const before = requestLines().length;
      // A probe's line is for debug; the one of a path that leads nowhere is for info, and comes after it.
      await ask(anonymous, 'GET', '/health/live');
      await ask(anonymous, 'GET', '/nothing');
      const added = () => requestLines().slice(before);
      await until('both are told', () => added().some(({ route }) => route === 'unmatched'));
      levels.push([level, added().some(({ route }) => route === '/health/live')]);
      expect(levels.at(-1)).toEqual([level, told]);
    }
  });
});

describe('SIGUSR1', () => {
  it('does not open the debugger', async () => {
    program.process.kill('SIGUSR1');
    await program.said(/SIGUSR1: the debugger is disabled/);
    expect((await ask(anonymous, 'GET', '/health/live')).status).toBe(200);
    expect(program.stderr).not.toMatch(/debugger/i);
  });
});

// Last, as it ends the program.
describe('an uncaught error', () => {
  it('is logged without its properties, and ends the process', async () => {
    program.process.kill('SIGWINCH');
    expect((await program.exited).code).toBe(1);
    // What it wrote may come after its end.
    await until('the end is told', () => program.lines.at(-1)?.level === 'fatal').catch(() => {
      throw new Error(`no last word in:\n${program.stdout.slice(-4000)}\n${program.stderr}`);
    });
    expect(program.lines.at(-1)).toMatchObject({
      msg: 'uncaught: nobody catches this',
      err: { stack: expect.stringMatching(/^Error: nobody catches this\n {4}at /) },
    });
    expectNoSecret();
  });
});

/** The lines of one request, once its last is there. */
async function linesOf(requestId: string) {
  const lines = () => program.lines.filter((line) => line['requestId'] === requestId);
  await until('the request is told', () => lines().some(({ msg }) => msg === 'request'));
  return lines();
}
