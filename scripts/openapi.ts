import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import prettier from 'prettier';
import { DIST, ROOT } from './environment.js';

/**
 * `npm run openapi`: writes docs/openapi.json, the document that the service serves as /openapi.json. It reads the build,
 * because tsx drops the types that decorators need.
 */
const { AppModule } = await load<typeof import('../src/app.module.js')>('app.module.js');
const { ConfigModule } =
  await load<typeof import('../src/config/config.module.js')>('config/config.module.js');
const { ObservabilityModule } = await load<typeof import('../src/observability/observability.module.js')>(
  'observability/observability.module.js',
);
const { createOpenApiDocument } = await load<typeof import('../src/http/docs/openapi-document.js')>(
  'http/docs/openapi-document.js',
);

// Nothing is instantiated in preview mode, so nobody reads the settings.
const imports = [ConfigModule.forRoot({} as never), ObservabilityModule.forRoot({} as never)];
const app = await NestFactory.create({ module: AppModule, imports }, new FastifyAdapter(), {
  preview: true,
  abortOnError: false,
  logger: ['error', 'fatal'],
});
const file = join(ROOT, 'docs/openapi.json');
const options = await prettier.resolveConfig(file);
const text = JSON.stringify(createOpenApiDocument(app));
writeFileSync(file, await prettier.format(text, { ...options, parser: 'json' }));

function load<Exports>(path: string): Promise<Exports> {
  return import(new URL(path, DIST).href) as Promise<Exports>;
}
