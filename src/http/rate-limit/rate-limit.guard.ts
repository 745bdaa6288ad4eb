import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { networkOf } from '../client-network.js';
import { IS_RATE_LIMIT_EXEMPT } from './rate-limit-exempt.decorator.js';
import { rateLimitHeaders } from './rate-limit.headers.js';
import { RateLimiterService } from './rate-limiter.service.js';

/** Limits signed-in users by id and others by network. Must run after the guard that reads the token. */
@Injectable()
export class RateLimitGuard implements CanActivate {
  constructor(
    private readonly reflector: Reflector,
    private readonly limiter: RateLimiterService,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    if (this.reflector.getAllAndOverride(IS_RATE_LIMIT_EXEMPT, [context.getHandler(), context.getClass()]))
      return true;
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    const report = rateLimitHeaders(context.switchToHttp().getResponse<FastifyReply>());
    const userId = request.context?.userId;
    if (userId === undefined) await this.limiter.consume('anonymous', networkOf(request.ip), report);
    else await this.limiter.consume('user', userId, report);
    return true;
  }
}
