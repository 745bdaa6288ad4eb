import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startApp, type TestApp } from '../harness/app.js';
import { randomEmail, type ApiClient, type Answer } from '../harness/client.js';
import { resolveReference, schemaFaults, type JsonSchema } from '../harness/json-schema.js';
import { expectProblem } from '../harness/problem.js';

/** The contract's calls, as far as they are there, and whether one needs a token. */
const CONTRACT = {
  'GET /health': 'public',
  'GET /health/live': 'public',
  'POST /auth/register': 'public',
  'POST /auth/login': 'public',
  'POST /auth/refresh': 'public',
  'POST /auth/logout': 'secured',
  'POST /auth/logout-all': 'secured',
  'GET /auth/sessions': 'secured',
  'DELETE /auth/sessions/{id}': 'secured',
  'GET /users/me': 'secured',
  'PATCH /users/me': 'secured',
  'DELETE /users/me': 'secured',
  'PUT /users/me/password': 'secured',
  'GET /users/me/export': 'secured',
  'GET /entries': 'secured',
  'POST /entries': 'secured',
  'POST /entries/bulk': 'secured',
  'GET /entries/export': 'secured',
  'POST /entries/import': 'secured',
  'GET /entries/trash': 'secured',
  'DELETE /entries/trash/{id}': 'secured',
  'GET /entries/stats': 'secured',
  'GET /entries/{id}': 'secured',
  'PATCH /entries/{id}': 'secured',
  'DELETE /entries/{id}': 'secured',
  'POST /entries/{id}/restore': 'secured',
} as const;

/** Not of the API: for a scraper, and the description itself. */
const NOT_DESCRIBED = /^GET \/(metrics|openapi\.json|docs(\/.*)?)$/;

interface Operation {
  readonly operationId: string;
  readonly summary?: string;
  readonly tags?: readonly string[];
  readonly security?: readonly Readonly<Record<string, unknown>>[];
  readonly parameters: readonly { name: string; in: string; required?: boolean; schema: JsonSchema }[];
  readonly requestBody?: { required?: boolean; content: Content };
  readonly responses: Readonly<Record<string, { content?: Content; headers?: object }>>;
}
type Content = Readonly<Record<string, { schema: JsonSchema }>>;

interface Document {
  readonly openapi: string;
  readonly info: { title: string; version: string };
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { schemas: Record<string, JsonSchema>; securitySchemes: Record<string, object> };
}

let service: TestApp;
let anonymous: ApiClient;
let document: Document;
/** By `METHOD /path`. */
let operations: ReadonlyMap<string, Operation>;

beforeAll(async () => {
  service = await startApp();
  anonymous = service.anonymous;
  document = (await anonymous.get('/openapi.json')).body;
  operations = new Map(
    Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => [`${method.toUpperCase()} ${path}`, operation]),
    ),
  );
});
afterAll(() => service.close());

