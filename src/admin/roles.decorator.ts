import { applyDecorators, SetMetadata, UseGuards } from '@nestjs/common';
import type { Role } from '../users/user.entity.js';
import { ROLES_KEY, RolesGuard } from './roles.guard.js';

/** Only users with one of these roles may use the route. Others get 404. */
export const Roles = (...roles: Role[]) =>
  applyDecorators(SetMetadata(ROLES_KEY, roles), UseGuards(RolesGuard));
