import type { IncomingMessage, ServerResponse } from 'node:http';
import helmet from 'helmet';

/** Responses are JSON, except for Swagger UI, which needs inline styles. */
const CONTENT_SECURITY_POLICY = {
  useDefaults: false,
  directives: {
    defaultSrc: ["'none'"],
    baseUri: ["'none'"],
    connectSrc: ["'self'"],
    formAction: ["'none'"],
    frameAncestors: ["'none'"],
    imgSrc: ["'self'", 'data:'],
    scriptSrc: ["'self'"],
    styleSrc: ["'self'", "'unsafe-inline'"],
  },
};

/** Helmet's headers, computed once. Its Fastify plugin would compute them for each request. */
export const SECURITY_HEADERS: Readonly<Record<string, string>> = record();

/**
 * Response headers that pages of other origins may read, in addition to those of the Fetch standard. A test in
 * test/http compares them with the headers that are sent.
 */
export const EXPOSED_HEADERS: readonly string[] = [
  'allow',
  'content-disposition',
  'etag',
  'idempotency-replayed',
  'location',
  'ratelimit',
  'ratelimit-limit',
  'ratelimit-policy',
  'ratelimit-remaining',
  'ratelimit-reset',
  'retry-after',
  'www-authenticate',
  'x-request-id',
];

function record(): Record<string, string> {
  const headers: Record<string, string> = {};
  const response = {
    setHeader: (name: string, value: string) => {
      headers[name.toLowerCase()] = value;
    },
    removeHeader: () => {},
  };
  helmet({ contentSecurityPolicy: CONTENT_SECURITY_POLICY })(
    {} as IncomingMessage,
    response as unknown as ServerResponse,
    (error?: unknown) => {
      if (error) throw error instanceof Error ? error : new Error('helmet failed', { cause: error });
    },
  );
  return headers;
}
