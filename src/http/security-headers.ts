import type { IncomingMessage, ServerResponse } from 'node:http';
import helmet from 'helmet';

/** What comes from here is JSON, and the one page, Swagger UI, needs styles of its own. */
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

/**
 * Helmet's headers. They are the same with every answer, so helmet is asked for them once: its plugin for Fastify makes
 * them anew for each request.
 */
export const SECURITY_HEADERS: Readonly<Record<string, string>> = record();

/**
 * What a page of another origin may read of an answer, beyond what the Fetch standard lets it read anyway: all that means
 * something to a client. To be kept with what is sent; test/http.spec.ts compares.
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
