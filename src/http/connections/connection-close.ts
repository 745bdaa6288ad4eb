import type { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';
import type { OpenRequests } from './open-requests.js';

/** ms in which what was sent before the close is read. */
const UNREAD_MS = 100;

/**
 * Once the shutdown is announced, says `Connection: close` with each answer, so that the client takes its next request
 * elsewhere and the server need not wait for idle connections to time out. What still comes on a connection that was
 * open is served: who sent it could not know, and to refuse it would make a failure of what need not be one. Fastify's
 * `return503OnClosing` is to be off.
 *
 * Node closes what is idle, but a connection on which nothing was sent yet is none to it, and from the close on it has no
 * time limit either (https://nodejs.org/api/http.html#serverclosecallback). Browsers and balancers open such in advance.
 *
 * @param requests those of the server
 */
export function closeConnectionsPolitely(
  fastify: FastifyInstance,
  requests: Pick<OpenRequests, 'ending' | 'brokenOff' | 'sockets'>,
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
  // No time is left for a request whose headers have not even arrived.
  requests.brokenOff.addEventListener('abort', () => {
    const busy = requests.sockets();
    for (const socket of connections) if (!busy.has(socket)) socket.destroy();
  });
  fastify.addHook('onSend', (_request, reply, payload, done) => {
    if (closing || requests.ending) reply.header('connection', 'close');
    done(null, payload);
  });
}
