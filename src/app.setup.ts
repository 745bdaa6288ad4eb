import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import { AppModule } from './app.module.js';
import { observeModules } from './app.signals.js';
import { Config } from './config/config.js';
import { asDatabaseUnavailable, asQueryTimeout } from './database/database-unavailable.js';
import { AllowedMethods } from './http/problem/allowed-methods.js';
import { serveApiDocs } from './http/docs/api-docs.js';
import { answerClientError, trackReply } from './http/problem/client-error.js';
import { closeConnectionsPolitely } from './http/connections/connection-close.js';
import { acceptJsonOnly } from './http/validation/json-body.js';
import { OpenRequests } from './http/connections/open-requests.js';
import { queueRequests } from './http/overload/overload.js';
import { ProblemFilter, sendFrameworkProblem } from './http/problem/problem.filter.js';
import { requestIdOf } from './http/request-id.js';
import { SchemaValidationPipe } from './http/validation/schema-validation.pipe.js';
import { ignoreExpectations, missingHost } from './http/problem/protocol-errors.js';
import { EXPOSED_HEADERS, SECURITY_HEADERS } from './http/security-headers.js';
import { acceptStreamedBodies } from './http/streaming/streamed-body.js';
import { createLogger, PinoLogger } from './observability/logger.js';
import { Metrics } from './observability/metrics.js';
import { requestContext } from './observability/request-context.js';
import { RequestLog } from './http/request-log.js';

/** Longer than any id: a path of more is no path of ours. */
const MAX_PARAM_LENGTH = 200;

/** ms. Longer than the idle timeout of the usual load balancers (60 s), so that the client side closes first. */
const KEEP_ALIVE_TIMEOUT_MS = 72_000;

/**
 * ms for the whole request to arrive: ends clients that send a byte now and then. A body that is streamed in has its own
 * limit, between two pieces.
 */
const REQUEST_TIMEOUT_MS = 30_000;

/** ms for the headers to arrive; and between two looks for who is too slow, by which an end may be late. */
const HEADERS_TIMEOUT_MS = 10_000;
const SLOW_CLIENTS_EVERY_MS = 5000;

/**
 * Makes the application, ready to listen: what `main.ts` and the tests share. The schema is up to date when this
 * returns.
 *
 * @throws {DatabaseUnavailableError} {@link MigrationError} {@link MigrationLockTimeoutError}
 */
export async function createApp(config: Config, logger?: Logger): Promise<NestFastifyApplication> {
  const pino = logger ?? (await createLogger(config.log));
  const requestLog = new RequestLog(pino);
  const adapter = new FastifyAdapter({
    bodyLimit: config.http.bodyLimitBytes,
    trustProxy: config.http.trustProxy,
    genReqId: requestIdOf,
    routerOptions: { maxParamLength: MAX_PARAM_LENGTH },
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    frameworkErrors: (error: FastifyError, request: FastifyRequest, reply: FastifyReply) => {
      requestLog.begin(request, reply);
      // No hook runs for it.
      reply.headers(SECURITY_HEADERS);
      sendFrameworkProblem(error, request, reply);
    },
    clientErrorHandler: (error, socket) => {
      answerClientError(error, socket, (id, status) =>
        requestLog.logMalformed(socket, id, status, error.code),
      );
    },
    // With a problem instead: missingHost.
    http: {
      requireHostHeader: false,
      headersTimeout: HEADERS_TIMEOUT_MS,
      connectionsCheckingInterval: SLOW_CLIENTS_EVERY_MS,
    },
    // What still comes is served: closeConnectionsPolitely.
    return503OnClosing: false,
    // Schemas are zod's, and responses are made by JSON.stringify: Ajv need not compile anything.
    schemaController: { compilersFactory: { buildValidator: noCompiler, buildSerializer: noCompiler } },
    // Nothing here is an Express middleware.
    skipMiddie: true,
    multipart: false,
  });
  const fastify = adapter.getInstance();
  const allowedMethods = new AllowedMethods();
  allowedMethods.observe(fastify);

  const app = await NestFactory.create<NestFastifyApplication>(AppModule.forRoot(config), adapter, {
    logger: new PinoLogger(pino),
    abortOnError: false,
    // Nest would add a parser for HTML forms.
    bodyParser: false,
  });
  acceptJsonOnly(fastify);
  acceptStreamedBodies(fastify);
  const metrics = config.metrics.enabled ? app.get(Metrics) : undefined;
  requestLog.metrics = metrics;
  observeModules(app, metrics);
  const requests = app.get(OpenRequests);
  // First, so that every answer has the headers and all that follows has the context.
  fastify.addHook('onRequest', (request, reply, done) => {
    reply.header('x-request-id', request.id).headers(SECURITY_HEADERS);
    trackReply(reply);
    requests.add(reply);
    requestContext.run(requestLog.begin(request, reply), done, missingHost(request));
  });
  ignoreExpectations(fastify);
  if (config.overload.shedding) queueRequests(fastify, config.database.poolSize);
  closeConnectionsPolitely(fastify, requests);
  if (config.http.corsOrigins.length > 0) {
    app.enableCors({
      origin: [...config.http.corsOrigins],
      methods: ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'],
      exposedHeaders: [...EXPOSED_HEADERS],
      // An OPTIONS that is no preflight would be answered 400 in plain text.
      strictPreflight: false,
      maxAge: 600,
    });
  }
  app.useGlobalPipes(new SchemaValidationPipe());
  app.useGlobalFilters(new ProblemFilter(allowedMethods, [asQueryTimeout, asDatabaseUnavailable]));
  if (config.docs.enabled) serveDocs(app);
  return app;
}

/** Fastify asks for it at the start, and for what it compiles when a route has a schema of Fastify's own. */
function noCompiler(): () => never {
  return () => {
    throw new Error('Routes are described by zod schemas, not by Fastify ones');
  };
}

function serveDocs(app: NestFastifyApplication): void {
  const settings = new DocumentBuilder()
    .setOpenAPIVersion('3.1.0')
    .setTitle('entries')
    .setDescription('A mood journal. Errors are RFC 9457 problems; every answer carries `x-request-id`.')
    .setVersion('1')
    .addBearerAuth({ type: 'http', scheme: 'bearer', bearerFormat: 'JWT' })
    .build();
  serveApiDocs(app.getHttpAdapter().getInstance(), () => SwaggerModule.createDocument(app, settings));
}
