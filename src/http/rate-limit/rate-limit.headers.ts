import type { FastifyReply } from 'fastify';
import type { RateLimitUse } from './rate-limiter.service.js';

/**
 * Reports a limit to the client: by `RateLimit-Policy` and `RateLimit`, as the draft has it from its 8th version on
 * (draft-ietf-httpapi-ratelimit-headers-10), and by the three fields of versions up to the 7th, which most clients know.
 */
export function rateLimitHeaders(reply: FastifyReply): (use: RateLimitUse) => void {
  return ({ name, limit, windowSeconds, remaining, resetSeconds }) => {
    reply.header('ratelimit-policy', `"${name}";q=${limit};w=${windowSeconds}`);
    reply.header('ratelimit', `"${name}";r=${remaining};t=${resetSeconds}`);
    reply.header('ratelimit-limit', limit);
    reply.header('ratelimit-remaining', remaining);
    reply.header('ratelimit-reset', resetSeconds);
  };
}
