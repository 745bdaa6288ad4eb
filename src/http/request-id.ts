import type { IncomingMessage } from 'node:http';
import { uuidv7 } from 'uuidv7';

const ACCEPTED = /^[A-Za-z0-9._-]{1,128}$/;

/** The client's `x-request-id` if it is safe to log, otherwise a new UUIDv7. */
export function requestIdOf(request: Pick<IncomingMessage, 'headers'>): string {
  const given = request.headers['x-request-id'];
  return typeof given === 'string' && ACCEPTED.test(given) ? given : uuidv7();
}
