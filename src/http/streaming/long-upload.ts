import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';

/** ms for a client to finish sending a body that is no longer read, so that it reads the response. */
const REST_MS = 30_000;

const uploading = new WeakSet<Socket>();

/**
 * Exempts a request from Node's `requestTimeout`, which applies to the whole server. Node reports a timed-out connection
 * once, to the `clientError` listener, which may keep it open.
 * https://nodejs.org/api/http.html#event-clienterror
 *
 * @returns a function to call when the body is no longer read
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
