import { setImmediate } from 'node:timers/promises';
import { ServiceUnavailableException } from '@nestjs/common';
import { Logger } from '@nestjs/common';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { streamResponse } from './streamed-response.js';

const log = { log: jest.fn(), warn: jest.fn(), error: jest.fn() };
beforeAll(() => Logger.overrideLogger(log));
afterAll(() => Logger.overrideLogger(true));

let abortController: AbortController;
let ended: jest.Mock;
let read: number;
beforeEach(() => {
  abortController = new AbortController();
  ended = jest.fn();
  read = 0;
});
afterEach(() => {
  jest.useRealTimers();
  jest.clearAllMocks();
});

async function* textsOf<Content>(...texts: Content[]): AsyncGenerator<Content> {
  for (const text of texts) {
    read += 1;
    yield await Promise.resolve(text);
  }
}

const responseOf = (texts: AsyncIterable<string | Uint8Array>) =>
  streamResponse(texts, { abortSignal: abortController.signal, ended });

describe('streamResponse', () => {
  it('sends chunks, and never splits a character', async () => {
    const texts = [`${'x'.repeat(65_535)}😀`, '', 'é'.repeat(200_000)];
    const pieces = await responseOf(textsOf(...texts)).toArray();
    expect(pieces.join('')).toBe(texts.join(''));
    expect(pieces.length).toBeGreaterThan(4);
    for (const piece of pieces as string[]) expect(piece.isWellFormed()).toBe(true);
    expect(ended).toHaveBeenCalledTimes(1);
    expect(log.warn).not.toHaveBeenCalled();
  });

  it('sends bytes in chunks', async () => {
    const bytes = Buffer.alloc(200_000, 'abc');
    const pieces = (await responseOf(textsOf(bytes)).toArray()) as Buffer[];
    expect(Buffer.concat(pieces)).toEqual(bytes);
    expect(pieces.map(({ length }) => length)).toEqual([65_536, 65_536, 65_536, 3392]);
  });

  it('is aborted when the client reads nothing for 60 s, without reading ahead', async () => {
    jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick'] });
    const stream = responseOf(textsOf('a', 'b', 'c', 'd'));
    const chunks = stream.iterator({ destroyOnReturn: false });
    expect((await chunks.next()).value).toBe('a');
    for (let turn = 0; turn < 5; turn += 1) await setImmediate();
    expect(read).toBeLessThan(4);
    await jest.advanceTimersByTimeAsync(59_000);
    expect(stream.destroyed).toBe(false);
    await jest.advanceTimersByTimeAsync(1000);
    expect(stream.destroyed).toBe(true);
    expect(ended).toHaveBeenCalledTimes(1);
    expect(log.warn).toHaveBeenCalledWith('response aborted: the client read nothing for 60 s', 'Stream');
  });

  it.each(['before', 'while'])('is aborted by a shutdown %s it was read', async (when) => {
    const reason = new ServiceUnavailableException('The service is shutting down');
    if (when === 'before') abortController.abort(reason);
    const stream = responseOf(textsOf('a', 'b', 'c', 'd'));
    const broken = new Promise((resolve) => stream.once('error', resolve));
    if (when === 'while') abortController.abort(reason);
    expect(await broken).toBe(reason);
    for (let turn = 0; turn < 5; turn += 1) await setImmediate();
    expect(ended).toHaveBeenCalledTimes(1);
  });

  it('removes its listener once it has ended', async () => {
    const removed = jest.spyOn(abortController.signal, 'removeEventListener');
    await responseOf(textsOf('a')).toArray();
    await setImmediate();
    expect(removed).toHaveBeenCalledWith('abort', expect.any(Function));
  });
});
