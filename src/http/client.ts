import type { FastifyRequest } from 'fastify';
import { addressOf } from './client-network.js';

/** Who sends a request, as far as a user would recognize it. */
export interface Client {
  readonly ip: string;
  readonly userAgent: string | undefined;
}

export function clientOf(request: FastifyRequest): Client {
  return { ip: addressOf(request.ip), userAgent: request.headers['user-agent'] };
}
