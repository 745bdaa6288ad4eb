import type { Socket } from 'node:net';
import type { FastifyReply } from 'fastify';

/** What to call when a connection closes: of each request on it that has no complete answer yet. */
const unanswered = new WeakMap<Socket, Set<() => void>>();

/**
 * Calls back once: when the answer was sent, or when the connection has closed before.
 *
 * The response's `close` is not enough. When a client pipelines requests and disconnects, Node emits it for the first of
 * them only.
 */
export function whenRequestEnds({ raw, request }: FastifyReply, callback: () => void): void {
  const { socket } = request.raw;
  let ends = unanswered.get(socket);
  if (!ends) {
    const all = new Set<() => void>();
    socket.once('close', () => {
      for (const end of all) end();
    });
    unanswered.set(socket, all);
    ends = all;
  }
  const pending = ends;
  const end = () => {
    if (pending.delete(end)) callback();
  };
  pending.add(end);
  raw.once('close', end);
}
