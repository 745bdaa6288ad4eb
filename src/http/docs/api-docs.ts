import { createReadStream, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { SERVICE_NAME } from '../../config/release.js';
import { createOpenApiDocument } from './openapi-document.js';

/** The files of swagger-ui-dist that the page uses. */
const ASSETS: Readonly<Record<string, string>> = {
  'swagger-ui.css': 'text/css; charset=utf-8',
  'swagger-ui-bundle.js': 'text/javascript; charset=utf-8',
  'favicon-32x32.png': 'image/png',
};

const ASSET_MAX_AGE_SECONDS = 86_400;

const PAGE = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>${SERVICE_NAME} API</title>
    <link rel="stylesheet" href="/docs/swagger-ui.css">
    <link rel="icon" type="image/png" href="/docs/favicon-32x32.png">
  </head>
  <body>
    <div id="swagger-ui"></div>
    <script src="/docs/swagger-ui-bundle.js"></script>
    <script src="/docs/start.js"></script>
  </body>
</html>
`;

// In a file of its own, because the content security policy forbids inline scripts. `validatorUrl: null` removes the
// badge of swagger.io, which would send it this API's address and which the policy blocks.
const START = `SwaggerUIBundle({ url: '/openapi.json', dom_id: '#swagger-ui', deepLinking: true, persistAuthorization: true, validatorUrl: null });
`;

/**
 * Serves Swagger UI under `/docs` and the OpenAPI document as `/openapi.json`. `SwaggerModule.setup` would do the same
 * with @fastify/static, which costs every start about 20 ms and 3 MB for three files. The document is created at its
 * first request.
 */
export function serveApiDocs(app: NestFastifyApplication): void {
  const fastify = app.getHttpAdapter().getInstance();
  let document: string | undefined;
  fastify.get('/openapi.json', (_request, reply) => {
    document ??= JSON.stringify(createOpenApiDocument(app));
    return reply.type('application/json; charset=utf-8').send(document);
  });
  for (const path of ['/docs', '/docs/']) {
    fastify.get(path, (_request, reply) => reply.type('text/html; charset=utf-8').send(PAGE));
  }
  fastify.get('/docs/start.js', (_request, reply) =>
    reply.type('text/javascript; charset=utf-8').send(START),
  );
  const folder = dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'));
  for (const [name, type] of Object.entries(ASSETS)) {
    const file = join(folder, name);
    const { size } = statSync(file);
    fastify.get(`/docs/${name}`, (_request, reply) => {
      reply.type(type).headers({
        'content-length': size,
        'cache-control': `public, max-age=${ASSET_MAX_AGE_SECONDS}`,
      });
      return reply.send(createReadStream(file));
    });
  }
}
