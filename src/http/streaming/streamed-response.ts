import { AsyncResource } from 'node:async_hooks';
import { Readable } from 'node:stream';
import { Logger } from '@nestjs/common';
import { messageOf } from '../../observability/error-description.js';

const logger = new Logger('Stream');

/** Characters or bytes of a chunk, and ms for the client to read it: at least about 1 KiB/s. */
const PIECE_LENGTH = 64 * 1024;
const PIECE_MS = 60_000;

/**
 * A streamed response at the speed of the client. An error, a client that stops reading, or a shutdown destroys the
 * stream and the connection, so the client notices that the last chunk is missing.
 *
 * @param contents of any length
 * @param abortSignal aborted if the app stops before the response is complete
 * @param ended called once, on success and on failure
 */
export function streamResponse(
  contents: AsyncIterable<string | Uint8Array>,
  { abortSignal, ended }: { readonly abortSignal: AbortSignal; readonly ended: () => void },
): Readable {
  const giveUp = () => stream.destroy(new Error(`the client read nothing for ${PIECE_MS / 1000} s`));
  const stop = () => stream.destroy(abortSignal.reason as Error);
  async function* pieces() {
    for await (const content of contents) {
      for (const piece of piecesOf(content)) {
        const timer = setTimeout(giveUp, PIECE_MS);
        try {
          yield piece;
        } finally {
          clearTimeout(timer);
        }
      }
    }
  }
  // Strings in object mode: Node writes them without allocating a buffer for each.
  const stream = Readable.from(pieces(), { objectMode: true, highWaterMark: 1 });
  abortSignal.addEventListener('abort', stop, { once: true });
  // In the context of the request, not of the timer or the shutdown.
  const report = (error: Error) => logger.warn(`response aborted: ${messageOf(error)}`);
  stream.once('error', AsyncResource.bind(report));
  stream.once('close', () => {
    abortSignal.removeEventListener('abort', stop);
    ended();
  });
  if (abortSignal.aborted) stop();
  return stream;
}

function* piecesOf(content: string | Uint8Array): Generator<string | Uint8Array> {
  for (let from = 0; from < content.length;) {
    let to = Math.min(from + PIECE_LENGTH, content.length);
    // Do not split surrogate pairs: each half would be sent as U+FFFD.
    if (typeof content === 'string' && /[\ud800-\udbff]/.test(content.charAt(to - 1))) to += 1;
    yield content.slice(from, to);
    from = to;
  }
}
