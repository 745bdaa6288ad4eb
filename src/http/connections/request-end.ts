import type { Socket } from 'node:net';
import type { FastifyReply } from 'fastify';

/** Callbacks for the close of a connection, one for each request without a complete response. */
const endsBySocket = new WeakMap<Socket, Set<() => void>>();

/**
 * Calls back once, when the response is sent or the connection is closed.
 *
 * The response's `close` event is not enough: if a client pipelines requests and disconnects, Node emits it only for
 * the first one.
 */
export function whenRequestEnds({ raw, request }: FastifyReply, callback: () => void): void {
  const { socket } = request.raw;
  let ends = endsBySocket.get(socket);
  if (!ends) {
    const all = new Set<() => void>();
    socket.once('close', () => {
      for (const end of all) end();
    });
    endsBySocket.set(socket, all);
    ends = all;
  }
  const pending = ends;
  const end = () => {
    if (pending.delete(end)) callback();
  };
  pending.add(end);
  raw.once('close', end);
}
