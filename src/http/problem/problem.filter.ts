import { types } from 'node:util';
import {
  Catch,
  HttpException,
  Logger,
  MethodNotAllowedException,
  type ArgumentsHost,
  type ExceptionFilter,
} from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { messageOf } from '../../observability/error-description.js';
import type { AllowedMethods } from './allowed-methods.js';
import { PROBLEM_MEDIA_TYPE, titleOf, type Problem, type ProblemError } from './problem.js';

/** Maps an error such as a lost connection to an HttpException; undefined for errors that it does not know. */
export type ErrorClassifier = (error: unknown) => HttpException | undefined;

/** Seconds. A restarted PostgreSQL needs about as long. */
const RETRY_AFTER_SECONDS = 1;

interface Outcome {
  readonly status: number;
  readonly detail: string;
  /** Of a problem that clients must tell apart from others of its status. */
  readonly type?: string | undefined;
  readonly title?: string | undefined;
  readonly errors?: readonly ProblemError[] | undefined;
  readonly retryAfterSeconds?: number | undefined;
  /** Terminus' report, which is sent instead of a problem. */
  readonly report?: object;
}

const NO_SUCH_ROUTE: Outcome = { status: 404, detail: 'No such route' };

/** Only for the log: the client has disconnected. */
const BROKEN_OFF: Outcome = {
  status: 400,
  detail: 'The client disconnected before the request was complete',
};

/** Sends every error as an RFC 9457 problem. An unexpected error is a 500 without details, which are logged. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  private readonly logger = new Logger('Problem');

  constructor(
    private readonly allowedMethods: AllowedMethods,
    private readonly classifiers: readonly ErrorClassifier[],
  ) {}

  catch(thrown: unknown, host: ArgumentsHost): void {
    const request = host.switchToHttp().getRequest<FastifyRequest>();
    const reply = host.switchToHttp().getResponse<FastifyReply>();
    if (reply.sent || reply.raw.headersSent) {
      this.logger.warn(`failed after the response had started: ${messageOf(thrown)}`);
      reply.raw.destroy();
      return;
    }
    const outcome = this.outcomeOf(thrown, request, reply);
    if (outcome.report) {
      if (outcome.status === 503) reply.header('retry-after', RETRY_AFTER_SECONDS);
      reply.code(outcome.status).header('content-type', 'application/json; charset=utf-8');
      void reply.send(JSON.stringify(outcome.report));
    } else {
      send(outcome, request, reply);
    }
  }

  private outcomeOf(thrown: unknown, request: FastifyRequest, reply: FastifyReply): Outcome {
    if (request.is404 || thrown instanceof MethodNotAllowedException) {
      const allowed = this.allowedMethods.of(request.url);
      if (allowed.length > 0) {
        reply.header('allow', allowed.join(', '));
        return {
          status: 405,
          detail: `${request.method} is not allowed here; allowed: ${allowed.join(', ')}`,
        };
      }
      return NO_SUCH_ROUTE;
    }
    if (isBrokenOff(thrown, request)) return BROKEN_OFF;
    const error = this.classify(thrown);
    if (error instanceof HttpException) return ofHttpException(error);
    const status = (thrown as { statusCode?: unknown } | undefined)?.statusCode;
    if (typeof status === 'number' && status >= 400 && status < 500 && isFastifyError(thrown)) {
      return { status, detail: FASTIFY_DETAILS[thrown.code] ?? thrown.message };
    }
    this.logger.error(thrown instanceof Error ? thrown : new Error(String(thrown)));
    return { status: 500, detail: 'Internal error; the log has the details under this request id' };
  }

  private classify(thrown: unknown): unknown {
    if (thrown instanceof HttpException) return thrown;
    for (const classifier of this.classifiers) {
      const classified = classifier(thrown);
      if (!classified) continue;
      this.logger.warn(`${classified.message}: ${messageOf(thrown)}${codeOf(thrown)}`);
      return classified;
    }
    return thrown;
  }
}

/** For errors before any filter runs, such as an invalid URL. */
export function sendFrameworkProblem(
  error: Pick<FastifyError, 'code' | 'message'> & { readonly statusCode?: number | undefined },
  request: FastifyRequest,
  reply: FastifyReply,
): void {
  reply.header('x-request-id', request.id);
  const outcome =
    // No id has such a long path segment, so 404 instead of Fastify's 414.
    error.code === 'FST_ERR_MAX_PARAM_LENGTH'
      ? NO_SUCH_ROUTE
      : { status: error.statusCode ?? 400, detail: FASTIFY_DETAILS[error.code] ?? error.message };
  send(outcome, request, reply);
}

