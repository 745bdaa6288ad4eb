import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startService, type TestService } from '../harness/http/service.js';
import type { ApiClient, ApiResponse } from '../harness/http/client.js';
import { UUID_V7 } from '../harness/http/formats.js';
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

describe('x-request-id', () => {
  it.each(['a', 'A-Za-z0-9._-', '01a20f82-9a69-74d9-ab45-fad434e8495e', 'x'.repeat(128)])(
    'is kept when it is %s',
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

  it('is generated for each request without one, for any status', async () => {
    const { id } = (await ada.post('/entries', ENTRY)).body;
    const responses = [
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
    expect(responses.map(({ status }) => status)).toEqual([200, 304, 204, 401, 404, 400, 405, 400, 413, 200]);
    const ids = responses.map(({ headers }) => headers.get('x-request-id'));
    for (const each of ids) expect(each).toMatch(UUID_V7);
    expect(new Set(ids).size).toBe(ids.length);
    for (const { headers } of responses) expect(headers.get('x-content-type-options')).toBe('nosniff');
  });
});

describe('header injection', () => {
  it.each([
    ['by the path', '/entries/%0d%0ax-injected:%20yes', ''],
    ['by an unknown path', '/%0d%0ax-injected:%20yes', ''],
    ['by the query', '/entries?sort=%0d%0ax-injected:%20yes', ''],
    ['by the request id', '/users/me', 'x-request-id: a%0d%0ax-injected: yes\r\n'],
    ['by the request id, folded', '/users/me', 'x-request-id: a\r\n x-injected: yes\r\n'],
    ['by the request id, with a bare line feed', '/users/me', 'x-request-id: a\nx-injected: yes\r\n'],
    ['by the request id, with a bare carriage return', '/users/me', 'x-request-id: a\rx-injected: yes\r\n'],
    ['by If-None-Match', '/users/me', 'if-none-match: "1"%0d%0ax-injected: yes\r\n'],
    ['by the origin', '/users/me', 'origin: https://a.example%0d%0ax-injected: yes\r\n'],
    ['by the host', '/users/me', 'x-forwarded-host: a%0d%0ax-injected: yes\r\n'],
  ])('%s has no effect', async (_name, path, header) => {
    const authorization = `authorization: Bearer ${ada.account.accessToken}\r\n`;
    const response = await sendRaw(
      service.url,
      `GET ${path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n${authorization}${header}\r\n`,
    );
    expect(response).toMatch(/^HTTP\/1\.1 [24]\d\d /);
    expect(response.split('\r\n\r\n', 1)[0]).not.toMatch(/x-injected/i);
  });
});

describe('every response', () => {
  const responses = async (): Promise<ApiResponse[]> => [
    await ada.get('/users/me'),
    await anonymous.get('/health'),
    await anonymous.get('/users/me'),
    await anonymous.get('/nothing'),
    await anonymous.get('/%E0%A4%A'),
    await ada.post('/entries', '{'),
  ];

  it('has the security headers', async () => {
    for (const { headers } of await responses()) {
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('content-security-policy')).toContain("default-src 'none'");
      expect(headers.get('content-security-policy')).toContain("frame-ancestors 'none'");
      expect(headers.get('referrer-policy')).toBe('no-referrer');
      expect(headers.get('cross-origin-resource-policy')).toBe('same-origin');
    }
  });

  it('names no software, and allows no other origin', async () => {
    for (const { headers } of await responses()) {
      expect(headers.has('x-powered-by')).toBe(false);
      expect(headers.has('server')).toBe(false);
    }
    const { headers } = await anonymous.get('/health', { origin: 'https://app.example.org' });
    expect(headers.has('access-control-allow-origin')).toBe(false);
  });
});

describe('an unexpected failure', () => {
  it('returns 500 without SQL, path or stack', async () => {
    await service.database.query('ALTER TABLE entries RENAME COLUMN mood TO moood');
    try {
      const { id } = { id: '01a20f82-9a69-74d9-ab45-fad434e8495e' };
      for (const response of [
        await ada.get('/entries'),
        await ada.get(`/entries/${id}`),
        await ada.post('/entries', ENTRY),
        await ada.patch(`/entries/${id}`, { mood: 5 }),
      ]) {
        const { detail } = expectProblem(response, 500);
        expect(response.body.errors).toBeUndefined();
        expect(detail).not.toMatch(/mood|entries|select|insert|column|\.[jt]s\b|\bat /i);
      }
    } finally {
      await service.database.query('ALTER TABLE entries RENAME COLUMN moood TO mood');
    }
    expect((await ada.post('/entries', ENTRY)).status).toBe(201);
  });
});

describe('GET /metrics', () => {
  it('counts requests by route pattern, in the format of Prometheus, without a token', async () => {
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
