import type { Readable } from 'node:stream';
import { Body, Controller, Get, Patch, Req, Res } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { SERVICE_NAME } from '../config/release.js';
import { AllowWithout } from '../http/allow-without.decorator.js';
import { ApiProblems } from '../http/problem/api-problems.decorator.js';
import { CurrentUser, type Principal } from '../http/current-user.decorator.js';
import { OpenRequests } from '../http/connections/open-requests.js';
import { Admission } from '../http/overload/admission.js';
import { Unqueued } from '../http/overload/unqueued.decorator.js';
import { streamResponse } from '../http/streaming/streamed-response.js';
import { PersonalDataService } from './personal-data.service.js';
import {
  toUserBody,
  UserExportSchema,
  UserPatchSchema,
  UserSchema,
  type UserBody,
  type UserPatch,
} from './users.schemas.js';
import { UsersService } from './users.service.js';

/** Concurrent downloads. One that is not read holds about 2 MiB. */
const DOWNLOADS = { perUser: 2, inAll: 20, what: 'exports', retryAfterSeconds: 10 };

@ApiTags('Users')
@ApiBearerAuth()
@AllowWithout('verified-email', 'second-factor')
@Controller('users')
export class UsersController {
  private readonly downloads = new Admission(DOWNLOADS);

  constructor(
    private readonly users: UsersService,
    private readonly personalData: PersonalDataService,
    private readonly requests: OpenRequests,
  ) {}

  @Get('me')
  @ApiOperation({
    operationId: 'getCurrentUser',
    summary: 'Get the signed-in user',
    description: 'The account that the access token belongs to.',
  })
  @ApiOkResponse({ standardSchema: UserSchema })
  @ApiProblems(401, 429, 503)
  async read(@CurrentUser() { userId }: Principal): Promise<UserBody> {
    return toUserBody(await this.users.get(userId));
  }

  @Patch('me')
  @ApiOperation({
    operationId: 'updateCurrentUser',
    summary: 'Update display name or time zone',
    description: 'Omitted fields stay unchanged; a display name of null removes it.',
  })
  @ApiOkResponse({ standardSchema: UserSchema })
  @ApiProblems(400, 401, 413, 415, 422, 429, 503)
  async update(
    @CurrentUser() { userId }: Principal,
    @Body({ schema: UserPatchSchema }) patch: UserPatch,
  ): Promise<UserBody> {
    return toUserBody(await this.users.update(userId, patch));
  }

  @Get('me/export')
  // It has the entries.
  @AllowWithout('verified-email')
  @Unqueued()
  @ApiOperation({
    operationId: 'exportCurrentUser',
    summary: 'Download all data of the user',
    description:
      'A JSON file with the account, sessions, security events and entries, including the trash. If the export fails, the connection closes without the last chunk.',
  })
  @ApiOkResponse({
    standardSchema: UserExportSchema,
    headers: { 'Content-Disposition': { description: 'file name', schema: { type: 'string' } } },
  })
  @ApiProblems(401, 429, 503)
  async export(
    @CurrentUser() { userId }: Principal,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const user = toUserBody(await this.users.get(userId));
    const exportedAt = new Date().toISOString();
    // Fastify also serves HEAD by this route, which would run the whole export.
    const download = request.method === 'HEAD' ? undefined : this.download(userId, { exportedAt, user });
    await reply
      .header('content-type', 'application/json; charset=utf-8')
      .header('content-disposition', `attachment; filename="${SERVICE_NAME}-${exportedAt.slice(0, 10)}.json"`)
      .header('cache-control', 'no-store')
      .send(download);
  }

  /** @throws what {@link Admission.admit} throws */
  private download(userId: string, first: Readonly<Record<string, unknown>>): Readable {
    const ended = this.downloads.admit(userId);
    return streamResponse(this.personalData.export(userId, first), {
      abortSignal: this.requests.abortSignal,
      ended,
    });
  }
}
