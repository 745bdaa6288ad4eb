import type { INestApplication } from '@nestjs/common';
import { DocumentBuilder, SwaggerModule, type OpenAPIObject } from '@nestjs/swagger';
import { SERVICE_NAME } from '../../config/release.js';
import { problemResponse } from '../problem/api-problems.decorator.js';
import { titleOf } from '../problem/problem.js';

/** Of the API, not of the release. A breaking change needs a new major version: CI compares the documents. */
const API_VERSION = '1.0.0';

const METHODS = ['get', 'put', 'post', 'delete', 'patch'] as const;

/** Creates the OpenAPI document from the decorators of the controllers. */
export function createOpenApiDocument(app: INestApplication): OpenAPIObject {
  const settings = new DocumentBuilder()
    .setOpenAPIVersion('3.1.0')
    .setTitle(SERVICE_NAME)
    .setDescription(
      'A mood journal. Errors are RFC 9457 problems; every response carries `x-request-id`. If the operator requires verified e-mail addresses or second factors, routes outside /auth and /users answer 403 to users who have none; without a second factor, GET /users/me/export does too.',
    )
    .setVersion(API_VERSION)
    .setLicense('MIT', 'https://spdx.org/licenses/MIT.html')
    .addServer('/', 'this service')
    .addTag('Auth', 'Registration, sign-in, sessions, and what the links in mails do')
    .addTag('Users', 'The account of the signed-in user: profile, password, second factor, export, erasure')
    .addTag('Entries', 'The journal: entries, search, trash, statistics, import and export')
    .addTag('Admin', 'Users, for administrators')
    .addTag('Operations', 'Probes for orchestrators and load balancers')
    .addBearerAuth({
      type: 'http',
      scheme: 'bearer',
      bearerFormat: 'JWT',
      description: 'the accessToken of POST /auth/login',
    })
    .build();
  const document = SwaggerModule.createDocument(app, settings);
  for (const operation of operationsOf(document)) {
    // Public: absent would mean the same, but tools take it for forgotten.
    operation.security ??= [];
    // Node refuses such a request before it has a route.
    operation.responses['431'] = problemResponse(431);
    for (const [status, response] of Object.entries(operation.responses)) {
      if (response && 'description' in response) response.description ||= titleOf(Number(status));
    }
  }
  return document;
}

function operationsOf({ paths }: OpenAPIObject) {
  return Object.values(paths).flatMap((path) => METHODS.flatMap((method) => path[method] ?? []));
}
