import { applyDecorators, BadRequestException } from '@nestjs/common';
import { ApiHeader } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { RETENTION_HOURS } from './idempotency.repository.js';
import type { IdempotentResponse } from './idempotency.service.js';

const KEY = /^[\x21-\x7e]{1,255}$/;

/** A Structured Fields String (RFC 9651 §3.3.3), the format of the draft. */
const QUOTED = /^"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"$/;

/** Either of them: bare without a quote at the start, or quoted. */
const DOCUMENTED_KEY = '^(?:[!#-~][!-~]{0,254}|"(?:[!#-\\[\\]-~]|\\\\["\\\\]){1,255}")$';

export function ApiIdempotencyKey() {
  return applyDecorators(
    ApiHeader({
      name: 'Idempotency-Key',
      required: false,
      description: `1 to 255 visible ASCII characters, with or without quotes. A retry within ${RETENTION_HOURS} h does nothing and gets the first response, with Idempotency-Replayed: true`,
      schema: { type: 'string', minLength: 1, pattern: DOCUMENTED_KEY },
    }),
  );
}

/**
 * Parses the `Idempotency-Key` header. Most clients send the bare key; some quote it, as the draft says.
 *
 * @throws {BadRequestException}
 */
export function idempotencyKeyOf(header: string | undefined): string | undefined {
  if (header === undefined) return undefined;
  const key = QUOTED.exec(header)?.[1]?.replace(/\\(["\\])/g, '$1') ?? header;
  if (KEY.test(key)) return key;
  throw new BadRequestException('Idempotency-Key must be 1 to 255 visible ASCII characters');
}

/** Sets status and headers. @returns the body, for Nest to send */
export function sendResponse(
  { status, headers, body, isReplayed }: IdempotentResponse,
  reply: FastifyReply,
): string {
  reply.code(status).headers(headers);
  if (isReplayed) reply.header('idempotency-replayed', 'true');
  return body;
}
