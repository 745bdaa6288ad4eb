import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startApp, type TestApp } from '../harness/http/app.js';
import type { ApiClient } from '../harness/http/client.js';
import { resolveReference, schemaFaults, type JsonSchema } from '../harness/http/json-schema.js';
import { OpenApi } from '../harness/http/openapi.js';
import { expectProblem } from '../harness/http/problem.js';

/** All operations, and whether they require a token. */
const CONTRACT = {
  'GET /health': 'public',
  'GET /health/live': 'public',
  'POST /auth/register': 'public',
  'POST /auth/login': 'public',
  'POST /auth/refresh': 'public',
  'POST /auth/forgot-password': 'public',
  'POST /auth/reset-password': 'public',
  'POST /auth/verify-email': 'public',
  'POST /auth/verify-email/resend': 'secured',
  'POST /users/me/email': 'secured',
  'POST /auth/logout': 'secured',
  'POST /auth/logout-all': 'secured',
  'GET /auth/sessions': 'secured',
  'DELETE /auth/sessions/{id}': 'secured',
  'GET /users/me': 'secured',
  'PATCH /users/me': 'secured',
  'DELETE /users/me': 'secured',
  'PUT /users/me/password': 'secured',
  'GET /users/me/export': 'secured',
  'GET /users/me/security-events': 'secured',
  'GET /users/me/second-factor': 'secured',
  'POST /users/me/second-factor': 'secured',
  'DELETE /users/me/second-factor': 'secured',
  'POST /users/me/second-factor/confirm': 'secured',
  'POST /users/me/second-factor/recovery-codes': 'secured',
  'GET /admin/users': 'secured',
  'GET /admin/users/{id}': 'secured',
  'PATCH /admin/users/{id}': 'secured',
  'POST /admin/users/{id}/end-sessions': 'secured',
  'DELETE /admin/users/{id}': 'secured',
  'DELETE /admin/users/{id}/second-factor': 'secured',
  'GET /entries': 'secured',
  'POST /entries': 'secured',
  'POST /entries/bulk': 'secured',
  'GET /entries/export': 'secured',
  'POST /entries/import': 'secured',
  'GET /entries/trash': 'secured',
  'DELETE /entries/trash/{id}': 'secured',
  'GET /entries/stats': 'secured',
  'GET /entries/stats/chart.svg': 'secured',
  'GET /entries/{id}': 'secured',
  'PATCH /entries/{id}': 'secured',
  'DELETE /entries/{id}': 'secured',
  'POST /entries/{id}/restore': 'secured',
} as const;

/** Not part of the API: metrics, and the document itself. */
const NOT_DESCRIBED = /^GET \/(metrics|openapi\.json|docs(\/.*)?)$/;

let service: TestApp;
let anonymous: ApiClient;
let api: OpenApi;
beforeAll(async () => {
  service = await startApp();
  anonymous = service.anonymous;
  api = await OpenApi.of(anonymous);
});
afterAll(() => service.close());

