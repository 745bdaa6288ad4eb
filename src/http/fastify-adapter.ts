import { FastifyAdapter } from '@nestjs/platform-fastify';
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import type { Config } from '../config/config.js';
import { respondToClientError } from './problem/client-error.js';
import { sendFrameworkProblem } from './problem/problem.filter.js';
import { requestIdOf } from './request-id.js';
import type { RequestLogService } from './request-log.service.js';
import { SECURITY_HEADERS } from './security-headers.js';

/** Longer than any id. */
const MAX_PARAM_LENGTH = 200;

/** ms. Longer than the idle timeout of the usual load balancers (60 s), so that the client side closes first. */
const KEEP_ALIVE_TIMEOUT_MS = 72_000;

/**
 * Time for the whole request to arrive, ms: disconnects clients that send a byte now and then. A streamed body has its
 * own limit, between two chunks.
 */
const REQUEST_TIMEOUT_MS = 30_000;

/** Time for the headers to arrive, ms; and the interval of the check for slow clients, which may be late by as much. */
const HEADERS_TIMEOUT_MS = 10_000;
const SLOW_CLIENTS_EVERY_MS = 5000;

/** @param log of the application, which is created with the adapter */
export function createFastifyAdapter(config: Config, log: () => RequestLogService): FastifyAdapter {
  return new FastifyAdapter({
    bodyLimit: config.BODY_LIMIT_BYTES,
    trustProxy: config.TRUST_PROXY,
    genReqId: requestIdOf,
    routerOptions: { maxParamLength: MAX_PARAM_LENGTH },
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    frameworkErrors: (error: FastifyError, request: FastifyRequest, reply: FastifyReply) => {
      log().begin(request, reply);
      // No hook runs for these errors.
      reply.headers(SECURITY_HEADERS);
      sendFrameworkProblem(error, request, reply);
    },
    clientErrorHandler: (error, socket) => {
      respondToClientError(error, socket, (id, status) => log().logMalformed(socket, id, status, error.code));
    },
    // missingHost responds with a problem instead.
    http: {
      requireHostHeader: false,
      headersTimeout: HEADERS_TIMEOUT_MS,
      connectionsCheckingInterval: SLOW_CLIENTS_EVERY_MS,
    },
    // Late requests are served: closeConnectionsPolitely.
    return503OnClosing: false,
    // Schemas are zod's, and responses are made by JSON.stringify: Ajv compiles nothing.
    schemaController: { compilersFactory: { buildValidator: noCompiler, buildSerializer: noCompiler } },
    // Nothing here is an Express middleware.
    skipMiddie: true,
    multipart: false,
  });
}

/** Fastify requests the compiler at the start, and calls it only for a route with a Fastify schema. */
function noCompiler(): () => never {
  return () => {
    throw new Error('Routes are described by zod schemas, not by Fastify ones');
  };
}
