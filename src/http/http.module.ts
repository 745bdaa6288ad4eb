import { Global, MethodNotAllowedException, Module } from '@nestjs/common';
import { APP_PIPE, HttpAdapterHost } from '@nestjs/core';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Config } from '../config/config.js';
import { requestContext } from '../observability/request-context.js';
import { closeConnectionsPolitely } from './connections/connection-close.js';
import { OpenRequests } from './connections/open-requests.js';
import { OpenRequestsModule } from './connections/open-requests.module.js';
import { RequestDrain } from './connections/request-drain.js';
import { queueRequests } from './overload/overload.js';
import { AllowedMethods } from './problem/allowed-methods.js';
import { trackReply } from './problem/client-error.js';
import { ignoreExpectations, missingHost } from './problem/protocol-errors.js';
import { RateLimiterService } from './rate-limit/rate-limiter.service.js';
import { RequestLogService } from './request-log.service.js';
import { SECURITY_HEADERS } from './security-headers.js';
import { acceptStreamedBodies } from './streaming/streamed-body.js';
import { acceptJsonOnly } from './validation/json-body.js';
import { SchemaValidationPipe } from './validation/schema-validation.pipe.js';

/** What every request passes through before its controller. */
@Global()
@Module({
  imports: [OpenRequestsModule],
  providers: [
    AllowedMethods,
    RateLimiterService,
    RequestDrain,
    RequestLogService,
    { provide: APP_PIPE, useClass: SchemaValidationPipe },
  ],
  exports: [AllowedMethods, RateLimiterService, RequestLogService],
})
export class HttpModule {
  constructor(
    { httpAdapter }: HttpAdapterHost,
    { database, OVERLOAD_SHEDDING }: Config,
    allowedMethods: AllowedMethods,
    requestLog: RequestLogService,
    requests: OpenRequests,
  ) {
    const fastify = httpAdapter.getInstance<FastifyInstance>();
    allowedMethods.observe(fastify);
    acceptJsonOnly(fastify);
    acceptStreamedBodies(fastify);
    const notAllowed = (request: FastifyRequest) =>
      allowedMethods.isMisrouted(request) ? new MethodNotAllowedException() : undefined;
    // The first hook, so that every response has the headers and all that follows has the context.
    fastify.addHook('onRequest', (request, reply, done) => {
      reply.header('x-request-id', request.id).headers(SECURITY_HEADERS);
      trackReply(reply);
      requests.add(reply);
      requestContext.run(requestLog.begin(request, reply), done, missingHost(request) ?? notAllowed(request));
    });
    ignoreExpectations(fastify);
    if (OVERLOAD_SHEDDING) queueRequests(fastify, database.poolSize);
    closeConnectionsPolitely(fastify, requests);
  }
}
