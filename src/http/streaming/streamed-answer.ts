import { AsyncResource } from 'node:async_hooks';
import { Readable } from 'node:stream';
import { Logger } from '@nestjs/common';
import { messageOf } from '../../observability/error-description.js';

const logger = new Logger('Stream');

/** Given to the socket at once, and ms that the client has to take them: about 1 KiB/s at least. */
const PIECE_CHARACTERS = 64 * 1024;
const PIECE_MS = 60_000;

/**
 * An answer that is read as the client takes it. What fails once it has begun, the client's not reading and a shutdown
 * too, destroys the stream, and Fastify the connection: the client sees that the last chunk is missing.
 *
 * @param texts of any length each
 * @param brokenOff aborted where the service stops before the answer is read
 * @param ended is called once, however it ended
 */
export function streamAnswer(
  texts: AsyncIterable<string>,
  { brokenOff, ended }: { readonly brokenOff: AbortSignal; readonly ended: () => void },
): Readable {
  const giveUp = () => stream.destroy(new Error(`the client read nothing for ${PIECE_MS / 1000} s`));
  const stop = () => stream.destroy(brokenOff.reason as Error);
  async function* pieces() {
    for await (const text of texts) {
      for (const piece of piecesOf(text)) {
        const timer = setTimeout(giveUp, PIECE_MS);
        try {
          yield piece;
        } finally {
          clearTimeout(timer);
        }
      }
    }
  }
  // Strings as they are: Node writes them without a buffer each that waits for the garbage collector.
  const stream = Readable.from(pieces(), { objectMode: true, highWaterMark: 1 });
  brokenOff.addEventListener('abort', stop, { once: true });
  // In the request's own context, not in that of the timer or the shutdown.
  const tell = (error: Error) => logger.warn(`response aborted: ${messageOf(error)}`);
  stream.once('error', AsyncResource.bind(tell));
  stream.once('close', () => {
    brokenOff.removeEventListener('abort', stop);
    ended();
  });
  if (brokenOff.aborted) stop();
  return stream;
}

function* piecesOf(text: string): Generator<string> {
  for (let from = 0; from < text.length;) {
    let to = Math.min(from + PIECE_CHARACTERS, text.length);
    // Not between the two halves of a character: each would be sent as U+FFFD.
    if (/[\ud800-\udbff]/.test(text.charAt(to - 1))) to += 1;
    yield text.slice(from, to);
    from = to;
  }
}
