import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { UnprocessableEntityException } from '@nestjs/common';

/** Limits against bombs: bytes that come out per byte that goes in, once there are many of them. */
const MOST_RATIO = 200;
const RATIO_COUNTS_FROM = 16 * 1024 * 1024;

/**
 * Decompresses gzip (RFC 1952) as it arrives.
 *
 * @throws {UnprocessableEntityException} if it is no gzip, ends early, or grows too large for its size
 */
export async function* gunzip(compressed: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const decompressed = createGunzip();
  let failure: unknown;
  const piped = pipeline(compressed, decompressed).catch((error: unknown) => (failure = error));
  let bytes = 0;
  try {
    for await (const chunk of decompressed as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > RATIO_COUNTS_FROM && bytes > decompressed.bytesWritten * MOST_RATIO)
        throw new UnprocessableEntityException(`The body unpacks to more than ${MOST_RATIO} times its size`);
      yield chunk;
    }
  } catch (error) {
    if (error instanceof UnprocessableEntityException) throw error;
    // The stream fails with what its source failed with, or else by itself.
    await piped;
    const { code } = (failure ?? error) as { code?: unknown };
    if (typeof code === 'string' && /^Z_/.test(code))
      throw new UnprocessableEntityException('The body is not valid gzip, or ends early');
    throw failure ?? error;
  } finally {
    decompressed.destroy();
    await piped;
  }
}
