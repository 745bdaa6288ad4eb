import type { IncomingMessage } from 'node:http';
import {
  HttpException,
  RequestTimeoutException,
  UnsupportedMediaTypeException,
  type CustomDecorator,
} from '@nestjs/common';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { gunzip } from './compressed-body.js';
import { fileOfForm } from './multipart-body.js';
import { isUtf8 } from '../validation/charset.js';
import { allowLongUpload } from './long-upload.js';
import { Unqueued } from '../overload/unqueued.decorator.js';

/** Idle timeout between two chunks of a body, ms. */
const SILENCE_MS = 30_000;

const MEDIA_TYPES = [
  'application/x-ndjson',
  'text/csv',
  'application/json',
  'application/zip',
  'application/octet-stream',
  'multipart/form-data',
] as const;
export type StreamedMediaType = (typeof MEDIA_TYPES)[number];

interface StreamedRouteConfig {
  readonly streamedMediaTypes?: readonly StreamedMediaType[];
}

/** The route streams bodies of these media types. BODY_LIMIT_BYTES does not apply. */
export function StreamedBody(...mediaTypes: StreamedMediaType[]): CustomDecorator {
  return Unqueued({ streamedMediaTypes: mediaTypes } satisfies StreamedRouteConfig);
}

/** Passes bodies of these media types unread to routes with {@link StreamedBody}. Other routes answer 415. */
export function acceptStreamedBodies(fastify: FastifyInstance): void {
  fastify.addHook('onRoute', (route) => {
    if (!route.config || !('streamedMediaTypes' in route.config)) return;
    // JSON has one parser for all routes, and it reads the whole body.
    route.onRequest = (request, _reply, done) => {
      if (mediaTypeOf(request) === 'application/json')
        request.headers = { 'content-type': 'application/octet-stream' };
      done();
    };
  });
  const types = MEDIA_TYPES.filter((type) => type !== 'application/json');
  fastify.addContentTypeParser(types, (request, payload, done) => {
    if (streamedMediaTypeOf(request)) done(null, payload);
    else done(new UnsupportedMediaTypeException('Unsupported media type'));
  });
}

export interface ReceivedBody {
  readonly mediaType: StreamedMediaType;
  /**
   * The body, read on demand. Throws a 408 if the client stops sending, the reason of the signal if it is aborted, and
   * {@link ConnectionCutError} if the client disconnects.
   */
  readonly chunks: AsyncIterable<Buffer>;
}

/**
 * The body, or the file of a form, without its `Content-Encoding`.
 *
 * @throws {UnsupportedMediaTypeException} for other media types, encodings and charsets
 */
export function receiveBody(request: FastifyRequest, signal: AbortSignal): ReceivedBody {
  const mediaType = streamedMediaTypeOf(request);
  if (!mediaType)
    throw new UnsupportedMediaTypeException(`Send the body as ${takenBy(request).join(' or ')}`);
  const contentType = request.headers['content-type'] ?? '';
  if (!isUtf8(contentType)) throw new UnsupportedMediaTypeException('Send the body in UTF-8');
  const encoding = (request.headers['content-encoding'] ?? 'identity').trim().toLowerCase();
  if (encoding !== 'identity' && encoding !== 'gzip')
    throw new UnsupportedMediaTypeException('Send the body without Content-Encoding, or with gzip');
  let chunks: AsyncIterable<Buffer> = chunksOf(request.raw, signal);
  if (encoding === 'gzip') chunks = gunzip(chunks);
  if (mediaType === 'multipart/form-data') chunks = fileOfForm(chunks, contentType);
  return { mediaType, chunks };
}

async function* chunksOf(request: IncomingMessage, signal: AbortSignal): AsyncGenerator<Buffer> {
  const endOfLongUpload = allowLongUpload(request);
  // Destroying the request would close the socket before the response.
  const iterator = request.iterator({ destroyOnReturn: false }) as AsyncIterator<Buffer>;
  // One promise for all races would keep every chunk in memory, so each read has its own.
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
    // The rest is dropped as it comes: without that, the client's next request on the connection would wait behind it.
    void iterator.return?.().then(() => request.resume());
  }
}

/** The client disconnected while its body was being read, so there is no response. */
export class ConnectionCutError extends Error {
  override readonly name = 'ConnectionCutError';

  constructor(cause: unknown) {
    super('The client disconnected while the body was being read', { cause });
  }
}

function streamedMediaTypeOf(request: FastifyRequest): StreamedMediaType | undefined {
  const given = mediaTypeOf(request);
  return takenBy(request).find((mediaType) => mediaType === given);
}

function mediaTypeOf(request: FastifyRequest): string | undefined {
  return (request.headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase();
}

function takenBy(request: FastifyRequest): readonly StreamedMediaType[] {
  return (request.routeOptions.config as StreamedRouteConfig).streamedMediaTypes ?? [];
}
