import { Body, Controller, Delete, HttpCode, Post, Put, Req, Res } from '@nestjs/common';
import {
  ApiAcceptedResponse,
  ApiBearerAuth,
  ApiNoContentResponse,
  ApiOperation,
  ApiTags,
} from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { AllowWithout } from '../../http/allow-without.decorator.js';
import { ApiProblems } from '../../http/problem/api-problems.decorator.js';
import { CurrentUser, type Principal } from '../../http/current-user.decorator.js';
import { Unqueued } from '../../http/overload/unqueued.decorator.js';
import { ErasureSchema, PasswordChangeSchema, type Erasure, type PasswordChange } from './account.schemas.js';
import { stepUpClientOf } from './step-up-client.js';
import { AccountService } from './account.service.js';
import { EmailAddressService } from '../recovery/email-address.service.js';
import { EmailChangeSchema, type EmailChange } from '../recovery/recovery.schemas.js';

/** Routes that ask for the password again. */
@ApiTags('Users')
@ApiBearerAuth()
@AllowWithout('verified-email', 'second-factor')
@Controller('users/me')
export class AccountController {
  constructor(
    private readonly account: AccountService,
    private readonly emailAddress: EmailAddressService,
  ) {}

  @Put('password')
  @Unqueued()
  @HttpCode(204)
  @ApiOperation({
    operationId: 'changePassword',
    summary: 'Change the password and end all other sessions',
    description: 'Asks for the current password, and for a code if the account has a second factor.',
  })
  @ApiNoContentResponse()
  @ApiProblems(400, 401, 403, 413, 415, 422, 429, 503)
  changePassword(
    @CurrentUser() principal: Principal,
    @Body({ schema: PasswordChangeSchema }) body: PasswordChange,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<void> {
    return this.account.changePassword(principal, body, stepUpClientOf(request, reply));
  }

  @Post('email')
  @Unqueued()
  @HttpCode(202)
  @ApiOperation({
    operationId: 'changeEmail',
    summary: 'Ask for a change of the e-mail address',
    description:
      'A link sent to the new address makes the change; the old address gets a notice. The response does not tell whether another account has the address.',
  })
  @ApiAcceptedResponse()
  @ApiProblems(400, 401, 403, 413, 415, 422, 429, 503)
  changeEmail(
    @CurrentUser() { userId }: Principal,
    @Body({ schema: EmailChangeSchema }) body: EmailChange,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<void> {
    return this.emailAddress.requestChange(userId, body, stepUpClientOf(request, reply));
  }

  @Delete()
  @Unqueued()
  @HttpCode(204)
  @ApiOperation({
    operationId: 'eraseCurrentUser',
    summary: 'Erase the user and all their data permanently',
    description:
      'Asks for the password, and for a code if the account has a second factor. 409 for the last administrator.',
  })
  @ApiNoContentResponse()
  @ApiProblems(400, 401, 403, 409, 413, 415, 422, 429, 503)
  erase(
    @CurrentUser() principal: Principal,
    @Body({ schema: ErasureSchema }) body: Erasure,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<void> {
    return this.account.erase(principal, body, stepUpClientOf(request, reply));
  }
}
