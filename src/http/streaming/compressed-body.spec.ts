import { gzipSync } from 'node:zlib';
import { RequestTimeoutException } from '@nestjs/common';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { chunksOf, collect, failingAfter } from '../../../test/harness/streaming/chunks.js';
import { gunzip } from './compressed-body.js';
import { ConnectionCutError } from './streamed-body.js';

const contentOf = async (chunks: AsyncIterable<Buffer>) => Buffer.concat(await collect(chunks));

const INVALID = 'The body is not valid gzip, or ends early';

describe('a compressed body', () => {
  it('is what was compressed, whatever its bytes and the sizes of the chunks', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 3000 }),
        fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 4 }),
        async (content, sizes) => {
          const compressed = gzipSync(content);
          expect(await contentOf(gunzip(chunksOf(compressed, ...sizes)))).toEqual(Buffer.from(content));
        },
      ),
    );
  });

  it('may have several members, as cat makes of several files', async () => {
    const compressed = Buffer.concat([gzipSync('a\n'), gzipSync('b\n')]);
    expect((await contentOf(gunzip(chunksOf(compressed, 3)))).toString()).toBe('a\nb\n');
  });

  it('that is cut off is refused, at every byte', async () => {
    const compressed = gzipSync('text,mood\na,7\n');
    for (let length = 1; length < compressed.length; length += 1)
      await expect(collect(gunzip(chunksOf(compressed.subarray(0, length))))).rejects.toThrow(INVALID);
  });

  it('that is something else, or damaged, is refused', async () => {
    await expect(collect(gunzip(chunksOf('text,mood\n')))).rejects.toThrow(INVALID);
    const damaged = gzipSync('text,mood\na,7\n');
    damaged.writeUInt8(damaged.readUInt8(damaged.length - 8) ^ 1, damaged.length - 8);
    await expect(collect(gunzip(chunksOf(damaged)))).rejects.toThrow(INVALID);
  });

  it('that grows to more than 200 times its size is refused', async () => {
    const bomb = gzipSync(Buffer.alloc(100_000_000));
    let bytes = 0;
    const reading = async () => {
      for await (const chunk of gunzip(chunksOf(bomb, 1000))) bytes += chunk.length;
    };
    await expect(reading()).rejects.toThrow('The body unpacks to more than 200 times its size');
    expect(bytes).toBeLessThan(20_000_000);
  });

  it.each([
    ['at once', 0],
    ['in its middle', 20],
  ])('fails with what its source fails with %s', async (_when, length) => {
    const part = gzipSync('text,mood\na,7\n').subarray(0, length);
    for (const failure of [new ConnectionCutError(undefined), new RequestTimeoutException()])
      await expect(collect(gunzip(failingAfter(part, failure)))).rejects.toBe(failure);
  });

  it('need not be read to its end', async () => {
    let isClosed = false;
    const compressed = gzipSync(Buffer.from(Array.from({ length: 500_000 }, (_, n) => (n * n) % 251)));
    const source = async function* () {
      try {
        yield* chunksOf(compressed, 10);
      } finally {
        isClosed = true;
      }
    };
    for await (const chunk of gunzip(source())) {
      expect(chunk.length).toBeGreaterThan(0);
      break;
    }
    expect(isClosed).toBe(true);
  });
});
