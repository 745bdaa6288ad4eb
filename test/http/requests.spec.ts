import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startApp, type TestApp } from '../harness/http/app.js';
import type { ApiClient } from '../harness/http/client.js';
import { expectProblem } from '../harness/http/problem.js';
import { sendRaw } from '../harness/http/raw-request.js';

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
  ])('%s, which is unknown, returns 404 with and without a token', async (path) => {
    expect(expectProblem(await anonymous.get(path), 404).instance).toBe(path);
    expectProblem(await ada.get(path), 404);
    expectProblem(await ada.post(path, ENTRY), 404);
  });

  it('that is unknown, with a query, returns a problem whose instance has no query', async () => {
    expect(expectProblem(await anonymous.get('/nothing?password=secret'), 404).instance).toBe('/nothing');
  });

  it.each(['/%E0%A4%A', '/entries/%E0%A4%A', '/%', '/entries/%zz', '/users/me%'])(
    '%s, which is not a valid URL, returns 400',
    async (path) => {
      expect(expectProblem(await anonymous.get(path), 400).instance).toBe(path);
      expectProblem(await ada.get(path), 400);
    },
  );

  it('longer than any route returns 404', async () => {
    expectProblem(await ada.get(`/entries/${'x'.repeat(5000)}`), 404);
  });
});

describe('a method that the route does not have', () => {
  const id = '01a20f82-9a69-74d9-ab45-fad434e8495e';
  it.each([
    ['PUT', '/entries', 'GET, HEAD, POST'],
    ['DELETE', '/entries', 'GET, HEAD, POST'],
    ['PATCH', '/entries?limit=5', 'GET, HEAD, POST'],
    ['OPTIONS', '/entries', 'GET, HEAD, POST'],
    ['POST', `/entries/${id}`, 'DELETE, GET, HEAD, PATCH'],
    ['PUT', `/entries/${id}`, 'DELETE, GET, HEAD, PATCH'],
    ['GET', `/entries/${id}/restore`, 'POST'],
    // Not an entry of this id.
    ['PATCH', '/entries/bulk', 'POST'],
    ['DELETE', '/entries/export?format=csv', 'GET, HEAD'],
    ['GET', '/entries/import', 'POST'],
    ['GET', '/auth/login', 'POST'],
    ['HEAD', '/auth/login', 'POST'],
    ['DELETE', '/auth/register', 'POST'],
    ['POST', '/users/me', 'DELETE, GET, HEAD, PATCH'],
    ['POST', '/health', 'GET, HEAD'],
    ['PROPFIND', '/entries', 'GET, HEAD, POST'],
  ])('%s %s returns 405 with Allow: %s, with and without a token', async (method, path, allow) => {
    for (const client of [anonymous, ada]) {
      const response = await client.request(method, path);
      if (method === 'HEAD') expect(response.status).toBe(405);
      else expectProblem(response, 405);
      expect(response.headers.get('allow')).toBe(allow);
    }
  });
});

describe('HEAD', () => {
  it.each(['/users/me', '/entries', '/health', '/health/live'])(
    '%s returns the status and headers of GET, and no body',
    async (path) => {
      const [head, get] = [await ada.request('HEAD', path), await ada.get(path)];
      expect({ status: head.status, text: head.text }).toEqual({ status: get.status, text: '' });
      expect(head.headers.get('content-type')).toBe(get.headers.get('content-type'));
      expect(head.headers.get('content-length')).toBe(get.headers.get('content-length'));
    },
  );

  it('requires a token if GET does', async () => {
    expect((await anonymous.request('HEAD', '/users/me')).status).toBe(401);
  });
});

describe('a malformed HTTP request', () => {
  it.each([
    ['one line of text', 'hello there\r\n\r\n', 400],
    ['a header without a name', 'GET / HTTP/1.1\r\nhost: a\r\n: b\r\n\r\n', 400],
    [
      'two lengths that differ',
      'POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\na',
      400,
    ],
    ['a URL of 20 KiB', `GET /entries?q=${'a'.repeat(20_480)} HTTP/1.1\r\nhost: a\r\n\r\n`, 431],
    ['headers of 20 KiB', `GET / HTTP/1.1\r\nhost: a\r\nx-long: ${'a'.repeat(20_480)}\r\n\r\n`, 431],
  ])('of %s returns a problem, and the connection is closed', async (_name, bytes, status) => {
    const response = await sendRaw(service.url, bytes);
    const [head = '', body = ''] = response.split('\r\n\r\n');
    expect(head).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(head).toContain('content-type: application/problem+json');
    expect(head).toContain('connection: close');
    const problem = JSON.parse(body) as { status: number; requestId: string };
    expect(problem.status).toBe(status);
    expect(head).toContain(`x-request-id: ${problem.requestId}`);
    expect((await anonymous.get('/health/live')).status).toBe(200);
  });
});

describe('the time limit of a client', () => {
  // src/http/problem/client-error.spec.ts causes the time-outs, with shorter limits.
  it('is 10 s for the headers and 30 s for the whole request', () => {
    const { headersTimeout, requestTimeout } = service.app.getHttpServer();
    expect({ headersTimeout, requestTimeout }).toEqual({ headersTimeout: 10_000, requestTimeout: 30_000 });
  });
});

describe('a request that Node answers by default', () => {
  it('without a Host header returns a problem with status 400', async () => {
    const response = await sendRaw(service.url, 'GET /health/live HTTP/1.1\r\nconnection: close\r\n\r\n');
    expect(response).toMatch(/^HTTP\/1.1 400 /);
    expect(response).toContain('The Host header is missing');
  });

  it('with an unknown Expect header is served', async () => {
    const response = await sendRaw(
      service.url,
      'GET /health/live HTTP/1.1\r\nhost: a\r\nexpect: tea\r\nconnection: close\r\n\r\n',
    );
    expect(response).toMatch(/^HTTP\/1.1 200 /);
  });
});

describe('a request that fails after its response', () => {
  it('has no second response, which the client could take for that of its next request', async () => {
    const response = await sendRaw(
      service.url,
      'POST /entries HTTP/1.1\r\nhost: a\r\ntransfer-encoding: nonsense\r\n\r\n',
    );
    expect(response.match(/^HTTP\/1.1 \d+/gm)).toHaveLength(1);
  });
});
