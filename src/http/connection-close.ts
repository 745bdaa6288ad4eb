import type { FastifyInstance } from 'fastify';

/**
 * Says `Connection: close` with each answer sent after the shutdown has begun, so that the client takes its next
 * request elsewhere, and the server need not wait for idle connections to time out.
 */
export function closeConnectionsPolitely(fastify: FastifyInstance): void {
  let closing = false;
  fastify.addHook('preClose', (done) => {
    closing = true;
    done();
  });
  fastify.addHook('onSend', (_request, reply, payload, done) => {
    if (closing) reply.header('connection', 'close');
    done(null, payload);
  });
}
