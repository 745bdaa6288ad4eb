import type { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';
import type { OpenRequests } from './open-requests.js';

/** ms to read requests that were sent before the close. */
const UNREAD_MS = 100;

/**
 * During shutdown, adds `Connection: close` to each response, so that clients use another server for the next request
 * and idle connections need not time out. Requests that still arrive on open connections are served; Fastify's
 * `return503OnClosing` must be off.
 *
 * Node closes idle connections, but not those on which nothing was sent yet, and after the close they have no time
 * limit (https://nodejs.org/api/http.html#serverclosecallback). Browsers and balancers open such connections in
 * advance.
 */
export function closeConnectionsPolitely(
  fastify: FastifyInstance,
  requests: Pick<OpenRequests, 'draining' | 'abortSignal' | 'sockets'>,
): void {
  let closing = false;
  const connections = new Set<Socket>();
  fastify.server.on('connection', (socket: Socket) => {
    connections.add(socket);
    socket.once('close', () => connections.delete(socket));
  });
  fastify.addHook('preClose', (done) => {
    closing = true;
    setTimeout(() => {
      for (const socket of connections) if (socket.bytesRead === 0) socket.destroy();
    }, UNREAD_MS);
    done();
  });
  // No time is left for requests whose headers have not arrived.
  requests.abortSignal.addEventListener('abort', () => {
    const busy = requests.sockets();
    for (const socket of connections) if (!busy.has(socket)) socket.destroy();
  });
  fastify.addHook('onSend', (_request, reply, payload, done) => {
    if (closing || requests.draining) reply.header('connection', 'close');
    done(null, payload);
  });
}
