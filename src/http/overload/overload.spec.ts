import { connect } from 'node:net';
import { Logger } from '@nestjs/common';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { fastify, type FastifyInstance, type FastifyRequest } from 'fastify';
import { until } from '../../../test/harness/until.js';
import { requestContext } from '../../observability/request-context.js';
import { queueRequests } from './overload.js';

const CONNECTIONS = 4;
/** As many as are at work at once. */
const RUNNING = 8;
/** ms, after which a waiting request is refused */
const LONGEST_WAIT = 700;

describe('queueRequests', () => {
  let server: FastifyInstance;
  let url: string;
  /** Ends the requests at work, the oldest first. */
  let working: { path: string; end: () => void }[];
  /** Requests whose headers have arrived; whose turn it is to run or wait; and whose response is being sent. */
  let seen: Record<'begun' | 'arrived' | 'answered', FastifyRequest[]>;
  const log = { log: jest.fn(), warn: jest.fn(), error: jest.fn() };
  beforeAll(() => Logger.overrideLogger(log));
  afterAll(() => Logger.overrideLogger(true));
  beforeEach(async () => {
    jest.clearAllMocks();
    // Only the time limit of waiting requests.
    jest.useFakeTimers({
      doNotFake: [
        'Date',
        'performance',
        'hrtime',
        'nextTick',
        'queueMicrotask',
        'setImmediate',
        'setInterval',
      ],
    });
    working = [];
    server = fastify({ forceCloseConnections: true });
    // An earlier server may still be sending its last responses, so each has lists of its own.
    const own = { begun: [], arrived: [], answered: [] } as typeof seen;
    seen = own;
    server.addHook('onRequest', (request, _reply, done) => {
      own.begun.push(request);
      requestContext.run({ requestId: request.url }, done);
    });
    server.addHook('preHandler', (request, _reply, done) => {
      own.arrived.push(request);
      done();
    });
    queueRequests(server, CONNECTIONS);
    server.addHook('onSend', (request, _reply, payload, done) => {
      own.answered.push(request);
      done(null, payload);
    });
    const work = (request: { url: string }) =>
      new Promise<string>((resolve) => {
        expect(requestContext.getStore()?.requestId).toBe(request.url);
        working.push({ path: request.url, end: () => resolve('done') });
      });
    server.get('/', work);
    server.post('/', work);
    server.get('/large', () => 'x'.repeat(16 * 1024 * 1024));
    server.get('/free', { config: { unqueued: true } }, work);
    server.get('/health/live', () => 'alive');
    url = await server.listen({ host: '127.0.0.1', port: 0 });
  });
  afterEach(async () => {
    for (const { end } of working) end();
    await server.close();
    jest.useRealTimers();
  });

  const ask = async (path = '/', signal?: AbortSignal) => {
    const answer = await fetch(url + path, { ...(signal && { signal }) });
    await answer.arrayBuffer();
    return answer;
  };
  const fill = async (count: number) => {
    const answers = Array.from({ length: count }, () => ask());
    await until('all are at work', () => working.length === count);
    return answers;
  };
  const untilWaiting = (count: number) =>
    until('they wait', () => seen.arrived.length - working.length === count);

  it('runs two requests per connection, and answers the others 503 with Retry-After', async () => {
    const running = await fill(RUNNING);
    const late = [ask(), ask()];
    await untilWaiting(2);
    jest.advanceTimersByTime(LONGEST_WAIT);
    expect(
      (await Promise.all(late)).map(({ status, headers }) => [status, headers.get('retry-after')]),
    ).toEqual([
      [503, '1'],
      [503, '1'],
    ]);
    expect(working).toHaveLength(RUNNING);
    for (const { end } of working) end();
    expect(new Set((await Promise.all(running)).map(({ status }) => status))).toEqual(new Set([200]));
    await until('the end is logged', () => log.log.mock.calls.length > 0);
    expect(log.warn.mock.calls).toEqual([
      [expect.stringMatching(/^overload: requests are refused, \d are waiting$/), 'Overload'],
    ]);
    expect(log.log.mock.calls).toEqual([['overload is over: 2 requests were refused', 'Overload']]);
  });

  it('serves the oldest first while few wait', async () => {
    const running = await fill(RUNNING);
    const older = ask('/?older');
    await untilWaiting(1);
    const newer = ask('/?newer');
    await untilWaiting(2);
    working[0]!.end();
    await until('one more is at work', () => working.length === RUNNING + 1);
    expect(working.at(-1)!.path).toBe('/?older');
    working[1]!.end();
    await until('the other is at work', () => working.length === RUNNING + 2);
    for (const { end } of working) end();
    expect([(await older).status, (await newer).status]).toEqual([200, 200]);
    await Promise.all(running);
    expect(log.warn).not.toHaveBeenCalled();
  });

  it('serves the newest first when more wait than run', async () => {
    const running = await fill(RUNNING);
    const older = Array.from({ length: RUNNING }, () => ask('/?older'));
    await untilWaiting(RUNNING);
    const newest = ask('/?newest');
    await untilWaiting(RUNNING + 1);
    working[0]!.end();
    await until('one more is at work', () => working.length === RUNNING + 1);
    expect(working.at(-1)!.path).toBe('/?newest');
    for (const { end } of working) end();
    await until('all are at work', () => working.length === 2 * RUNNING + 1);
    for (const { end } of working) end();
    await Promise.all([...running, ...older, newest]);
  });

  it('skips a waiting client that has disconnected', async () => {
    const running = await fill(RUNNING);
    const gone = new AbortController();
    const left = ask('/?gone', gone.signal).catch(() => {});
    await untilWaiting(1);
    const waiting = ask('/?waiting');
    await untilWaiting(2);
    gone.abort();
    await left;
    await until('the server knows', () => seen.arrived.at(-2)!.raw.socket.destroyed);
    working[0]!.end();
    await until('one more is at work', () => working.length === RUNNING + 1);
    expect(working.at(-1)!.path).toBe('/?waiting');
    for (const { end } of working) end();
    expect((await waiting).status).toBe(200);
    await Promise.all(running);
  });

  it('frees the slot of a client that disconnects while its request runs', async () => {
    const gone = new AbortController();
    const left = Array.from({ length: RUNNING }, () => ask('/', gone.signal).catch(() => {}));
    await until('all are at work', () => working.length === RUNNING);
    gone.abort();
    await Promise.all(left);
    const next = ask('/?next');
    await until('the next is at work', () => working.length === RUNNING + 1);
    working.at(-1)!.end();
    expect((await next).status).toBe(200);
  });

  /** Sends the requests on one connection, without waiting for answers. @returns closes it */
  const pipeline = (count: number) => {
    const { port } = new URL(url);
    const socket = connect(Number(port), '127.0.0.1');
    socket.on('error', () => {});
    socket.write('GET / HTTP/1.1\r\nhost: localhost\r\n\r\n'.repeat(count));
    return () => socket.destroy();
  };

  it('frees every slot of a client that pipelines requests and disconnects', async () => {
    const leave = pipeline(RUNNING);
    await until('all are at work', () => working.length === RUNNING);
    leave();
    const next = Array.from({ length: RUNNING }, () => ask());
    await until('as many others are at work', () => working.length === 2 * RUNNING);
    for (const { end } of working) end();
    expect((await Promise.all(next)).map(({ status }) => status)).toEqual(Array(RUNNING).fill(200));
  });

  it('keeps no slot for a client whose body has not arrived', async () => {
    const slow = Array.from({ length: RUNNING }, () => {
      const socket = connect(Number(new URL(url).port), '127.0.0.1');
      socket.on('error', () => {});
      socket.write(
        'POST / HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{',
      );
      return socket;
    });
    await until('their headers have arrived', () => seen.begun.length === RUNNING);
    const next = ask();
    await until('the next is at work', () => working.length === 1);
    working[0]!.end();
    expect((await next).status).toBe(200);
    for (const socket of slow) socket.destroy();
  });

  it('keeps no slot for a client that does not read its response', async () => {
    const slow = Array.from({ length: RUNNING }, () => {
      const socket = connect(Number(new URL(url).port), '127.0.0.1').pause();
      socket.on('error', () => {});
      socket.write('GET /large HTTP/1.1\r\nhost: a\r\n\r\n');
      return socket;
    });
    await until('their responses are being sent', () => seen.answered.length === RUNNING);
    const next = ask();
    await until('the next is at work', () => working.length === 1);
    working[0]!.end();
    expect((await next).status).toBe(200);
    for (const socket of slow) socket.destroy();
  });

  it('skips hundreds of waiting requests of disconnected clients', async () => {
    const running = await fill(RUNNING);
    const waiting = ask('/?waiting');
    await untilWaiting(1);
    const leave = pipeline(400);
    await untilWaiting(401);
    leave();
    await until('the server knows', () => seen.arrived.at(-1)!.raw.socket.destroyed);
    working[0]!.end();
    await until('one more is at work', () => working.length === RUNNING + 1);
    expect(working.at(-1)!.path).toBe('/?waiting');
    for (const { end } of working) end();
    expect((await waiting).status).toBe(200);
    await Promise.all(running);
  });

  it('does not queue probes and routes with their own queue', async () => {
    const running = await fill(RUNNING);
    expect((await ask('/health/live')).status).toBe(200);
    const free = ask('/free');
    await until('it is at work', () => working.length === RUNNING + 1);
    for (const { end } of working) end();
    expect((await free).status).toBe(200);
    await Promise.all(running);
  });
});
