import { Body, Controller, HttpCode, Post, Req } from '@nestjs/common';
import { ApiAcceptedResponse, ApiNoContentResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import { clientOf } from '../../http/client.js';
import { Unqueued } from '../../http/overload/unqueued.decorator.js';
import { ApiProblems } from '../../http/problem/api-problems.decorator.js';
import { Public } from '../../http/public.decorator.js';
import {
  ForgotPasswordSchema,
  ResetPasswordSchema,
  type ForgotPassword,
  type ResetPassword,
} from './recovery.schemas.js';
import { RecoveryService } from './recovery.service.js';

@ApiTags('Auth')
@Controller('auth')
export class RecoveryController {
  constructor(private readonly recovery: RecoveryService) {}

  @Post('forgot-password')
  @Public()
  @HttpCode(202)
  @ApiOperation({
    operationId: 'forgotPassword',
    summary: 'Ask for a mail with a link to reset the password',
    description:
      'The response is the same whether or not an account has the address. If one has, it gets a link that works once, for 1 h, at most 3 links an hour.',
  })
  @ApiAcceptedResponse()
  @ApiProblems(400, 413, 415, 422, 429, 503)
  forgotPassword(
    @Body({ schema: ForgotPasswordSchema }) { email }: ForgotPassword,
    @Req() request: FastifyRequest,
  ): Promise<void> {
    return this.recovery.forgotPassword(email, clientOf(request));
  }

  @Post('reset-password')
  @Public()
  @Unqueued()
  @HttpCode(204)
  @ApiOperation({
    operationId: 'resetPassword',
    summary: 'Set a new password with the token of a link, and end all sessions',
    description: '400 if the token is unknown, used or expired; 403 if the account is disabled.',
  })
  @ApiNoContentResponse()
  @ApiProblems(400, 403, 413, 415, 422, 429, 503)
  resetPassword(
    @Body({ schema: ResetPasswordSchema }) body: ResetPassword,
    @Req() request: FastifyRequest,
  ): Promise<void> {
    return this.recovery.resetPassword(body, clientOf(request));
  }
}
