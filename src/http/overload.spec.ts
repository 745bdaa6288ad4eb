import { setTimeout as sleep } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { fastify, type FastifyInstance } from 'fastify';
import { until } from '../../test/harness/until.js';
import { shedOverload } from './overload.js';

describe('shedOverload', () => {
  let server: FastifyInstance;
  let url: string;
  let queued: number;
  const log = { log: jest.fn(), warn: jest.fn(), error: jest.fn() };
  beforeAll(() => Logger.overrideLogger(log));
  afterAll(() => Logger.overrideLogger(true));
  beforeEach(async () => {
    jest.clearAllMocks();
    queued = 0;
    server = fastify();
    shedOverload(server, () => ({ queued, served: 0 }), 10);
    server.get('/', () => 'done');
    server.get('/health/live', () => 'alive');
    url = await server.listen({ host: '127.0.0.1', port: 0 });
  });
  afterEach(() => server.close());

  const ask = async (path = '/') => {
    const answer = await fetch(url + path);
    await answer.arrayBuffer();
    return answer;
  };
  const statuses = async (answers: Promise<Response>[]) =>
    (await Promise.all(answers)).map(({ status }) => status);

  it('lets everything through while nothing is queued, five hundred at once too', async () => {
    expect(new Set(await statuses(Array.from({ length: 500 }, () => ask())))).toEqual(new Set([200]));
  });

  it('answers 503 with Retry-After to the oldest while too much is queued, and probes as ever', async () => {
    queued = 200;
    await sleep(30);
    let refused = 0;
    const answers = Array.from({ length: 230 }, async () => {
      const answer = await ask();
      if (answer.status === 503) {
        refused += 1;
        expect(answer.headers.get('retry-after')).toBe('1');
      }
      return answer;
    });
    await until('those beyond 200 are refused', () => refused === 30);
    expect((await ask('/health/live')).status).toBe(200);
    queued = 0;
    // A rush that is over: the others are served.
    expect((await statuses(answers)).filter((status) => status === 200)).toHaveLength(200);
    expect((await ask()).status).toBe(200);
    expect(log.warn.mock.calls).toEqual([
      [
        expect.stringMatching(/^requests are refused: 2\d\d wait at the gate, 200 queries for a connection/),
        'Overload',
      ],
    ]);
    await until('the end is told', () => log.log.mock.calls.length > 0);
    expect(log.log.mock.calls).toEqual([
      [expect.stringMatching(/^no more requests are refused: 30 were, within \d+\.\d s$/), 'Overload'],
    ]);
  });

  it('lets a queue that stands for long have no more than a few', async () => {
    queued = 11;
    expect((await ask()).status).toBe(200);
    await sleep(400);
    let answered = false;
    const answer = ask().finally(() => (answered = true));
    await sleep(100);
    expect(answered).toBe(false);
    queued = 9;
    expect((await answer).status).toBe(200);
  });

  it('has a request wait for a moment, and serves it when the queue is shorter by then', async () => {
    queued = 200;
    await sleep(30);
    const answers = Array.from({ length: 20 }, () => ask());
    await sleep(60);
    queued = 0;
    expect(new Set(await statuses(answers))).toEqual(new Set([200]));
  });

  it('sheds while the event loop lags for long, and not because it did so once', async () => {
    const block = (ms: number) => {
      for (const end = performance.now() + ms; performance.now() < end;);
    };
    block(400);
    expect((await ask()).status).toBe(200);
    // Each turn is late, as with more requests than one thread can do.
    const busy = setInterval(() => block(220), 1);
    let refused = 0;
    const answers: Promise<unknown>[] = [];
    try {
      await sleep(1000);
      const asked = Array.from({ length: 220 }, async () => {
        if ((await ask()).status === 503) refused += 1;
      });
      answers.push(...asked);
      await until('some are refused', () => refused > 0, 25_000);
    } finally {
      clearInterval(busy);
    }
    await Promise.all(answers);
    expect(refused).toBeLessThanOrEqual(20);
    await sleep(30);
    expect((await ask()).status).toBe(200);
  });
});
