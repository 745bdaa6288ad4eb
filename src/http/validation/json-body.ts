import type { FastifyInstance } from 'fastify';
import { BadRequestException, UnsupportedMediaTypeException } from '@nestjs/common';
import { isUtf8 } from './charset.js';

/** RFC 8259 §8.1: JSON is UTF-8. */
const utf8 = new TextDecoder('utf-8', { fatal: true });

/**
 * JSON as the only media type, and strictly: bytes that are no UTF-8 are refused, where Fastify would put U+FFFD in their
 * place and keep what nobody wrote. `__proto__` as a key is refused, as Fastify does.
 */
export function acceptJsonOnly(fastify: FastifyInstance): void {
  const parse = fastify.getDefaultJsonParser('error', 'error');
  fastify.removeContentTypeParser(['application/json', 'text/plain']);
  fastify.addContentTypeParser<Buffer>('application/json', { parseAs: 'buffer' }, (request, body, done) => {
    // Some clients name a media type with every request, a DELETE without a body too.
    if (body.length === 0 && request.method === 'DELETE') {
      done(null, undefined);
      return;
    }
    // RFC 8259 §8.1: JSON is UTF-8, and what says that it is something else is not guessed at.
    if (!isUtf8(request.headers['content-type'])) {
      done(new UnsupportedMediaTypeException('Send the body in UTF-8'));
      return;
    }
    let text: string;
    try {
      text = utf8.decode(body);
    } catch {
      done(new BadRequestException('The body is not valid UTF-8'));
      return;
    }
    void parse(request, text, done);
  });
}
