import { Injectable, UnauthorizedException, type ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { AuthGuard } from '@nestjs/passport';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { LRUCache } from 'lru-cache';
import { networkOf } from '../../http/client-network.js';
import type { Principal } from '../../http/current-user.decorator.js';
import { IS_PUBLIC } from '../../http/public.decorator.js';
import { rateLimitHeaders } from '../../http/rate-limit/rate-limit.headers.js';
import { RateLimiterService } from '../../http/rate-limit/rate-limiter.service.js';
import type { VerifiedToken } from './jwt.strategy.js';
import { SessionsService } from '../sessions/sessions.service.js';

/** About 6 MB. */
const MAX_CACHED_TOKENS = 10_000;

/**
 * Global guard: every route needs an access token unless it is `@Public()`. Passport verifies a token at its first use,
 * then it is cached until it expires. The session is checked for every request.
 */
@Injectable()
export class JwtAuthGuard extends AuthGuard('jwt') {
  /** By the raw Authorization header. */
  private readonly verified = new LRUCache<string, VerifiedToken>({ max: MAX_CACHED_TOKENS });

  constructor(
    private readonly reflector: Reflector,
    private readonly limiter: RateLimiterService,
    private readonly sessions: SessionsService,
  ) {
    super();
  }

  override async canActivate(context: ExecutionContext): Promise<boolean> {
    if (this.reflector.getAllAndOverride(IS_PUBLIC, [context.getHandler(), context.getClass()])) return true;
    const request = context.switchToHttp().getRequest<FastifyRequest & { user: Principal }>();
    try {
      request.user = await this.verify(context, request.headers.authorization);
      if (await this.sessions.hasEnded(request.user.sessionId))
        throw new UnauthorizedException('The session has ended');
    } catch (error) {
      if (!(error instanceof UnauthorizedException)) throw error;
      const reply = context.switchToHttp().getResponse<FastifyReply>();
      // Guessing tokens is limited like any other anonymous request.
      await this.limiter.consume('anonymous', networkOf(request.ip), rateLimitHeaders(reply));
      // RFC 6750 §3: no error code if the request has no token.
      reply.header(
        'www-authenticate',
        request.headers.authorization === undefined ? 'Bearer' : 'Bearer error="invalid_token"',
      );
      throw error;
    }
    if (request.context) request.context.userId = request.user.userId;
    return true;
  }

  private async verify(context: ExecutionContext, authorization = ''): Promise<VerifiedToken> {
    const cached = this.verified.get(authorization);
    const now = Math.floor(Date.now() / 1000);
    if (cached && cached.validFrom <= now && now < cached.validUntil) return cached;
    await super.canActivate(context);
    const { user } = context.switchToHttp().getRequest<{ user: VerifiedToken }>();
    this.verified.set(authorization, user);
    return user;
  }

  override handleRequest<TUser>(error: unknown, user: TUser | false, info?: unknown): TUser {
    if (error) throw error instanceof Error ? error : new Error('passport failed', { cause: error });
    if (user) return user;
    const name = info instanceof Error ? info.name : '';
    throw new UnauthorizedException(
      name === 'TokenExpiredError'
        ? 'The access token has expired'
        : info instanceof Error && info.message === 'No auth token'
          ? 'An access token is required: Authorization: Bearer …'
          : 'The access token is not valid',
    );
  }
}
