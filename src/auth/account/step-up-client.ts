import type { FastifyReply, FastifyRequest } from 'fastify';
import { clientOf, type Client } from '../../http/client.js';
import { rateLimitHeaders } from '../../http/rate-limit/rate-limit.headers.js';
import type { PasswordAttempt } from '../passwords/password-attempts.service.js';

/** Who is asked for the password again, and where the limit of attempts is reported. */
export interface StepUpClient extends Client {
  readonly report: PasswordAttempt['report'];
}

export function stepUpClientOf(request: FastifyRequest, reply: FastifyReply): StepUpClient {
  return { ...clientOf(request), report: rateLimitHeaders(reply) };
}