describe('GET /openapi.json', () => {
  it('returns an OpenAPI 3.1 document, without a token', async () => {
    const { status, headers, body } = await anonymous.get('/openapi.json');
    expect(status).toBe(200);
    expect(headers.get('content-type')).toBe('application/json; charset=utf-8');
    expect(body.openapi).toMatch(/^3\.1\.\d+$/);
    expect(body.info).toMatchObject({
      title: expect.stringMatching(/\S/),
      version: expect.stringMatching(/\S/),
    });
  });

  it('is what docs/openapi.json has, which npm run openapi writes', () => {
    expect(JSON.parse(readFileSync('docs/openapi.json', 'utf8'))).toEqual(api.document);
  });

  it('describes exactly the operations of the API', () => {
    expect([...api.operations.keys()].sort()).toEqual(Object.keys(CONTRACT).sort());
  });

  it('describes every route of the service that is part of the API', () => {
    const routes = routesOf(service.app.getHttpAdapter().getInstance().printRoutes({ commonPrefix: false }));
    expect(routes).toContain('POST /entries/{id}/restore');
    expect(routes.filter((route) => !NOT_DESCRIBED.test(route)).sort()).toEqual(
      [...api.operations.keys()].sort(),
    );
  });

  it('states correctly whether an operation requires a token', async () => {
    for (const [call, operation] of api.operations) {
      const secured = CONTRACT[call as keyof typeof CONTRACT] === 'secured';
      expect([call, operation.security]).toEqual([call, secured ? [{ bearer: [] }] : []]);
      const [method = '', path = ''] = call.split(' ');
      const response = await anonymous.request(method, path.replace('{id}', randomUUID()));
      expect([call, response.status === 401]).toEqual([call, secured]);
    }
  });

  it('defines the security scheme that it uses', () => {
    expect(api.document.components.securitySchemes['bearer']).toMatchObject({
      type: 'http',
      scheme: 'bearer',
    });
  });

  it('has no broken reference and no unused component', () => {
    const references = new Set(referencesIn(api.document));
    expect(references.size).toBeGreaterThan(0);
    for (const reference of references) expect(() => resolveReference(reference, api.document)).not.toThrow();
    const components = Object.keys(api.document.components.schemas).map(
      (name) => `#/components/schemas/${name}`,
    );
    expect([...references].sort()).toEqual(components.sort());
  });

  it('describes each schema, with an example that fits it', () => {
    for (const [name, schema] of Object.entries(api.document.components.schemas)) {
      expect([name, schema['description']]).toEqual([name, expect.stringMatching(/\S/)]);
      expect([name, schemaFaults(schema['example'], schema, api.document)]).toEqual([name, []]);
    }
  });

  it('gives each operation an id of its own, such as createEntry', () => {
    const ids = [...api.operations.values()].map(({ operationId }) => operationId);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.filter((id) => !/^[a-z]+([A-Z][a-z]+)*$/.test(id))).toEqual([]);
    expect(ids).toEqual(expect.arrayContaining(['register', 'login', 'createEntry', 'listEntries']));
  });

  it('gives each operation a summary, a description, a tag and one success response', () => {
    const tags = api.document.tags.map(({ name }) => name);
    expect(tags).toEqual(['Auth', 'Users', 'Entries', 'Admin', 'Operations']);
    for (const operation of api.operations.values()) {
      expect(operation.summary).toMatch(/\S/);
      expect(operation.description).toMatch(/\S/);
      expect(operation.tags).toHaveLength(1);
      expect(tags).toContain(operation.tags![0]);
      const successes = Object.keys(operation.responses).filter((status) => status.startsWith('2'));
      expect(successes).toHaveLength(1);
    }
  });

  it('describes every error as application/problem+json', () => {
    for (const [call, { responses }] of api.operations) {
      for (const [status, { content }] of Object.entries(responses)) {
        if (!/^[45]/.test(status) || `${call} ${status}` === 'GET /health 503') continue;
        expect([call, status, content]).toEqual([
          call,
          status,
          { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
        ]);
      }
    }
  });

  it('describes the parameters of a path', () => {
    for (const [call, { parameters }] of api.operations) {
      const inPath = parameters.filter((parameter) => parameter.in === 'path');
      expect([call, inPath.map(({ name, required }) => ({ name, required }))]).toEqual([
        call,
        call.includes('{id}') ? [{ name: 'id', required: true }] : [],
      ]);
    }
  });

  it.each([
    ['POST /auth/register', ['displayName', 'email', 'password'], ['email', 'password']],
    ['POST /auth/login', ['code', 'email', 'password'], ['email', 'password']],
    ['POST /auth/refresh', ['refreshToken'], ['refreshToken']],
    ['POST /auth/forgot-password', ['email'], ['email']],
    ['POST /auth/reset-password', ['newPassword', 'token'], ['newPassword', 'token']],
    ['POST /auth/verify-email', ['token'], ['token']],
    ['POST /users/me/email', ['code', 'newEmail', 'password'], ['newEmail', 'password']],
    ['PATCH /users/me', ['displayName', 'timezone'], []],
    [
      'PUT /users/me/password',
      ['code', 'currentPassword', 'newPassword'],
      ['currentPassword', 'newPassword'],
    ],
    ['DELETE /users/me', ['code', 'password'], ['password']],
    ['POST /users/me/second-factor', ['password'], ['password']],
    ['DELETE /users/me/second-factor', ['code', 'password'], ['code', 'password']],
    ['POST /users/me/second-factor/confirm', ['code'], ['code']],
    ['POST /users/me/second-factor/recovery-codes', ['code', 'password'], ['code', 'password']],
    ['PATCH /admin/users/{id}', ['disabled', 'role'], []],
    ['POST /entries', ['category', 'mood', 'occurredAt', 'tags', 'text'], ['mood', 'text']],
    ['PATCH /entries/{id}', ['category', 'mood', 'occurredAt', 'tags', 'text'], []],
    ['POST /entries/bulk', ['entries'], ['entries']],
  ])('describes the fields of the body of %s, and which are required', (call, fields, required) => {
    expect(api.operation(call).requestBody!.required).toBe(true);
    const schema = api.bodyOf(call);
    expect(Object.keys(schema['properties'] as object).sort()).toEqual(fields);
    expect([...((schema['required'] as string[] | undefined) ?? [])].sort()).toEqual(required);
    expect(schema['additionalProperties']).toBe(false);
  });

  it('describes a body for no other operation', () => {
    const withBody = [...api.operations].filter(([, { requestBody }]) => requestBody).map(([call]) => call);
    expect(withBody).toHaveLength(19);
  });

  it('describes the media types of import and export', () => {
    const mediaTypes = ['application/x-ndjson', 'text/csv'];
    const { requestBody } = api.operation('POST /entries/import');
    expect(requestBody!.required).toBe(true);
    const uploads = [
      'application/json',
      'application/octet-stream',
      'application/zip',
      'multipart/form-data',
    ];
    expect(Object.keys(requestBody!.content).sort()).toEqual([...mediaTypes, ...uploads].sort());
    const { content } = api.operation('GET /entries/export').responses['200']!;
    expect(Object.keys(content!).sort()).toEqual([...mediaTypes, 'application/zip'].sort());
  });

  it.each([
    [
      'POST /auth/register',
      'email',
      { type: 'string', pattern: expect.stringContaining('@'), maxLength: 254 },
    ],
    ['POST /auth/register', 'password', { type: 'string', minLength: 8, maxLength: 128 }],
    ['POST /auth/register', 'displayName', { type: ['string', 'null'], minLength: 1, maxLength: 100 }],
    ['POST /auth/login', 'password', { type: 'string', minLength: 1, maxLength: 128 }],
    ['POST /auth/login', 'code', { type: 'string', minLength: 6, maxLength: 64 }],
    ['PATCH /users/me', 'displayName', { type: ['string', 'null'], minLength: 1, maxLength: 100 }],
    ['POST /entries', 'text', { type: 'string', minLength: 1, maxLength: 10_000 }],
    ['POST /entries', 'mood', { type: 'integer', minimum: 1, maximum: 10 }],
    ['POST /entries', 'category', { type: 'string', minLength: 1, maxLength: 50, default: 'general' }],
    ['POST /entries', 'tags', { type: 'array', maxItems: 20, default: [] }],
    ['POST /entries', 'occurredAt', { type: 'string', format: 'date-time' }],
    ['PATCH /entries/{id}', 'text', { type: 'string', minLength: 1, maxLength: 10_000 }],
    ['PATCH /entries/{id}', 'mood', { type: 'integer', minimum: 1, maximum: 10 }],
  ])('describes the limits of %s: %s', (call, field, bounds) => {
    expect((api.bodyOf(call)['properties'] as Record<string, JsonSchema>)[field]).toMatchObject(bounds);
  });

  it('describes the limits of a tag', () => {
    const { tags } = api.bodyOf('POST /entries')['properties'] as Record<string, JsonSchema>;
    expect(tags!['items']).toMatchObject({ type: 'string', minLength: 1, maxLength: 50 });
  });

  it('has no defaults for PATCH', () => {
    for (const schema of Object.values(
      api.bodyOf('PATCH /entries/{id}')['properties'] as Record<string, JsonSchema>,
    )) {
      expect(schema).not.toHaveProperty('default');
    }
  });

  describe.each(['GET /entries', 'GET /entries/trash'])('of %s', (call) => {
    const label = { type: 'string', minLength: 1, maxLength: 50 };
    const mood = { type: 'integer', minimum: 1, maximum: 10 };
    const dateOrInstant = {
      anyOf: [
        expect.objectContaining({ type: 'string', format: 'date' }),
        expect.objectContaining({ type: 'string', format: 'date-time' }),
      ],
    };
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
      ['from', dateOrInstant],
      ['to', dateOrInstant],
    ])('describes the limits of the optional parameter %s', (name, bounds) => {
      const parameter = api.operation(call).parameters.find((each) => each.name === name);
      expect(parameter).toMatchObject({ in: 'query', required: false, schema: bounds });
    });

    it('describes no other parameter', () => {
      const query = api.operation(call).parameters.filter((each) => each.in === 'query');
      expect(query).toHaveLength(12);
    });
  });

  it('describes the request headers that an operation uses', () => {
    const headers = [...api.operations].flatMap(([call, { parameters }]) =>
      parameters.filter((parameter) => parameter.in === 'header').map(({ name }) => `${call} ${name}`),
    );
    expect(headers.sort()).toEqual([
      'DELETE /entries/{id} If-Match',
      'DELETE /entries/{id} If-None-Match',
      'GET /entries If-None-Match',
      'GET /entries/stats If-None-Match',
      'GET /entries/stats/chart.svg If-None-Match',
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

describe('GET /docs', () => {
  it('returns a page that works under a policy that allows no script of another origin', async () => {
    const page = await anonymous.get('/docs');
    expect(page.status).toBe(200);
    expect(page.headers.get('content-type')).toContain('text/html');
    const policy = page.headers.get('content-security-policy');
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("script-src 'self'");
    // The policy forbids inline scripts.
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

  it('loads the document', async () => {
    const { text } = await anonymous.get('/docs/start.js');
    expect(text).toContain("url: '/openapi.json'");
    // Otherwise the page asks swagger.io for a badge.
    expect(text).toContain('validatorUrl: null');
  });

  it('returns no body for HEAD, and allows caching of its files', async () => {
    const { status, headers, text } = await anonymous.request('HEAD', '/docs/swagger-ui-bundle.js');
    expect([status, text]).toEqual([200, '']);
    expect(Number(headers.get('content-length'))).toBeGreaterThan(1_000_000);
    expect(headers.get('cache-control')).toBe('public, max-age=86400');
  });

  it('serves no file outside of its folder', async () => {
    for (const path of ['/docs/..%2fpackage.json', '/docs/%2e%2e%2f%2e%2e%2fpackage.json', '/docs/nothing']) {
      expect([path, (await anonymous.get(path)).status]).toEqual([path, 404]);
    }
  });

  it('returns 404, like the document, with DOCS_ENABLED=false', async () => {
    const silent = await startApp({ DOCS_ENABLED: 'false' });
    try {
      for (const path of ['/docs', '/docs/start.js', '/openapi.json'])
        expectProblem(await silent.anonymous.get(path), 404);
    } finally {
      await silent.close();
    }
  });
});

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
