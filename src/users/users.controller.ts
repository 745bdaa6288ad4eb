import { Body, Controller, Get, Patch } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { ApiProblems } from '../http/api-problems.decorator.js';
import { CurrentUser, type Principal } from '../http/current-user.decorator.js';
import { toUserBody, UserPatchSchema, UserSchema, type UserBody, type UserPatch } from './user.schemas.js';
import { UsersService } from './users.service.js';

@ApiTags('Users')
@ApiBearerAuth()
@Controller('users')
export class UsersController {
  constructor(private readonly users: UsersService) {}

  @Get('me')
  @ApiOperation({ summary: 'Who is signed in' })
  @ApiOkResponse({ standardSchema: UserSchema })
  @ApiProblems(401, 429, 503)
  async read(@CurrentUser() { userId }: Principal): Promise<UserBody> {
    return toUserBody(await this.users.get(userId));
  }

  @Patch('me')
  @ApiOperation({ summary: 'Change name or time zone' })
  @ApiOkResponse({ standardSchema: UserSchema })
  @ApiProblems(400, 401, 413, 415, 422, 429, 503)
  async update(
    @CurrentUser() { userId }: Principal,
    @Body({ schema: UserPatchSchema }) patch: UserPatch,
  ): Promise<UserBody> {
    return toUserBody(await this.users.update(userId, patch));
  }
}