function send(outcome: Outcome, request: FastifyRequest, reply: FastifyReply): void {
  if (outcome.retryAfterSeconds !== undefined) reply.header('retry-after', outcome.retryAfterSeconds);
  if (outcome.status === 503) {
    if (!reply.hasHeader('retry-after')) reply.header('retry-after', RETRY_AFTER_SECONDS);
  }
  if (request.context && (outcome.status === 503 || outcome.status === 504))
    request.context.refusal = outcome.detail;
  const problem: Problem = {
    type: outcome.type ?? 'about:blank',
    title: outcome.title ?? titleOf(outcome.status),
    status: outcome.status,
    detail: outcome.detail,
    instance: request.url.split('?', 1)[0] ?? request.url,
    requestId: request.id,
    ...(outcome.errors && { errors: [...outcome.errors] }),
  };
  void reply.code(outcome.status).header('content-type', PROBLEM_MEDIA_TYPE).send(JSON.stringify(problem));
}

function ofHttpException(exception: HttpException): Outcome {
  const status = exception.getStatus();
  const response = exception.getResponse();
  if (typeof response === 'string') return { status, detail: response };
  const { message, type, title, errors, retryAfterSeconds, info, details } = response as Record<
    string,
    unknown
  >;
  if (info !== undefined && details !== undefined) return { status, detail: '', report: response };
  return {
    status,
    detail: typeof message === 'string' ? message : exception.message,
    type: typeof type === 'string' ? type : undefined,
    title: typeof title === 'string' ? title : undefined,
    errors: Array.isArray(errors) ? (errors as ProblemError[]) : undefined,
    retryAfterSeconds: typeof retryAfterSeconds === 'number' ? retryAfterSeconds : undefined,
  };
}

/**
 * Whether the client disconnected while sending. Node reports `aborted` with the code of a lost database connection
 * (https://nodejs.org/api/http.html#httprequesturl-options-callback), and its streams report a premature close.
 */
function isBrokenOff(thrown: unknown, { raw }: FastifyRequest): boolean {
  if (!types.isNativeError(thrown) || raw.complete || !raw.destroyed) return false;
  const { code, message } = thrown as NodeJS.ErrnoException;
  return (code === 'ECONNRESET' && message === 'aborted') || code === 'ERR_STREAM_PREMATURE_CLOSE';
}

function codeOf(error: unknown): string {
  const { code } = error as { code?: unknown };
  return typeof code === 'string' ? ` (${code})` : '';
}

interface FastifyError extends Error {
  readonly code: string;
}

function isFastifyError(error: unknown): error is FastifyError {
  return error instanceof Error && typeof (error as { code?: unknown }).code === 'string';
}

/** https://fastify.dev/docs/latest/Reference/Errors/ */
const FASTIFY_DETAILS: Readonly<Record<string, string>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'The body is too large',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'Unsupported media type; send application/json',
  FST_ERR_CTP_INVALID_JSON_BODY: 'The body is not valid JSON',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'The body is empty, but Content-Type says JSON',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'The length of the body differs from Content-Length',
  FST_ERR_BAD_URL: 'The path is not a valid URL path',
};
