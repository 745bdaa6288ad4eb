import { Body, Controller, Delete, HttpCode, Put, Req, Res } from '@nestjs/common';
import { ApiBearerAuth, ApiNoContentResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { clientOf } from '../../http/client.js';
import { ApiProblems } from '../../http/problem/api-problems.decorator.js';
import { CurrentUser, type Principal } from '../../http/current-user.decorator.js';
import { rateLimitHeaders } from '../../http/rate-limit/rate-limit.headers.js';
import { Unqueued } from '../../http/overload/unqueued.decorator.js';
import { ErasureSchema, PasswordChangeSchema, type Erasure, type PasswordChange } from './account.schemas.js';
import { AccountService } from './account.service.js';

/** Routes that ask for the password again. */
@ApiTags('Users')
@ApiBearerAuth()
@Controller('users/me')
export class AccountController {
  constructor(private readonly account: AccountService) {}

  @Put('password')
  @Unqueued()
  @HttpCode(204)
  @ApiOperation({ summary: 'Change the password and end all other sessions' })
  @ApiNoContentResponse()
  @ApiProblems(400, 401, 403, 413, 415, 422, 429, 503)
  changePassword(
    @CurrentUser() principal: Principal,
    @Body({ schema: PasswordChangeSchema }) body: PasswordChange,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<void> {
    return this.account.changePassword(principal, body, {
      ...clientOf(request),
      report: rateLimitHeaders(reply),
    });
  }

  @Delete()
  @Unqueued()
  @HttpCode(204)
  @ApiOperation({ summary: 'Erase the user and all their data permanently' })
  @ApiNoContentResponse()
  @ApiProblems(400, 401, 403, 409, 413, 415, 422, 429, 503)
  erase(
    @CurrentUser() principal: Principal,
    @Body({ schema: ErasureSchema }) body: Erasure,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<void> {
    return this.account.erase(principal, body, { ...clientOf(request), report: rateLimitHeaders(reply) });
  }
}
