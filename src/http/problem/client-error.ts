import type { Socket } from 'node:net';
import type { FastifyReply } from 'fastify';
import { uuidv7 } from 'uuidv7';
import { isLongUpload } from '../streaming/long-upload.js';
import { PROBLEM_MEDIA_TYPE, titleOf, type Problem } from './problem.js';

/** By error code of Node's HTTP parser, https://nodejs.org/api/http.html#event-clienterror. Others are a 400. */
const STATUSES: Readonly<Record<string, readonly [status: number, detail: string]>> = {
  HPE_HEADER_OVERFLOW: [431, 'The request headers are too large'],
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'The request was not received in time'],
};

const replies = new WeakMap<Socket, FastifyReply>();

/** Must be called for each request, for {@link respondToClientError}. */
export function trackReply(reply: FastifyReply): void {
  replies.set(reply.request.raw.socket, reply);
}

/**
 * Answers malformed HTTP, which reaches no hook or filter, with a problem, and closes the connection.
 *
 * @param log is called with the response
 */
export function respondToClientError(
  error: Error & { code?: string },
  socket: Socket,
  log: (requestId: string, status: number) => void = () => {},
): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return;
  if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT' && isLongUpload(socket)) return;
  if (!socket.writable) {
    socket.destroy(error);
    return;
  }
  const reply = replies.get(socket);
  if (reply?.raw.headersSent && !reply.request.raw.complete) {
    // The request already has a response. A second one would look like that of the next request.
    socket.destroySoon();
    return;
  }
  const [status, detail] = STATUSES[error.code ?? ''] ?? [400, 'Not a valid HTTP request'];
  const requestId = uuidv7();
  log(requestId, status);
  const problem: Problem = {
    type: 'about:blank',
    title: titleOf(status),
    status,
    detail,
    instance: '',
    requestId,
  };
  const body = JSON.stringify(problem);
  socket.end(
    [
      `HTTP/1.1 ${status} ${titleOf(status)}`,
      `content-type: ${PROBLEM_MEDIA_TYPE}`,
      `content-length: ${Buffer.byteLength(body)}`,
      `x-request-id: ${requestId}`,
      'x-content-type-options: nosniff',
      'connection: close',
      '',
      body,
    ].join('\r\n'),
  );
}
