import { Body, Controller, Delete, Get, Header, HttpCode, Post, Req, Res } from '@nestjs/common';
import {
  ApiBearerAuth,
  ApiCreatedResponse,
  ApiNoContentResponse,
  ApiOkResponse,
  ApiOperation,
  ApiTags,
} from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { AllowWithout } from '../../http/allow-without.decorator.js';
import { CurrentUser, type Principal } from '../../http/current-user.decorator.js';
import { Unqueued } from '../../http/overload/unqueued.decorator.js';
import { ApiProblems } from '../../http/problem/api-problems.decorator.js';
import { stepUpClientOf } from '../account/step-up-client.js';
import { StepUpService } from '../account/step-up.service.js';
import {
  ConfirmEnrolmentSchema,
  EnrolmentSchema,
  PasswordAndCodeSchema,
  RecoveryCodesSchema,
  SecondFactorSchema,
  StartEnrolmentSchema,
  type ConfirmEnrolment,
  type Enrolment,
  type PasswordAndCode,
  type RecoveryCodes,
  type SecondFactorBody,
  type StartEnrolment,
} from './second-factor.schemas.js';
import { SecondFactorService } from './second-factor.service.js';

@ApiTags('Users')
@ApiBearerAuth()
@AllowWithout('verified-email', 'second-factor')
@Controller('users/me/second-factor')
export class SecondFactorController {
  constructor(
    private readonly secondFactor: SecondFactorService,
    private readonly stepUp: StepUpService,
  ) {}

  @Get()
  @ApiOperation({
    operationId: 'getSecondFactor',
    summary: 'Tell whether a second factor is enabled',
    description: 'Also when it was enabled, and how many recovery codes are left.',
  })
  @ApiOkResponse({ standardSchema: SecondFactorSchema })
  @ApiProblems(401, 429, 503)
  read(@CurrentUser() { userId }: Principal): Promise<SecondFactorBody> {
    return this.secondFactor.read(userId);
  }

  @Post()
  @Unqueued()
  @Header('cache-control', 'no-store')
  @ApiOperation({
    operationId: 'enrolSecondFactor',
    summary: 'Start to enrol an authenticator app as a second factor',
    description:
      'Returns the secret for the app. Nothing changes for sign-ins until a first code confirms it. 403 if the password is wrong, or if mails can be sent and the e-mail address is not verified; 409 if a second factor is enabled.',
  })
  @ApiCreatedResponse({ standardSchema: EnrolmentSchema })
  @ApiProblems(400, 401, 403, 409, 413, 415, 422, 429, 503)
  async enrol(
    @CurrentUser() { userId }: Principal,
    @Body({ schema: StartEnrolmentSchema }) { password }: StartEnrolment,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Enrolment> {
    const client = stepUpClientOf(request, reply);
    return this.secondFactor.enrol(await this.stepUp.verifyPassword(userId, password, client));
  }

  @Post('confirm')
  @HttpCode(200)
  @Header('cache-control', 'no-store')
  @ApiOperation({
    operationId: 'confirmSecondFactor',
    summary: 'Enable the second factor with its first code',
    description:
      'Returns the recovery codes, which are never shown again, and ends all other sessions. 409 if no enrolment was started within the last hour.',
  })
  @ApiOkResponse({ standardSchema: RecoveryCodesSchema })
  @ApiProblems(400, 401, 403, 409, 413, 415, 422, 429, 503)
  async confirm(
    @CurrentUser() principal: Principal,
    @Body({ schema: ConfirmEnrolmentSchema }) { code }: ConfirmEnrolment,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<RecoveryCodes> {
    const client = stepUpClientOf(request, reply);
    return {
      recoveryCodes: await this.stepUp.count(principal.userId, client, (user) =>
        this.secondFactor.confirm(principal, user, code, client),
      ),
    };
  }

  @Delete()
  @Unqueued()
  @HttpCode(204)
  @ApiOperation({
    operationId: 'disableSecondFactor',
    summary: 'Disable the second factor',
    description: 'Asks for the password and a code. 404 if none is enabled.',
  })
  @ApiNoContentResponse()
  @ApiProblems(400, 401, 403, 404, 413, 415, 422, 429, 503)
  async disable(
    @CurrentUser() { userId }: Principal,
    @Body({ schema: PasswordAndCodeSchema }) body: PasswordAndCode,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<void> {
    const client = stepUpClientOf(request, reply);
    await this.secondFactor.disable(await this.stepUp.verify(userId, body, client), client);
  }

  @Post('recovery-codes')
  @Unqueued()
  @HttpCode(200)
  @Header('cache-control', 'no-store')
  @ApiOperation({
    operationId: 'renewRecoveryCodes',
    summary: 'Replace all recovery codes',
    description: 'The former codes stop working. Asks for the password and a code.',
  })
  @ApiOkResponse({ standardSchema: RecoveryCodesSchema })
  @ApiProblems(400, 401, 403, 404, 413, 415, 422, 429, 503)
  async renewRecoveryCodes(
    @CurrentUser() { userId }: Principal,
    @Body({ schema: PasswordAndCodeSchema }) body: PasswordAndCode,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<RecoveryCodes> {
    const client = stepUpClientOf(request, reply);
    const user = await this.stepUp.verify(userId, body, client);
    return { recoveryCodes: await this.secondFactor.renewRecoveryCodes(user, client) };
  }
}
