import { PassThrough } from 'node:stream';
import { RequestTimeoutException, ServiceUnavailableException } from '@nestjs/common';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { FastifyRequest } from 'fastify';
import { ConnectionCutError, receiveBody } from './streamed-body.js';

let raw: PassThrough & { socket: object };
let stop: AbortController;
beforeEach(() => {
  raw = Object.assign(new PassThrough(), { socket: {} });
  stop = new AbortController();
});
afterEach(() => {
  jest.useRealTimers();
  // Or what waits for the rest of it would still be waiting when other suites run.
  raw.destroy();
});

function receive() {
  const request = {
    raw,
    headers: { 'content-type': 'text/csv' },
    routeOptions: { config: { streamedMediaTypes: ['text/csv'] } },
  } as unknown as FastifyRequest;
  return receiveBody(request, stop.signal).chunks[Symbol.asyncIterator]();
}

const outcome = (promise: Promise<unknown>) => promise.then(String, (error: unknown) => error);

describe('a streamed request body', () => {
  it('arrives in chunks and ends', async () => {
    const chunks = receive();
    raw.write('a');
    expect(String((await chunks.next()).value)).toBe('a');
    raw.end('b');
    expect(String((await chunks.next()).value)).toBe('b');
    expect((await chunks.next()).done).toBe(true);
  });

  it('is aborted when no data arrives for 30 s, counted from the last chunk', async () => {
    jest.useFakeTimers();
    const chunks = receive();
    for (let piece = 0; piece < 3; piece += 1) {
      const next = chunks.next();
      await jest.advanceTimersByTimeAsync(29_000);
      raw.write('a');
      await next;
      // What the consumer takes is no silence of the client.
      await jest.advanceTimersByTimeAsync(60_000);
    }
    const silence = outcome(chunks.next());
    await jest.advanceTimersByTimeAsync(30_000);
    expect(await silence).toBeInstanceOf(RequestTimeoutException);
    expect(raw.destroyed).toBe(false);
  });

  it('is aborted when the app stops, even if no data arrives', async () => {
    const chunks = receive();
    const next = outcome(chunks.next());
    const reason = new ServiceUnavailableException();
    stop.abort(reason);
    expect(await next).toBe(reason);
    expect(raw.destroyed).toBe(false);
  });

  it('distinguishes a lost connection from other errors', async () => {
    const chunks = receive();
    const next = outcome(chunks.next());
    raw.destroy(new Error('aborted'));
    expect(await next).toBeInstanceOf(ConnectionCutError);
  });
});