describe('GET /openapi.json', () => {
  it('is an OpenAPI 3.1 document, for everybody', async () => {
    const { status, headers, body } = await anonymous.get('/openapi.json');
    expect(status).toBe(200);
    expect(headers.get('content-type')).toBe('application/json; charset=utf-8');
    expect(body.openapi).toMatch(/^3\.1\.\d+$/);
    expect(body.info).toMatchObject({
      title: expect.stringMatching(/\S/),
      version: expect.stringMatching(/\S/),
    });
  });

  it('describes every call of the contract, and no other', () => {
    expect([...operations.keys()].sort()).toEqual(Object.keys(CONTRACT).sort());
  });

  it('describes every route that the service has, but for those that are not of the API', () => {
    const routes = routesOf(service.app.getHttpAdapter().getInstance().printRoutes({ commonPrefix: false }));
    expect(routes).toContain('POST /entries/{id}/restore');
    expect(routes.filter((route) => !NOT_DESCRIBED.test(route)).sort()).toEqual(
      [...operations.keys()].sort(),
    );
  });

  it('says of each call whether it needs a token, and so it is', async () => {
    for (const [call, operation] of operations) {
      const secured = CONTRACT[call as keyof typeof CONTRACT] === 'secured';
      expect([call, operation.security ?? []]).toEqual([call, secured ? [{ bearer: [] }] : []]);
      const [method = '', path = ''] = call.split(' ');
      const answer = await anonymous.request(method, path.replace('{id}', randomUUID()));
      expect([call, answer.status === 401]).toEqual([call, secured]);
    }
  });

  it('defines the security scheme that it names', () => {
    expect(document.components.securitySchemes['bearer']).toMatchObject({ type: 'http', scheme: 'bearer' });
  });

  it('holds no reference that leads nowhere, and no component that nobody refers to', () => {
    const references = new Set(referencesIn(document));
    expect(references.size).toBeGreaterThan(0);
    for (const reference of references) expect(() => resolveReference(reference, document)).not.toThrow();
    const components = Object.keys(document.components.schemas).map((name) => `#/components/schemas/${name}`);
    expect([...references].sort()).toEqual(components.sort());
  });

  it('gives each call a name of its own, a summary, a tag and its answers', () => {
    const names = [...operations.values()].map(({ operationId }) => operationId);
    expect(new Set(names).size).toBe(names.length);
    for (const { summary, tags, responses } of operations.values()) {
      expect(summary).toMatch(/\S/);
      expect(tags).toHaveLength(1);
      expect(Object.keys(responses).filter((status) => status.startsWith('2'))).toHaveLength(1);
    }
  });

  it('gives every refusal as a problem, of the media type that it has', () => {
    const described = [...operations].filter(([call]) => call !== 'GET /health');
    for (const [call, { responses }] of described) {
      for (const [status, { content }] of Object.entries(responses)) {
        if (!/^[45]/.test(status)) continue;
        expect([call, status, content]).toEqual([
          call,
          status,
          { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
        ]);
      }
    }
  });

  it('names the parameters of a path where it has some', () => {
    for (const [call, { parameters }] of operations) {
      const inPath = parameters.filter((parameter) => parameter.in === 'path');
      expect([call, inPath.map(({ name, required }) => ({ name, required }))]).toEqual([
        call,
        call.includes('{id}') ? [{ name: 'id', required: true }] : [],
      ]);
    }
  });

  it.each([
    ['POST /auth/register', ['displayName', 'email', 'password'], ['email', 'password']],
    ['POST /auth/login', ['email', 'password'], ['email', 'password']],
    ['POST /auth/refresh', ['refreshToken'], ['refreshToken']],
    ['PATCH /users/me', ['displayName', 'timezone'], []],
    ['PUT /users/me/password', ['currentPassword', 'newPassword'], ['currentPassword', 'newPassword']],
    ['DELETE /users/me', ['password'], ['password']],
    ['POST /entries', ['category', 'mood', 'occurredAt', 'tags', 'text'], ['mood', 'text']],
    ['PATCH /entries/{id}', ['category', 'mood', 'occurredAt', 'tags', 'text'], []],
    ['POST /entries/bulk', ['entries'], ['entries']],
  ])('names the fields of the body of %s, and which must be there', (call, fields, required) => {
    expect(operations.get(call)!.requestBody!.required).toBe(true);
    const schema = bodyOf(call);
    expect(Object.keys(schema['properties'] as object).sort()).toEqual(fields);
    expect([...((schema['required'] as string[] | undefined) ?? [])].sort()).toEqual(required);
    expect(schema['additionalProperties']).toBe(false);
  });

  it('names a body for those calls alone', () => {
    const withBody = [...operations].filter(([, { requestBody }]) => requestBody).map(([call]) => call);
    expect(withBody).toHaveLength(10);
  });

  it('names the media types of an import and of an export', () => {
    const mediaTypes = ['application/x-ndjson', 'text/csv'];
    const { requestBody } = operations.get('POST /entries/import')!;
    expect(requestBody!.required).toBe(true);
    expect(Object.keys(requestBody!.content).sort()).toEqual(mediaTypes);
    const { content } = operations.get('GET /entries/export')!.responses['200']!;
    expect(Object.keys(content!).sort()).toEqual(mediaTypes);
  });

  it.each([
    ['POST /auth/register', 'email', { type: 'string', format: 'email', maxLength: 254 }],
    ['POST /auth/register', 'password', { type: 'string', minLength: 8, maxLength: 128 }],
    ['POST /auth/register', 'displayName', { type: ['string', 'null'], minLength: 1, maxLength: 100 }],
    ['POST /auth/login', 'password', { type: 'string', minLength: 1, maxLength: 128 }],
    ['PATCH /users/me', 'displayName', { type: ['string', 'null'], minLength: 1, maxLength: 100 }],
    ['POST /entries', 'text', { type: 'string', minLength: 1, maxLength: 10_000 }],
    ['POST /entries', 'mood', { type: 'integer', minimum: 1, maximum: 10 }],
    ['POST /entries', 'category', { type: 'string', minLength: 1, maxLength: 50, default: 'general' }],
    ['POST /entries', 'tags', { type: 'array', maxItems: 20, default: [] }],
    ['POST /entries', 'occurredAt', { type: 'string', format: 'date-time' }],
    ['PATCH /entries/{id}', 'text', { type: 'string', minLength: 1, maxLength: 10_000 }],
    ['PATCH /entries/{id}', 'mood', { type: 'integer', minimum: 1, maximum: 10 }],
  ])('names the bounds of %s: %s', (call, field, bounds) => {
    expect((bodyOf(call)['properties'] as Record<string, JsonSchema>)[field]).toMatchObject(bounds);
  });

  it('names the bounds of a tag', () => {
    const { tags } = bodyOf('POST /entries')['properties'] as Record<string, JsonSchema>;
    expect(tags!['items']).toMatchObject({ type: 'string', minLength: 1, maxLength: 50 });
  });

  it('gives no default to what a change leaves out', () => {
    for (const schema of Object.values(
      bodyOf('PATCH /entries/{id}')['properties'] as Record<string, JsonSchema>,
    )) {
      expect(schema).not.toHaveProperty('default');
    }
  });

  describe.each(['GET /entries', 'GET /entries/trash'])('of %s', (call) => {
    const label = { type: 'string', minLength: 1, maxLength: 50 };
    const mood = { type: 'integer', minimum: 1, maximum: 10 };
    it.each([
      ['limit', { type: 'integer', minimum: 1, maximum: 100, default: 20 }],
      ['page', { type: 'integer', minimum: 1, maximum: 10_000 }],
      ['cursor', { type: 'string' }],
      ['sort', { enum: ['-occurredAt', 'occurredAt', '-createdAt', 'createdAt'], default: '-occurredAt' }],
      ['q', { type: 'string', minLength: 1, maxLength: 200 }],
      ['category', label],
      [
        'tag',
        { anyOf: [expect.objectContaining(label), expect.objectContaining({ type: 'array', maxItems: 20 })] },
      ],
      ['mood', mood],
      ['moodMin', mood],
      ['moodMax', mood],
      ['from', { type: 'string', format: 'date-time' }],
      ['to', { type: 'string', format: 'date-time' }],
    ])('names the bounds of the parameter %s, which may be left out', (name, bounds) => {
      const parameter = operations.get(call)!.parameters.find((each) => each.name === name);
      expect(parameter).toMatchObject({ in: 'query', required: false, schema: bounds });
    });

    it('names no other', () => {
      const query = operations.get(call)!.parameters.filter((each) => each.in === 'query');
      expect(query).toHaveLength(12);
    });
  });

  it('names the headers that decide what a request does, where they count', () => {
    const headers = [...operations].flatMap(([call, { parameters }]) =>
      parameters.filter((parameter) => parameter.in === 'header').map(({ name }) => `${call} ${name}`),
    );
    expect(headers.sort()).toEqual([
      'DELETE /entries/{id} If-Match',
      'DELETE /entries/{id} If-None-Match',
      'GET /entries If-None-Match',
      'GET /entries/stats If-None-Match',
      'GET /entries/trash If-None-Match',
      'GET /entries/{id} If-Match',
      'GET /entries/{id} If-None-Match',
      'PATCH /entries/{id} If-Match',
      'PATCH /entries/{id} If-None-Match',
      'POST /entries Idempotency-Key',
      'POST /entries/bulk Idempotency-Key',
      'POST /entries/{id}/restore If-Match',
      'POST /entries/{id}/restore If-None-Match',
    ]);
  });
});

describe('what is described', () => {
  it('is what is answered: each answer of a walk through the API fits its description', async () => {
    const seen = new Set<string>();
    const email = randomEmail();
    const password = 'correct horse battery';
    const ask = async (client: ApiClient, call: string, options: AskOptions = {}): Promise<Answer> => {
      const [method = '', path = ''] = call.split(' ');
      const { id = '', query = '', ...rest } = options;
      const answer = await client.request(method, path.replace('{id}', id) + query, rest);
      expect([call, answer.status, faultsOf(call, answer)]).toEqual([call, answer.status, []]);
      seen.add(`${call} ${answer.status}`);
      return answer;
    };

    await ask(anonymous, 'GET /health');
    await ask(anonymous, 'GET /health/live');
    await ask(anonymous, 'POST /auth/register', { body: { email, password, displayName: 'Ada' } });
    await ask(anonymous, 'POST /auth/register', { body: { email: randomEmail(), password } });
    await ask(anonymous, 'POST /auth/register', { body: { email, password } });
    await ask(anonymous, 'POST /auth/register', { body: '{' });
    await ask(anonymous, 'POST /auth/register', { body: { email } });
    await ask(anonymous, 'POST /auth/login', { body: { email, password: 'wrong' } });
    await ask(anonymous, 'POST /auth/login', { body: [] });
    await ask(anonymous, 'POST /auth/refresh', { body: { refreshToken: 'wrong' } });
    const login = await ask(anonymous, 'POST /auth/login', { body: { email, password } });
    const { refreshToken } = login.body;
    const refreshed = await ask(anonymous, 'POST /auth/refresh', { body: { refreshToken } });

    const ada = anonymous.withToken(refreshed.body.accessToken);
    await ask(ada, 'GET /users/me');
    await ask(ada, 'PATCH /users/me', { body: { displayName: null, timezone: 'Europe/Vienna' } });
    await ask(ada, 'PATCH /users/me', { body: { timezone: 'Nowhere' } });
    await ask(anonymous, 'GET /users/me');

    const full = { text: 'a', mood: 1, category: 'b', tags: ['c'], occurredAt: '2026-03-01T08:30:00+01:00' };
    const { id } = (await ask(ada, 'POST /entries', { body: full })).body;
    await ask(ada, 'POST /entries', { body: { text: 'a', mood: 10 } });
    await ask(ada, 'POST /entries', { body: { text: 'a', mood: 11 } });
    const keyed = { headers: { 'idempotency-key': 'a' } };
    await ask(ada, 'POST /entries', { body: { text: 'a', mood: 1 }, ...keyed });
    await ask(ada, 'POST /entries', { body: { text: 'a', mood: 1 }, ...keyed });
    await ask(ada, 'POST /entries', { body: { text: 'b', mood: 1 }, ...keyed });
    await ask(ada, 'POST /entries', { body: { text: 'x'.repeat(2_000_000), mood: 5 } });
    await ask(ada, 'POST /entries', { body: 'text', headers: { 'content-type': 'text/plain' } });
    await ask(ada, 'POST /entries/bulk', { body: { entries: [full, { text: 'b', mood: 2 }] } });
    await ask(ada, 'POST /entries/bulk', { body: { entries: [] } });
    await ask(ada, 'GET /entries/export');
    await ask(ada, 'GET /entries/export', { query: '?format=csv&tag=c' });
    await ask(ada, 'GET /entries/export', { query: '?format=xlsx' });
    const line = JSON.stringify(full);
    await ask(ada, 'POST /entries/import', {
      body: line,
      headers: { 'content-type': 'application/x-ndjson' },
    });
    await ask(ada, 'POST /entries/import', { body: 'mood', headers: { 'content-type': 'text/csv' } });
    await ask(ada, 'POST /entries/import', { body: full });
    await ask(ada, 'GET /entries', { query: '?limit=1&tag=c' });
    const { nextCursor } = (await ask(ada, 'GET /entries', { query: '?limit=1' })).body;
    await ask(ada, 'GET /entries', { query: `?limit=1&cursor=${nextCursor}` });
    await ask(ada, 'GET /entries', { query: '?page=2&limit=1' });
    await ask(ada, 'GET /entries', { query: '?limit=0' });
    await ask(ada, 'GET /entries', { query: '?q=a' });
    await ask(ada, 'GET /entries/stats');
    await ask(ada, 'GET /entries/stats', { query: '?from=2026-03-01T00:00:00Z&to=2026-03-08T00:00:00Z' });
    await ask(ada, 'GET /entries/stats', { query: '?bucket=hour' });
    for (const call of ['GET /entries', 'GET /entries/trash', 'GET /entries/stats']) {
      await ask(ada, call, { headers: { 'if-none-match': '*' } });
    }
    await ask(ada, 'GET /entries/{id}', { id });
    await ask(ada, 'GET /entries/{id}', { id, headers: { 'if-none-match': '"1"' } });
    await ask(ada, 'GET /entries/{id}', { id: 'nothing' });
    await ask(ada, 'GET /entries/{id}', { id: randomUUID() });
    await ask(ada, 'PATCH /entries/{id}', { id, body: { mood: 2 } });
    await ask(ada, 'PATCH /entries/{id}', { id, body: { mood: 2 }, headers: { 'if-match': '"1"' } });
    await ask(ada, 'PATCH /entries/{id}', { id, body: { mood: 0 } });
    await ask(ada, 'DELETE /entries/{id}', { id, headers: { 'if-match': '"1"' } });
    await ask(ada, 'DELETE /entries/{id}', { id });
    await ask(ada, 'DELETE /entries/{id}', { id });
    await ask(ada, 'GET /entries/trash');
    await ask(ada, 'POST /entries/{id}/restore', { id });
    await ask(ada, 'DELETE /entries/trash/{id}', { id });
    await ask(ada, 'DELETE /entries/{id}', { id });
    await ask(ada, 'DELETE /entries/trash/{id}', { id });
    await ask(ada, 'POST /entries/{id}/restore', { id: randomUUID() });
    const { sessions } = (await ask(ada, 'GET /auth/sessions')).body;
    const other = sessions.find(({ current }: { current: boolean }) => !current);
    await ask(ada, 'DELETE /auth/sessions/{id}', { id: other.id });
    await ask(ada, 'DELETE /auth/sessions/{id}', { id: other.id });
    await ask(ada, 'DELETE /auth/sessions/{id}', { id: 'nothing' });
    await ask(ada, 'POST /auth/logout');
    await ask(ada, 'POST /auth/logout');
    const again = await ask(anonymous, 'POST /auth/login', { body: { email, password } });
    await ask(anonymous.withToken(again.body.accessToken), 'POST /auth/logout-all');

    const last = await ask(anonymous, 'POST /auth/login', { body: { email, password } });
    const leaving = anonymous.withToken(last.body.accessToken);
    const newPassword = 'another horse battery';
    await ask(leaving, 'PUT /users/me/password', { body: { currentPassword: 'wrong', newPassword } });
    await ask(leaving, 'PUT /users/me/password', { body: { currentPassword: password, newPassword: email } });
    await ask(leaving, 'PUT /users/me/password', { body: { currentPassword: password } });
    await ask(leaving, 'PUT /users/me/password', { body: { currentPassword: password, newPassword } });
    await ask(leaving, 'GET /users/me/export');
    await ask(leaving, 'DELETE /users/me', { body: { password } });
    await ask(leaving, 'DELETE /users/me', { body: {} });
    await ask(leaving, 'DELETE /users/me', { body: { password: newPassword } });
    await ask(leaving, 'GET /users/me/export');

    const successes = [...operations].flatMap(([call, { responses }]) =>
      Object.keys(responses)
        .filter((status) => /^[23]/.test(status))
        .map((status) => `${call} ${status}`),
    );
    expect(successes.filter((success) => !seen.has(success))).toEqual([]);
  });

  it('is also what a body is answered where none is taken', async () => {
    const ada = await anonymous.signUp();
    const statuses = new Set<string>();
    for (const [call, { requestBody }] of operations) {
      const [method = '', path = ''] = call.split(' ');
      if (requestBody || method === 'GET') continue;
      for (const [body, headers] of [
        ['{', {}],
        ['text', { 'content-type': 'text/plain' }],
        ['x'.repeat(2_000_000), {}],
      ] as const) {
        const answer = await ada.request(method, path.replace('{id}', randomUUID()), { body, headers });
        expect([call, answer.status, faultsOf(call, answer)]).toEqual([call, answer.status, []]);
        statuses.add(`${call} ${answer.status}`);
      }
    }
    expect(statuses.size).toBe(18);
  });

  it.each<[string, unknown]>([
    ['POST /auth/register', { email: 'ada@example.org', password: '1234567' }],
    ['POST /auth/register', { email: 'ada@example.org', password: 'x'.repeat(129) }],
    ['POST /auth/register', { email: 'ada@example.org', password: 'correct horse', displayName: '' }],
    ['POST /auth/register', { email: 'ada@example.org' }],
    ['POST /auth/login', { email: 'ada@example.org', password: '' }],
    ['POST /auth/login', { email: 'ada@example.org', password: 'x', remember: true }],
    ['POST /auth/refresh', { refreshToken: '' }],
    ['POST /entries', { text: '', mood: 5 }],
    ['POST /entries', { text: 'x'.repeat(10_001), mood: 5 }],
    ['POST /entries', { text: 'a', mood: 0 }],
    ['POST /entries', { text: 'a', mood: 11 }],
    ['POST /entries', { text: 'a', mood: 5.5 }],
    ['POST /entries', { text: 'a', mood: '5' }],
    ['POST /entries', { text: 'a', mood: 5, colour: 'blue' }],
    ['POST /entries', { text: 'a', mood: 5, tags: Array(21).fill('a') }],
    ['POST /entries', { text: 'a', mood: 5, tags: ['x'.repeat(51)] }],
    ['POST /entries', { text: 'a', mood: 5, category: 'x'.repeat(51) }],
    ['POST /entries', { text: 'a', mood: 5, occurredAt: 'yesterday' }],
    ['POST /entries/bulk', { entries: [] }],
    ['POST /entries/bulk', { entries: [{ text: 'a', mood: 11 }] }],
    ['POST /entries', null],
    ['POST /entries', []],
  ])('refuses what the service refuses: %s %j', async (call, body) => {
    const ada = await anonymous.signUp();
    expectProblem(await ada.post(call.split(' ')[1]!, body), 422);
    expect(schemaFaults(body, bodyOf(call), document)).not.toEqual([]);
  });

  it.each<[string, unknown]>([
    ['POST /auth/register', { email: 'ada1@example.org', password: '😀'.repeat(128), displayName: null }],
    ['POST /entries', { text: '😀'.repeat(10_000), mood: 1 }],
    [
      'POST /entries',
      { text: 'a', mood: 10, category: 'B', tags: ['c', 'C'], occurredAt: '2024-02-29T00:00:00Z' },
    ],
  ])('takes what the service takes: %s', async (call, body) => {
    const ada = await anonymous.signUp();
    expect((await ada.post(call.split(' ')[1]!, body)).status).toBe(201);
    expect(schemaFaults(body, bodyOf(call), document)).toEqual([]);
  });
});

describe('GET /docs', () => {
  it('is a page that loads, under a policy that lets in no script from elsewhere', async () => {
    const page = await anonymous.get('/docs');
    expect(page.status).toBe(200);
    expect(page.headers.get('content-type')).toContain('text/html');
    const policy = page.headers.get('content-security-policy');
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("script-src 'self'");
    // The policy forbids it: the page would stay empty.
    expect(page.text).not.toMatch(/<script(?![^>]*\ssrc=)/);

    const assets = [...page.text.matchAll(/<(?:script|link)\b[^>]*?\b(?:src|href)="([^"]+)"/g)].map(
      ([, reference]) => new URL(reference!, `${anonymous.url}/docs`),
    );
    expect(assets.length).toBeGreaterThanOrEqual(4);
    for (const asset of assets) {
      expect(asset.origin).toBe(anonymous.url);
      const { status, headers, text } = await anonymous.get(asset.pathname);
      expect([asset.pathname, status]).toEqual([asset.pathname, 200]);
      expect(headers.get('content-type')).toMatch(mediaTypeOf(asset.pathname));
      expect(text.length).toBeGreaterThan(50);
    }
  });

  it('shows the document', async () => {
    const { text } = await anonymous.get('/docs/start.js');
    expect(text).toContain("url: '/openapi.json'");
    // Else swagger.io would be asked for a badge.
    expect(text).toContain('validatorUrl: null');
  });

  it('answers HEAD without a body, and lets its files be cached', async () => {
    const { status, headers, text } = await anonymous.request('HEAD', '/docs/swagger-ui-bundle.js');
    expect([status, text]).toEqual([200, '']);
    expect(Number(headers.get('content-length'))).toBeGreaterThan(1_000_000);
    expect(headers.get('cache-control')).toBe('public, max-age=86400');
  });

  it('serves nothing outside of its folder', async () => {
    for (const path of ['/docs/..%2fpackage.json', '/docs/%2e%2e%2f%2e%2e%2fpackage.json', '/docs/nothing']) {
      expect([path, (await anonymous.get(path)).status]).toEqual([path, 404]);
    }
  });

  it('is not there, and the document neither, with DOCS_ENABLED=false', async () => {
    const silent = await startApp({ DOCS_ENABLED: 'false' });
    try {
      for (const path of ['/docs', '/docs/start.js', '/openapi.json'])
        expectProblem(await silent.anonymous.get(path), 404);
    } finally {
      await silent.close();
    }
  });
});

