import { Injectable, UnauthorizedException, type ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { AuthGuard } from '@nestjs/passport';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { networkOf } from '../http/client-network.js';
import type { Principal } from '../http/current-user.decorator.js';
import { IS_PUBLIC } from '../http/public.decorator.js';
import { RateLimiter } from '../http/rate-limit/rate-limiter.js';

/** Global: a route needs an access token unless it says `@Public()`. */
@Injectable()
export class JwtAuthGuard extends AuthGuard('jwt') {
  constructor(
    private readonly reflector: Reflector,
    private readonly limiter: RateLimiter,
  ) {
    super();
  }

  override async canActivate(context: ExecutionContext): Promise<boolean> {
    if (this.reflector.getAllAndOverride(IS_PUBLIC, [context.getHandler(), context.getClass()])) return true;
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    const reply = context.switchToHttp().getResponse<FastifyReply>();
    try {
      await super.canActivate(context);
    } catch (error) {
      if (!(error instanceof UnauthorizedException)) throw error;
      // Guessing tokens is limited like any other anonymous request.
      await this.limiter.consume('anonymous', networkOf(request.ip), reply);
      // RFC 6750 §3: no error code where the request brought no token at all.
      reply.header(
        'www-authenticate',
        request.headers.authorization === undefined ? 'Bearer' : 'Bearer error="invalid_token"',
      );
      throw error;
    }
    const { userId } = (request as FastifyRequest & { user: Principal }).user;
    if (request.context) request.context.userId = userId;
    return true;
  }

  override handleRequest<TUser>(error: unknown, user: TUser | false, info?: unknown): TUser {
    if (error) throw error instanceof Error ? error : new Error('passport failed', { cause: error });
    if (user) return user;
    const name = info instanceof Error ? info.name : '';
    throw new UnauthorizedException(
      name === 'TokenExpiredError'
        ? 'The access token has expired'
        : info instanceof Error && info.message === 'No auth token'
          ? 'An access token is needed: Authorization: Bearer …'
          : 'The access token is not valid',
    );
  }
}
