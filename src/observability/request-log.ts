import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import type { Metrics } from './metrics.js';
import { requestContext } from './request-context.js';

/** Probes and scrapes come every few seconds: their lines are for `debug`. */
const QUIET_ROUTES = new Set(['/health', '/health/live', '/metrics']);

/** One line and one observation a request, and the request's context around all of its work. */
export function logRequests(fastify: FastifyInstance, logger: Logger, metrics: Metrics | undefined): void {
  fastify.addHook('onRequest', (request, _reply, done) => {
    const context = { requestId: request.id };
    request.context = context;
    requestContext.run(context, done);
  });
  fastify.addHook('onResponse', (request, reply, done) => {
    const route = request.routeOptions.url ?? 'unmatched';
    metrics?.observeRequest(request.method, route, reply.statusCode, reply.elapsedTime / 1000);
    const level = reply.statusCode >= 500 ? 'error' : QUIET_ROUTES.has(route) ? 'debug' : 'info';
    logger[level](
      {
        ...request.context,
        method: request.method,
        route,
        status: reply.statusCode,
        durationMs: Math.round(reply.elapsedTime * 100) / 100,
        bytes: Number(reply.getHeader('content-length') ?? 0),
      },
      'request',
    );
    done();
  });
}

declare module 'fastify' {
  interface FastifyRequest {
    context?: { readonly requestId: string; userId?: string };
  }
}
