import type { Socket } from 'node:net';
import { Inject, Injectable } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import { PROBE_ROUTES } from './probe-routes.js';
import { whenRequestEnds } from './connections/request-end.js';
import { PINO } from '../observability/logger.js';
import { Metrics } from '../observability/metrics.js';
import type { RequestContext } from '../observability/request-context.js';

/** Logged instead of the path if no route matches: clients choose paths, so metrics would have unlimited labels. */
const UNMATCHED = 'unmatched';

/** Writes one log line and one metric per request, and creates the request's context. */
@Injectable()
export class RequestLogService {
  /** Connections with an open request. */
  private readonly busy = new WeakSet<Socket>();

  constructor(
    @Inject(PINO) private readonly logger: Logger,
    private readonly metrics: Metrics,
  ) {}

  /** Logs the request when the response is sent, or when the client disconnects. */
  begin(request: FastifyRequest, reply: FastifyReply): RequestContext {
    const context: RequestContext = { requestId: request.id };
    request.context = context;
    const started = performance.now();
    const { socket } = request.raw;
    const sentBefore = socket.bytesWritten;
    this.busy.add(socket);
    let isLogged = false;
    const finish = () => {
      if (isLogged) return;
      isLogged = true;
      this.busy.delete(socket);
      this.write(request, reply, performance.now() - started, () => socket.bytesWritten - sentBefore || 0);
    };
    // `finish` comes first, and also for injected requests.
    reply.raw.once('finish', finish);
    whenRequestEnds(reply, finish);
    return context;
  }

  /**
   * Logs input that is no HTTP request, so it has neither method nor route. A request that breaks off in its body is
   * logged as that request instead.
   *
   * @param code error code of Node's parser
   */
  logMalformed(socket: Socket, requestId: string, status: number, code: string | undefined): void {
    if (this.busy.has(socket)) return;
    this.metrics.observeRequest('none', UNMATCHED, String(status), 0);
    this.logger.info({ requestId, route: UNMATCHED, status, code }, 'request');
  }

  private write(request: FastifyRequest, reply: FastifyReply, durationMs: number, sent: () => number): void {
    const route = request.routeOptions.url ?? UNMATCHED;
    const isComplete = reply.raw.writableFinished;
    const status = reply.statusCode;
    this.metrics.observeRequest(
      request.method,
      route,
      isComplete ? String(status) : 'aborted',
      durationMs / 1000,
    );
    const { requestId, userId, cacheHits = 0, refusal } = request.context ?? { requestId: request.id };
    this.logger[levelOf(isComplete ? status : 0, route)](
      {
        requestId,
        userId,
        method: request.method,
        route,
        // An aborted request has no status. The logger leaves out what is undefined.
        status: isComplete ? status : undefined,
        aborted: isComplete ? undefined : true,
        durationMs: Math.round(durationMs * 100) / 100,
        bytes: isComplete ? (lengthOf(request, reply) ?? sent()) : sent(),
        cacheHits,
        refusal,
      },
      'request',
    );
  }
}

/** A 503 or 504 is no bug: overload, a shutdown, or a lost or slow database, which another line explains. */
function levelOf(status: number, route: string): 'error' | 'warn' | 'info' | 'debug' {
  const isQuiet = PROBE_ROUTES.has(route);
  if (status === 503 || status === 504) return isQuiet ? 'info' : 'warn';
  if (status >= 500) return 'error';
  return isQuiet ? 'debug' : 'info';
}

/** Length of the body. Undefined for a streamed body: the bytes sent on the connection are logged instead. */
function lengthOf({ method }: FastifyRequest, reply: FastifyReply): number | undefined {
  if (method === 'HEAD' || reply.statusCode === 204 || reply.statusCode === 304) return 0;
  const length = reply.getHeader('content-length');
  return length === undefined ? undefined : Number(length);
}

declare module 'fastify' {
  interface FastifyRequest {
    context?: RequestContext;
  }
}
