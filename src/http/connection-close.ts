import type { FastifyInstance } from 'fastify';

/**
 * Once the shutdown is announced, says `Connection: close` with each answer, so that the client takes its next request
 * elsewhere and the server need not wait for idle connections to time out. What still comes on a connection that was
 * open is served: who sent it could not know, and to refuse it would make a failure of what need not be one. Fastify's
 * `return503OnClosing` is to be off.
 *
 * @param isEnding whether the end is announced
 */
export function closeConnectionsPolitely(fastify: FastifyInstance, isEnding: () => boolean): void {
  let closing = false;
  fastify.addHook('preClose', (done) => {
    closing = true;
    done();
  });
  fastify.addHook('onSend', (_request, reply, payload, done) => {
    if (closing || isEnding()) reply.header('connection', 'close');
    done(null, payload);
  });
}
