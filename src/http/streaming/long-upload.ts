import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';

/** ms that a client has to send the rest of a body that nobody reads any more, so that it gets to see the answer. */
const REST_MS = 30_000;

const uploading = new WeakSet<Socket>();

/**
 * Lets a request take longer than Node's `requestTimeout`, which is the server's and knows no exception: Node reports
 * such a connection once, to the server's `clientError` listener, and leaves it to that listener to end it.
 * https://nodejs.org/api/http.html#event-clienterror
 *
 * @returns to be called when no more is read
 */
export function allowLongUpload(request: IncomingMessage): () => void {
  const { socket } = request;
  uploading.add(socket);
  return () => {
    uploading.delete(socket);
    if (request.complete || request.destroyed) return;
    const timer = setTimeout(() => socket.destroy(), REST_MS).unref();
    request.once('close', () => clearTimeout(timer));
  };
}

export function isLongUpload(socket: Socket): boolean {
  return uploading.has(socket);
}
