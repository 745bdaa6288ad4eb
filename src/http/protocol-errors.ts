import { BadRequestException } from '@nestjs/common';
import type { FastifyInstance } from 'fastify';

/** Two things that Node answers by itself, with no body, no request id and no line in the log: they are ours here. */
export function answerProtocolErrors(fastify: FastifyInstance): void {
  // RFC 9112 §3.2; the server is to have `requireHostHeader: false`.
  fastify.addHook('onRequest', ({ raw }, _reply, done) => {
    const lacksHost = raw.headers.host === undefined && raw.httpVersion === '1.1';
    done(lacksHost ? new BadRequestException('The header Host is missing') : undefined);
  });
  // RFC 9110 §10.1.1 lets an expectation that nobody knows be passed over.
  fastify.server.on('checkExpectation', (request, response) => {
    fastify.server.emit('request', request, response);
  });
}
