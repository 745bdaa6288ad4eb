import {
  BadRequestException,
  HttpException,
  Logger,
  NotFoundException,
  ServiceUnavailableException,
  type ArgumentsHost,
} from '@nestjs/common';
import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { fastify, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { AllowedMethods } from './allowed-methods.js';
import { ProblemFilter, sendFrameworkProblem } from './problem.filter.js';

const JSON_TYPE = { 'content-type': 'application/json' };

class ConnectionLostError extends Error {}

const log = { log: jest.fn(), warn: jest.fn(), error: jest.fn() };
const allowedMethods = new AllowedMethods();
const filter = new ProblemFilter(allowedMethods, [
  (error) =>
    error instanceof ConnectionLostError
      ? new ServiceUnavailableException('The store is unavailable')
      : undefined,
]);

function hostOf(request: unknown, reply: unknown): ArgumentsHost {
  return { switchToHttp: () => ({ getRequest: () => request, getResponse: () => reply }) } as ArgumentsHost;
}

let server: FastifyInstance;
let url: string;
/** What the route does. */
let behave: (request: FastifyRequest, reply: FastifyReply) => unknown;

beforeAll(async () => {
  Logger.overrideLogger(log);
  server = fastify({ genReqId: () => 'req-1', bodyLimit: 64, frameworkErrors: sendFrameworkProblem });
  allowedMethods.observe(server);
  server.setErrorHandler((error, request, reply) => filter.catch(error, hostOf(request, reply)));
  server.setNotFoundHandler((request, reply) =>
    filter.catch(new NotFoundException('Cannot GET /x'), hostOf(request, reply)),
  );
  server.all('/anything', (request, reply) => behave(request, reply));
  server.get('/read-only', () => null);
  server.get('/items/:id', () => null);
  url = await server.listen({ host: '127.0.0.1', port: 0 });
});
afterAll(async () => {
  await server.close();
  Logger.overrideLogger(true);
});
beforeEach(() => {
  jest.clearAllMocks();
});

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
  readonly body: unknown;
}

async function ask(path: string, request?: RequestInit): Promise<Answer> {
  const response = await fetch(url + path, request);
  const text = await response.text();
  return {
    status: response.status,
    headers: Object.fromEntries(response.headers),
    text,
    body: JSON.parse(text),
  };
}

function answerTo(thrown: unknown): Promise<Answer> {
  behave = () => {
    throw thrown;
  };
  return ask('/anything?q=secret');
}

