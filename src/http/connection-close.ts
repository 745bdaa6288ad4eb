import { ServiceUnavailableException } from '@nestjs/common';
import type { FastifyInstance } from 'fastify';

/**
 * Once the shutdown is announced, says `Connection: close` with each answer, so that the client takes its next request
 * elsewhere and the server need not wait for idle connections to time out. What still comes on an open connection when
 * the server closes, the readiness probe too, is answered with 503. Fastify's own `return503OnClosing`, which is no
 * problem document, is to be off.
 *
 * @param isEnding whether the end is announced, though requests are still served
 */
export function closeConnectionsPolitely(fastify: FastifyInstance, isEnding: () => boolean): void {
  let closing = false;
  fastify.addHook('preClose', (done) => {
    closing = true;
    done();
  });
  fastify.addHook('onRequest', (_request, _reply, done) => {
    done(closing ? new ServiceUnavailableException('The service is shutting down') : undefined);
  });
  fastify.addHook('onSend', (_request, reply, payload, done) => {
    if (closing || isEnding()) reply.header('connection', 'close');
    done(null, payload);
  });
}
