import { Body, Controller, HttpCode, Post, Req } from '@nestjs/common';
import {
  ApiAcceptedResponse,
  ApiBearerAuth,
  ApiNoContentResponse,
  ApiOperation,
  ApiTags,
} from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import { AllowWithout } from '../../http/allow-without.decorator.js';
import { clientOf } from '../../http/client.js';
import { CurrentUser, type Principal } from '../../http/current-user.decorator.js';
import { ApiProblems, BODY_PROBLEMS } from '../../http/problem/api-problems.decorator.js';
import { Public } from '../../http/public.decorator.js';
import { EmailAddressService } from './email-address.service.js';
import { EmailVerificationSchema, type EmailVerification } from './recovery.schemas.js';

@ApiTags('Auth')
@Controller('auth')
@AllowWithout('verified-email', 'second-factor')
export class EmailAddressController {
  constructor(private readonly emailAddress: EmailAddressService) {}

  @Post('verify-email')
  @Public()
  @HttpCode(204)
  @ApiOperation({
    operationId: 'verifyEmail',
    summary: 'Verify or change an e-mail address with the token of a link',
    description:
      '400 if the token is unknown, used or expired; 403 if the account is disabled; 409 if another account has the new address meanwhile.',
  })
  @ApiNoContentResponse()
  @ApiProblems(400, 403, 409, 413, 415, 422, 429, 503)
  verify(
    @Body({ schema: EmailVerificationSchema }) { token }: EmailVerification,
    @Req() request: FastifyRequest,
  ): Promise<void> {
    return this.emailAddress.verify(token, clientOf(request));
  }

  @Post('verify-email/resend')
  @ApiBearerAuth()
  @HttpCode(202)
  @ApiOperation({
    operationId: 'resendVerification',
    summary: 'Send the link to verify the e-mail address again',
    description: 'At most 3 an hour; none if the address is verified.',
  })
  @ApiAcceptedResponse()
  @ApiProblems(401, ...BODY_PROBLEMS, 429, 503)
  resend(@CurrentUser() { userId }: Principal, @Req() request: FastifyRequest): Promise<void> {
    return this.emailAddress.resend(userId, clientOf(request).ip);
  }
}