describe('ProblemFilter', () => {
  it('sends an HttpException as an RFC 9457 problem', async () => {
    const answer = await answerTo(new NotFoundException('No such entry'));
    expect(answer.status).toBe(404);
    expect(answer.headers['content-type']).toBe('application/problem+json; charset=utf-8');
    expect(answer.body).toEqual({
      type: 'about:blank',
      title: 'Not Found',
      status: 404,
      detail: 'No such entry',
      instance: '/anything',
      requestId: 'req-1',
    });
  });

  it('says what is wrong where', async () => {
    const errors = [{ path: 'mood', message: 'must be a whole number' }];
    const answer = await answerTo(new BadRequestException({ message: 'The query is not valid', errors }));
    expect(answer.body).toMatchObject({ status: 400, detail: 'The query is not valid', errors });
  });

  it('sends the type and title that an exception gives', async () => {
    const own = { type: '/problems/too-late', title: 'Too Late', message: 'It ended at noon' };
    const answer = await answerTo(new BadRequestException(own));
    expect(answer.body).toMatchObject({ type: '/problems/too-late', title: 'Too Late', status: 400 });
    expect(answer.body).toMatchObject({ detail: 'It ended at noon' });
  });

  it('accepts exceptions with a plain text and without a message', async () => {
    expect((await answerTo(new HttpException('Slow down', 429))).body).toMatchObject({
      title: 'Too Many Requests',
      detail: 'Slow down',
    });
    expect((await answerTo(new BadRequestException({ code: 7 }))).body).toMatchObject({
      status: 400,
      detail: 'Bad Request Exception',
    });
  });

  it('sends the report of a health check unchanged', async () => {
    const report = { status: 'error', info: {}, error: { database: { status: 'down' } }, details: {} };
    const answer = await answerTo(new ServiceUnavailableException(report));
    expect(answer.status).toBe(503);
    expect(answer.headers).toMatchObject({
      'content-type': 'application/json; charset=utf-8',
      'retry-after': '1',
    });
    expect(answer.body).toEqual(report);
  });

  it.each<[string, unknown]>([
    ['an error', new Error('duplicate key in /srv/app/db.ts: SELECT 1')],
    ['an error that only looks like one of Fastify', Object.assign(new Error('x'), { statusCode: 400 })],
    ["a library's error of 5xx", Object.assign(new Error('x'), { statusCode: 502, code: 'BAD' })],
  ])(
    'returns 500 for %s that is unexpected: the response says nothing about it, the log everything',
    async (_what, thrown) => {
      const answer = await answerTo(thrown);
      expect(answer.status).toBe(500);
      expect(answer.body).toEqual({
        type: 'about:blank',
        title: 'Internal Server Error',
        status: 500,
        detail: 'Internal error; the log has the details under this request id',
        instance: '/anything',
        requestId: 'req-1',
      });
      expect(log.error).toHaveBeenCalledWith(thrown, undefined, 'Problem');
    },
  );

  it.each([['a text'], [null], [undefined], [7]])('answers 500 when %j is thrown', (thrown) => {
    const sent: string[] = [];
    const reply = {
      raw: {},
      hasHeader: () => false,
      code: jest.fn().mockReturnThis(),
      header: jest.fn().mockReturnThis(),
      send: (body: string) => sent.push(body),
    };
    filter.catch(thrown, hostOf({ url: '/anything', id: 'req-1', is404: false }, reply));
    expect(reply.code).toHaveBeenCalledWith(500);
    expect(JSON.parse(sent[0]!)).toMatchObject({ status: 500, instance: '/anything' });
  });

  it('uses its classifiers and logs the cause', async () => {
    const answer = await answerTo(new ConnectionLostError('read ECONNRESET'));
    expect(answer.status).toBe(503);
    expect(answer.headers['retry-after']).toBe('1');
    expect(answer.body).toMatchObject({ detail: 'The store is unavailable' });
    expect(answer.text).not.toContain('ECONNRESET');
    expect(log.warn).toHaveBeenCalledWith('The store is unavailable: read ECONNRESET', 'Problem');
    expect(log.error).not.toHaveBeenCalled();
  });

  it('keeps an existing Retry-After', async () => {
    behave = (_request, reply) => {
      void reply.header('retry-after', '30');
      throw new ServiceUnavailableException();
    };
    expect((await ask('/anything')).headers['retry-after']).toBe('30');
  });

  it.each<[string, number, RequestInit, RegExp]>([
    ['a body past the limit', 413, { headers: JSON_TYPE, body: `"${'x'.repeat(100)}"` }, /too large/],
    [
      'a body of another media type',
      415,
      { headers: { 'content-type': 'text/x' }, body: 'x' },
      /application\/json/,
    ],
    ['a body that is not JSON', 400, { headers: JSON_TYPE, body: '{' }, /not valid JSON/],
    ['an empty body said to be JSON', 400, { headers: JSON_TYPE }, /is empty/],
  ])('answers %s with our own message', async (_what, status, request, detail) => {
    behave = () => null;
    const answer = await ask('/anything', { method: 'POST', ...request });
    expect(answer.status).toBe(status);
    expect(answer.body).toMatchObject({ status, detail: expect.stringMatching(detail) });
    expect(answer.text).not.toContain('FST_');
    expect(log.error).not.toHaveBeenCalled();
  });

  it('answers 404 for an unknown route', async () => {
    const answer = await ask('/nothing');
    expect(answer.body).toMatchObject({ status: 404, detail: 'No such route' });
    expect(answer.headers['allow']).toBeUndefined();
  });

  it('answers 405 with Allow if the path has other methods', async () => {
    const answer = await ask('/read-only?x=1', { method: 'DELETE' });
    expect(answer.headers['allow']).toBe('GET, HEAD');
    expect(answer.body).toMatchObject({
      status: 405,
      title: 'Method Not Allowed',
      detail: 'DELETE is not allowed here; allowed: GET, HEAD',
      instance: '/read-only',
    });
  });

  it.each([
    ['sent', { sent: true, raw: { headersSent: false } }],
    ['begun', { sent: false, raw: { headersSent: true } }],
  ])('aborts a response that was already %s', (_what, state) => {
    const destroy = jest.fn();
    const reply = { ...state, raw: { ...state.raw, destroy }, send: jest.fn() };
    filter.catch(new Error('the stream broke'), hostOf({ url: '/anything', id: 'req-1' }, reply));
    expect(destroy).toHaveBeenCalledTimes(1);
    expect(reply.send).not.toHaveBeenCalled();
    expect(log.warn).toHaveBeenCalledWith(expect.stringContaining('the stream broke'), 'Problem');
  });
});

describe('sendFrameworkProblem', () => {
  it('answers an invalid URL with a problem that has the request id', async () => {
    const answer = await ask('/%zz');
    expect(answer.status).toBe(400);
    expect(answer.headers).toMatchObject({
      'content-type': 'application/problem+json; charset=utf-8',
      'x-request-id': 'req-1',
    });
    expect(answer.body).toMatchObject({
      status: 400,
      title: 'Bad Request',
      detail: 'The path is not a valid URL path',
      instance: '/%zz',
      requestId: 'req-1',
    });
  });

  it('answers 404 to a segment longer than any id', async () => {
    const answer = await ask(`/items/${'x'.repeat(101)}`);
    expect(answer.headers).toMatchObject({ 'x-request-id': 'req-1' });
    expect(answer.body).toMatchObject({ status: 404, detail: 'No such route' });
  });
});
