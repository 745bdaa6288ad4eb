import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { Logger } from 'pino';
import { AppModule } from './app.module.js';
import type { Config } from './config/config.js';
import { ConfigModule } from './config/config.module.js';
import { serveApiDocs } from './http/docs/api-docs.js';
import { createFastifyAdapter } from './http/fastify-adapter.js';
import { RequestLogService } from './http/request-log.service.js';
import { EXPOSED_HEADERS } from './http/security-headers.js';
import { createLogger, PinoLogger } from './observability/logger.js';
import { ObservabilityModule } from './observability/observability.module.js';

/**
 * Creates the application, ready to listen, for `main.ts` and the tests. When it returns, the schema is up to date.
 *
 * @throws {DatabaseUnavailableError} {@link MigrationError} {@link MigrationLockTimeoutError}
 */
export async function createApp(config: Config, logger?: Logger): Promise<NestFastifyApplication> {
  const pino = logger ?? (await createLogger(config));
  const settings = [ConfigModule.forRoot(config), ObservabilityModule.forRoot(pino)];
  const app: NestFastifyApplication = await NestFactory.create<NestFastifyApplication>(
    { module: AppModule, imports: settings },
    createFastifyAdapter(config, () => app.get(RequestLogService)),
    // Nest's body parser would accept HTML forms.
    { logger: new PinoLogger(pino), abortOnError: false, bodyParser: false },
  );
  if (config.CORS_ORIGINS.length > 0) {
    app.enableCors({
      origin: [...config.CORS_ORIGINS],
      methods: ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'],
      exposedHeaders: [...EXPOSED_HEADERS],
      // Otherwise an OPTIONS that is no preflight gets a 400 in plain text.
      strictPreflight: false,
      maxAge: 600,
    });
  }
  if (config.DOCS_ENABLED) serveApiDocs(app);
  return app;
}
