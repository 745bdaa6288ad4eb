import type { Socket } from 'node:net';
import type { FastifyReply } from 'fastify';

/**
 * Callbacks for the close of a connection, one for each request without a complete response. An array, because a `Set`
 * makes itself a new table every few requests, and the old one keeps what was in it until a full collection.
 * https://github.com/nodejs/node/blob/v24.x/deps/v8/src/objects/ordered-hash-table.cc (Rehash)
 */
const endsBySocket = new WeakMap<Socket, (() => void)[]>();

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
    const all: (() => void)[] = [];
    socket.once('close', () => {
      for (const end of [...all]) end();
    });
    endsBySocket.set(socket, all);
    ends = all;
  }
  const pending = ends;
  const end = () => {
    const index = pending.indexOf(end);
    if (index < 0) return;
    pending.splice(index, 1);
    callback();
  };
  pending.push(end);
  raw.once('close', end);
}
