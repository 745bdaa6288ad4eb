import { Body, Controller, Delete, Get, HttpCode, Param, Patch, Post, Query } from '@nestjs/common';
import { ApiBearerAuth, ApiNoContentResponse, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { CurrentUser, type Principal } from '../http/current-user.decorator.js';
import { ApiProblems, BODY_PROBLEMS } from '../http/problem/api-problems.decorator.js';
import {
  AdminUserListQuerySchema,
  AdminUserListSchema,
  AdminUserPatchSchema,
  AdminUserSchema,
  UserIdSchema,
  type AdminUserBody,
  type AdminUserList,
  type AdminUserListQuery,
  type AdminUserPatch,
} from './admin.schemas.js';
import { AdminService } from './admin.service.js';
import { Roles } from './roles.decorator.js';

@ApiTags('Admin')
@ApiBearerAuth()
@Controller('admin/users')
@Roles('admin')
export class AdminController {
  constructor(private readonly admin: AdminService) {}

  @Get()
  @ApiOperation({
    operationId: 'listUsers',
    summary: 'List users, newest first',
    description: '404 for users who are not administrators, as for all routes under /admin.',
  })
  @ApiOkResponse({ standardSchema: AdminUserListSchema })
  @ApiProblems(400, 401, 404, 429, 503)
  list(@Query({ schema: AdminUserListQuerySchema }) query: AdminUserListQuery): Promise<AdminUserList> {
    return this.admin.list(query);
  }

  @Get(':id')
  @ApiOperation({
    operationId: 'getUser',
    summary: 'Get a user',
    description: 'The account of any user, without their entries.',
  })
  @ApiOkResponse({ standardSchema: AdminUserSchema })
  @ApiProblems(400, 401, 404, 429, 503)
  read(@Param('id', { schema: UserIdSchema }) id: string): Promise<AdminUserBody> {
    return this.admin.read(id);
  }

  @Patch(':id')
  @ApiOperation({
    operationId: 'updateUser',
    summary: 'Disable or enable a user, or change the role',
    description: 'Disabling ends all sessions of the user. 409 if no administrator would be left.',
  })
  @ApiOkResponse({ standardSchema: AdminUserSchema })
  @ApiProblems(400, 401, 404, 409, 413, 415, 422, 429, 503)
  update(
    @Param('id', { schema: UserIdSchema }) id: string,
    @Body({ schema: AdminUserPatchSchema }) patch: AdminUserPatch,
    @CurrentUser() { userId: adminId }: Principal,
  ): Promise<AdminUserBody> {
    return this.admin.update(id, patch, { adminId });
  }

  @Post(':id/end-sessions')
  @HttpCode(204)
  @ApiOperation({
    operationId: 'endUserSessions',
    summary: 'End all sessions of a user',
    description: 'All access and refresh tokens of the user stop working at once.',
  })
  @ApiNoContentResponse()
  @ApiProblems(401, 404, ...BODY_PROBLEMS, 429, 503)
  endSessions(
    @Param('id', { schema: UserIdSchema }) id: string,
    @CurrentUser() { userId: adminId }: Principal,
  ): Promise<void> {
    return this.admin.endSessions(id, { adminId });
  }

  @Delete(':id/second-factor')
  @HttpCode(204)
  @ApiOperation({
    operationId: 'removeUserSecondFactor',
    summary: 'Remove the second factor of a user who lost app and recovery codes',
    description: 'Verify who asks for it first: afterwards the password alone is enough to sign in.',
  })
  @ApiNoContentResponse()
  @ApiProblems(401, 404, ...BODY_PROBLEMS, 429, 503)
  removeSecondFactor(
    @Param('id', { schema: UserIdSchema }) id: string,
    @CurrentUser() { userId: adminId }: Principal,
  ): Promise<void> {
    return this.admin.removeSecondFactor(id, { adminId });
  }

  @Delete(':id')
  @HttpCode(204)
  @ApiOperation({
    operationId: 'eraseUser',
    summary: 'Erase a user and all their data permanently',
    description: '409 for the last administrator.',
  })
  @ApiNoContentResponse()
  @ApiProblems(401, 404, 409, ...BODY_PROBLEMS, 429, 503)
  erase(@Param('id', { schema: UserIdSchema }) id: string): Promise<void> {
    return this.admin.erase(id);
  }
}
