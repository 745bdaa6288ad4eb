import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startService, type TestService } from '../harness/http/service.js';
import { expectProblem } from '../harness/http/problem.js';

const ENTRY = { text: 'Walked by the river.', mood: 7 };

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

/** Headers for the browser itself, or for the connection. */
const OF_THE_BROWSER =
  /^(access-control-.*|connection|content-security-policy|cross-origin-.*|date|keep-alive|origin-agent-cluster|referrer-policy|strict-transport-security|transfer-encoding|vary|x-content-type-options|x-dns-prefetch-control|x-download-options|x-frame-options|x-permitted-cross-domain-policies|x-xss-protection)$/;

const ORIGIN = 'https://app.example.org';

let service: TestService;
beforeAll(async () => {
  service = await startService({
    CORS_ORIGINS: `${ORIGIN},http://localhost:3000`,
    BODY_LIMIT_BYTES: '2048',
    METRICS_ENABLED: 'false',
    RATE_LIMIT_ENABLED: 'true',
  });
});
afterAll(() => service.close());

describe('CORS_ORIGINS', () => {
  it.each([ORIGIN, 'http://localhost:3000'])('allows requests from %s', async (origin) => {
    const preflight = await service.anonymous.request('OPTIONS', '/entries', {
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

    const { headers } = await service.anonymous.get('/users/me', { origin });
    expect(headers.get('access-control-allow-origin')).toBe(origin);
  });

  it('exposes every header that a page can use', async () => {
    const from = (headers: Readonly<Record<string, string>> = {}) => ({ origin: ORIGIN, ...headers });
    const bob = await service.signUp();
    const created = await bob.post('/entries', ENTRY, from({ 'idempotency-key': 'once' }));
    const responses = [
      created,
      await bob.post('/entries', ENTRY, from({ 'idempotency-key': 'once' })),
      await bob.get(`/entries/${created.body.id}`, from({ 'if-none-match': '*' })),
      await bob.get('/entries', from()),
      await bob.get('/entries/export', from()),
      await bob.get('/users/me/export', from()),
      await bob.delete(`/entries/${created.body.id}`, from()),
      await bob.put('/entries', ENTRY, from()),
      await bob.post('/entries', 'x'.repeat(2049), from()),
      await service.anonymous.get('/users/me', from()),
      await service.anonymous.get('/nothing', from()),
    ];
    expect(responses.map(({ status }) => status)).toEqual([
      ...[201, 201, 304, 200, 200, 200, 204],
      ...[405, 413, 401, 404],
    ]);
    const sent = new Set(responses.flatMap(({ headers }) => [...headers.keys()]));
    const exposed = responses[0]!.headers.get('access-control-expose-headers')!.split(', ');
    for (const { headers } of responses) {
      expect(headers.get('access-control-allow-origin')).toBe(ORIGIN);
      expect(headers.get('access-control-expose-headers')).toBe(exposed.join(', '));
    }
    const hidden = [...sent].filter(
      (name) => !exposed.includes(name) && !READABLE_ANYWAY.has(name) && !OF_THE_BROWSER.test(name),
    );
    expect(hidden).toEqual([]);
    expect(exposed.filter((name) => !sent.has(name))).toEqual(['retry-after']);
  });

  it('returns no body for an OPTIONS that is not a preflight', async () => {
    const { status, text } = await service.anonymous.request('OPTIONS', '/entries');
    expect({ status, text }).toEqual({ status: 204, text: '' });
  });

  it.each([
    'https://evil.example.org',
    'https://app.example.org.evil.example',
    'http://app.example.org',
    'null',
  ])('does not allow requests from %s', async (origin) => {
    const preflight = await service.anonymous.request('OPTIONS', '/entries', {
      headers: { origin, 'access-control-request-method': 'POST' },
    });
    const { headers } = await service.anonymous.get('/health', { origin });
    for (const allowed of [preflight.headers, headers]) {
      expect(allowed.has('access-control-allow-origin')).toBe(false);
    }
  });
});

describe('BODY_LIMIT_BYTES=2048', () => {
  it('returns 413 for a body of more than 2048 bytes', async () => {
    const body = JSON.stringify({ email: 'a', password: 'b' });
    expectProblem(await service.anonymous.post('/auth/login', body.padEnd(2048)), 422);
    expectProblem(await service.anonymous.post('/auth/login', body.padEnd(2049)), 413);
  });
});

describe('METRICS_ENABLED=false', () => {
  it('returns 404 for /metrics', async () => {
    expectProblem(await service.anonymous.get('/metrics'), 404);
  });
});
