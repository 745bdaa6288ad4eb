import { Injectable, NotFoundException, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { Principal } from '../http/current-user.decorator.js';
import type { Role } from '../users/user.entity.js';
import { UsersService } from '../users/users.service.js';

export const ROLES_KEY = 'admin:roles';

/** Reads the role from the database, not from the token: a role that is taken away is gone at once. */
@Injectable()
export class RolesGuard implements CanActivate {
  constructor(
    private readonly reflector: Reflector,
    private readonly users: UsersService,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const roles = this.reflector.getAllAndOverride<Role[]>(ROLES_KEY, [
      context.getHandler(),
      context.getClass(),
    ]);
    const { userId } = context.switchToHttp().getRequest<{ user: Principal }>().user;
    const user = await this.users.find(userId);
    if (user && !user.disabledAt && roles.includes(user.role)) return true;
    // As for a path without a route, so that the routes are hidden.
    throw new NotFoundException('No such route');
  }
}
