import { BadRequestException } from '@nestjs/common';
import type { FastifyInstance, FastifyRequest } from 'fastify';

/** RFC 9112 §3.2. With `requireHostHeader`, Node would answer without body and request id. */
export function missingHost({ raw }: FastifyRequest): BadRequestException | undefined {
  const lacksHost = raw.headers.host === undefined && raw.httpVersion === '1.1';
  return lacksHost ? new BadRequestException('The Host header is missing') : undefined;
}

/** RFC 9110 §10.1.1 allows a server to ignore unknown expectations. Node would answer 417. */
export function ignoreExpectations({ server }: FastifyInstance): void {
  server.on('checkExpectation', (request, response) => {
    server.emit('request', request, response);
  });
}
