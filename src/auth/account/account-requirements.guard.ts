import { ForbiddenException, Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { FastifyRequest } from 'fastify';
import { LRUCache } from 'lru-cache';
import { Config } from '../../config/config.js';
import { ALLOWED_WITHOUT, type AccountRequirement } from '../../http/allow-without.decorator.js';
import { UsersService } from '../../users/users.service.js';
import { SecondFactorService } from '../second-factor/second-factor.service.js';

/** A second factor can be removed, by any replica. As soon as a session ends, ms. */
const REMEMBERED_MS = 1000;

/**
 * With `REQUIRE_VERIFIED_EMAIL` and `REQUIRE_SECOND_FACTOR`, a user without it can manage the account, and nothing else. Must
 * run after the guard that reads the token.
 */
@Injectable()
export class AccountRequirementsGuard implements CanActivate {
  private readonly required: readonly AccountRequirement[];
  /** Ids of users who have all that is required. A verified address stays verified. */
  private readonly complete: LRUCache<string, true>;

  constructor(
    { REQUIRE_VERIFIED_EMAIL, REQUIRE_SECOND_FACTOR }: Config,
    private readonly reflector: Reflector,
    private readonly users: UsersService,
    private readonly secondFactor: SecondFactorService,
  ) {
    this.required = [
      ...(REQUIRE_VERIFIED_EMAIL ? (['verified-email'] as const) : []),
      ...(REQUIRE_SECOND_FACTOR ? (['second-factor'] as const) : []),
    ];
    this.complete = new LRUCache({ max: 10_000, ...(REQUIRE_SECOND_FACTOR && { ttl: REMEMBERED_MS }) });
  }

  canActivate(context: ExecutionContext): boolean | Promise<boolean> {
    if (this.required.length === 0) return true;
    const userId = context.switchToHttp().getRequest<FastifyRequest>().context?.userId;
    if (userId === undefined || this.complete.has(userId)) return true;
    const routes = [context.getHandler(), context.getClass()];
    const exempt =
      this.reflector.getAllAndOverride<AccountRequirement[] | undefined>(ALLOWED_WITHOUT, routes) ?? [];
    return this.refuseWithout(
      this.required.filter((requirement) => !exempt.includes(requirement)),
      userId,
    );
  }

  private async refuseWithout(asked: readonly AccountRequirement[], userId: string): Promise<boolean> {
    if (asked.includes('verified-email') && !(await this.users.get(userId)).emailVerifiedAt)
      throw new ForbiddenException('Verify your e-mail address first');
    if (asked.includes('second-factor') && !(await this.secondFactor.read(userId)).enabled)
      throw new ForbiddenException('Enable a second factor first, by POST /users/me/second-factor');
    if (asked.length === this.required.length) this.complete.set(userId, true);
    return true;
  }
}
