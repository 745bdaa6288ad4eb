import type { IncomingMessage } from 'node:http';
import {
  HttpException,
  RequestTimeoutException,
  UnsupportedMediaTypeException,
  type CustomDecorator,
} from '@nestjs/common';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { isUtf8 } from '../validation/charset.js';
import { allowLongUpload } from './long-upload.js';
import { Unqueued } from '../overload/unqueued.decorator.js';

/** ms between two pieces of a body: a client that sends nothing for longer has gone. */
const SILENCE_MS = 30_000;

const MEDIA_TYPES = ['application/x-ndjson', 'text/csv'] as const;
export type StreamedMediaType = (typeof MEDIA_TYPES)[number];

interface StreamedRouteConfig {
  readonly streamedMediaTypes?: readonly StreamedMediaType[];
}

/** The route reads its body by itself, piece by piece, in these media types. BODY_LIMIT_BYTES does not bound it. */
export function StreamedBody(...mediaTypes: StreamedMediaType[]): CustomDecorator {
  return Unqueued({ streamedMediaTypes: mediaTypes } satisfies StreamedRouteConfig);
}

/** Leaves bodies in these media types unread, on the routes that ask for it; elsewhere they are a 415 as before. */
export function acceptStreamedBodies(fastify: FastifyInstance): void {
  fastify.addContentTypeParser([...MEDIA_TYPES], (request, payload, done) => {
    if (streamedMediaTypeOf(request)) done(null, payload);
    else done(new UnsupportedMediaTypeException('Unsupported media type'));
  });
}

export interface ReceivedBody {
  readonly mediaType: StreamedMediaType;
  /**
   * The body as it comes in: nothing is read ahead of whoever consumes it. Throws a 408 where the client falls silent,
   * the signal's reason where that is aborted, and Node's own error where the connection is cut.
   */
  readonly chunks: AsyncIterable<Buffer>;
}

/**
 * The body of a route with {@link StreamedBody}.
 *
 * @throws {UnsupportedMediaTypeException} for another media type, an encoding or a charset but UTF-8
 */
export function receiveBody(request: FastifyRequest, signal: AbortSignal): ReceivedBody {
  const mediaType = streamedMediaTypeOf(request);
  if (!mediaType)
    throw new UnsupportedMediaTypeException(`Send the body as ${takenBy(request).join(' or ')}`);
  // RFC 9110 §8.4. Taking none means that no small body can grow large here.
  const encoding = request.headers['content-encoding'] ?? 'identity';
  if (encoding.trim().toLowerCase() !== 'identity') {
    throw new UnsupportedMediaTypeException('Send the body without Content-Encoding');
  }
  if (!isUtf8(request.headers['content-type']))
    throw new UnsupportedMediaTypeException('Send the body in UTF-8');
  return { mediaType, chunks: chunksOf(request.raw, signal) };
}

async function* chunksOf(request: IncomingMessage, signal: AbortSignal): AsyncGenerator<Buffer> {
  const endOfLongUpload = allowLongUpload(request);
  // Destroying it would take away the socket on which the answer goes.
  const iterator = request.iterator({ destroyOnReturn: false }) as AsyncIterator<Buffer>;
  // Not one promise to race against for the whole body: it would hold every chunk that it has raced with.
  let interrupted: Error | undefined;
  let reject: ((reason: Error) => void) | undefined;
  const interrupt = (reason: Error) => {
    interrupted ??= reason;
    reject?.(interrupted);
  };
  const abort = () => interrupt(signal.reason as Error);
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  const fallSilent = () =>
    interrupt(new RequestTimeoutException(`No data received for ${SILENCE_MS / 1000} s`));
  let silence: NodeJS.Timeout | undefined;
  try {
    for (;;) {
      if (interrupted) throw interrupted;
      silence = setTimeout(fallSilent, SILENCE_MS);
      const next = await new Promise<IteratorResult<Buffer>>((resolve, onInterrupt) => {
        reject = onInterrupt;
        iterator.next().then(resolve, onInterrupt);
      });
      clearTimeout(silence);
      if (next.done) return;
      yield next.value;
    }
  } catch (error) {
    throw error instanceof HttpException || !request.destroyed ? error : new ConnectionCutError(error);
  } finally {
    clearTimeout(silence);
    signal.removeEventListener('abort', abort);
    endOfLongUpload();
  }
}

/** The client went away while its body was being read: there is nobody to answer. */
export class ConnectionCutError extends Error {
  override readonly name = 'ConnectionCutError';

  constructor(cause: unknown) {
    super('The client disconnected while the body was being read', { cause });
  }
}

/** The body's media type, where the route takes it streamed. */
function streamedMediaTypeOf(request: FastifyRequest): StreamedMediaType | undefined {
  const given = (request.headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase();
  return takenBy(request).find((mediaType) => mediaType === given);
}

function takenBy(request: FastifyRequest): readonly StreamedMediaType[] {
  return (request.routeOptions.config as StreamedRouteConfig).streamedMediaTypes ?? [];
}
