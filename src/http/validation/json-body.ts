import type { FastifyInstance } from 'fastify';
import { BadRequestException, UnsupportedMediaTypeException } from '@nestjs/common';
import { isUtf8 } from './charset.js';

/** RFC 8259 §8.1: JSON is UTF-8. */
const utf8 = new TextDecoder('utf-8', { fatal: true });

/**
 * Accepts only JSON. Refuses invalid UTF-8, which Fastify would replace with U+FFFD, and `__proto__` as a key, like
 * Fastify.
 */
export function acceptJsonOnly(fastify: FastifyInstance): void {
  const parse = fastify.getDefaultJsonParser('error', 'error');
  fastify.removeContentTypeParser(['application/json', 'text/plain']);
  fastify.addContentTypeParser<Buffer>('application/json', { parseAs: 'buffer' }, (request, body, done) => {
    // Some clients send a Content-Type with every request, even a DELETE without a body.
    if (body.length === 0 && request.method === 'DELETE') {
      done(null, undefined);
      return;
    }
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
