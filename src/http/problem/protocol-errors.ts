import { BadRequestException } from '@nestjs/common';
import type { FastifyInstance, FastifyRequest } from 'fastify';

/** RFC 9112 §3.2. Node answers it by itself, unless `requireHostHeader` is false, with no body and no request id. */
export function missingHost({ raw }: FastifyRequest): BadRequestException | undefined {
  const lacksHost = raw.headers.host === undefined && raw.httpVersion === '1.1';
  return lacksHost ? new BadRequestException('The Host header is missing') : undefined;
}

/** RFC 9110 §10.1.1 allows a server to ignore an unknown expectation. Node would answer 417 by itself. */
export function ignoreExpectations({ server }: FastifyInstance): void {
  server.on('checkExpectation', (request, response) => {
    server.emit('request', request, response);
  });
}