interface AskOptions {
  readonly id?: string;
  readonly query?: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** The schema of a call's request body, itself. */
function bodyOf(call: string): JsonSchema {
  const schema = operations.get(call)!.requestBody!.content['application/json']!.schema;
  const reference = schema['$ref'];
  return typeof reference === 'string' ? resolveReference(reference, document) : schema;
}

/** In what an answer differs from its description. */
function faultsOf(call: string, { status, headers, text, body }: Answer): string[] {
  const response = operations.get(call)?.responses[status];
  if (!response) return [`${status} is not described`];
  const [mediaType = ''] = (headers.get('content-type') ?? '').split(';');
  if (!response.content) return text === '' ? [] : ['has a body, which is not described'];
  const schema = response.content[mediaType]?.schema;
  if (!schema) return [`is ${mediaType}, which is not described`];
  const missing = Object.keys(response.headers ?? {}).filter((name) => !headers.has(name));
  return [...missing.map((name) => `has no ${name}`), ...schemaFaults(body ?? text, schema, document)];
}

function referencesIn(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) =>
    key === '$ref' && typeof inner === 'string' ? [inner] : referencesIn(inner),
  );
}

/** Reads Fastify's tree of routes: `METHOD /path`, with parameters as OpenAPI writes them. HEAD comes with each GET. */
function routesOf(tree: string): string[] {
  const parents: string[] = [];
  return tree.split('\n').flatMap((line) => {
    const match = /^([│ ]*)[├└]── (\S+)(?: \((.+)\))?$/.exec(line);
    if (!match) return [];
    const [, indent = '', segment = '', methods = ''] = match;
    const depth = indent.length / 4;
    parents.length = depth;
    parents.push(segment);
    const path = parents.join('').replace(/:(\w+)/g, '{$1}');
    return methods
      .split(', ')
      .filter((method) => method !== '' && method !== 'HEAD')
      .map((method) => `${method} ${path}`);
  });
}

function mediaTypeOf(path: string): RegExp {
  if (path.endsWith('.css')) return /^text\/css/;
  if (path.endsWith('.js')) return /^(text|application)\/javascript/;
  return /^image\/png/;
}
