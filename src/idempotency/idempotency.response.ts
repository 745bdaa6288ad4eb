import { applyDecorators } from '@nestjs/common';
import { ApiHeader } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { KEPT_HOURS, type IdempotentAnswer } from './idempotency.service.js';

/** Documents the header `Idempotency-Key`. */
export function ApiIdempotencyKey() {
  return applyDecorators(
    ApiHeader({
      name: 'Idempotency-Key',
      required: false,
      description: `1 to 255 visible ASCII characters, in quotes or not: sent again within ${KEPT_HOURS} h, the request does nothing and gets the first answer, with Idempotency-Replayed: true`,
      schema: { type: 'string', minLength: 1 },
    }),
  );
}

/** Sets status and headers. @returns the body, for Nest to send */
export function sendAnswer(
  { status, headers, body, isReplayed }: IdempotentAnswer,
  reply: FastifyReply,
): string {
  reply.code(status).headers(headers);
  if (isReplayed) reply.header('idempotency-replayed', 'true');
  return body;
}
