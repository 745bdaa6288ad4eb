import { ForbiddenException, Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { FastifyRequest } from 'fastify';
import { LRUCache } from 'lru-cache';
import { Config } from '../../config/config.js';
import { IS_UNVERIFIED_ALLOWED } from '../../http/allow-unverified.decorator.js';
import { UsersService } from '../../users/users.service.js';

/**
 * With `REQUIRE_VERIFIED_EMAIL`, a user whose e-mail address is not verified can manage the account, and nothing else. Must run
 * after the guard that reads the token.
 */
@Injectable()
export class VerifiedEmailGuard implements CanActivate {
  /** Ids of users. A verified address stays verified, so there is nothing to invalidate. */
  private readonly verified = new LRUCache<string, true>({ max: 10_000 });

  constructor(
    private readonly reflector: Reflector,
    private readonly users: UsersService,
    private readonly config: Config,
  ) {}

  canActivate(context: ExecutionContext): boolean | Promise<boolean> {
    if (!this.config.REQUIRE_VERIFIED_EMAIL) return true;
    const userId = context.switchToHttp().getRequest<FastifyRequest>().context?.userId;
    const routes = [context.getHandler(), context.getClass()];
    if (userId === undefined || this.reflector.getAllAndOverride(IS_UNVERIFIED_ALLOWED, routes)) return true;
    return this.verified.has(userId) || this.requireVerified(userId);
  }

  private async requireVerified(userId: string): Promise<boolean> {
    const { emailVerifiedAt } = await this.users.get(userId);
    if (!emailVerifiedAt) throw new ForbiddenException('Verify your e-mail address first');
    this.verified.set(userId, true);
    return true;
  }
}
