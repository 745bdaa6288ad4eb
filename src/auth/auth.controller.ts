import { Body, Controller, Delete, Get, HttpCode, Param, Post, Req, UseGuards } from '@nestjs/common';
import {
  ApiBearerAuth,
  ApiBody,
  ApiCreatedResponse,
  ApiNoContentResponse,
  ApiOkResponse,
  ApiOperation,
  ApiTags,
} from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import * as z from 'zod';
import { AllowWithout } from '../http/allow-without.decorator.js';
import { clientOf } from '../http/client.js';
import { ApiProblems, BODY_PROBLEMS } from '../http/problem/api-problems.decorator.js';
import { CurrentUser, type Principal } from '../http/current-user.decorator.js';
import { Public } from '../http/public.decorator.js';
import { Unqueued } from '../http/overload/unqueued.decorator.js';
import {
  LoginSchema,
  RefreshSchema,
  RegisterSchema,
  SignedInSchema,
  type Refresh,
  type Register,
  type SignedIn,
} from './auth.schemas.js';
import { AuthService } from './auth.service.js';
import { LocalAuthGuard, type VerifiedLogin } from './passwords/local-auth.guard.js';
import { SessionIdSchema, SessionListSchema, type SessionList } from './sessions/sessions.schemas.js';
import { SessionsService } from './sessions/sessions.service.js';

/** @nestjs/swagger accepts a zod schema only for a body parameter, which login does not have. */
const LOGIN_BODY = {
  schema: z.toJSONSchema(LoginSchema, { io: 'input' }).$defs?.['Login'],
} as Parameters<typeof ApiBody>[0];

@ApiTags('Auth')
@AllowWithout('verified-email', 'second-factor')
@Controller('auth')
export class AuthController {
  constructor(
    private readonly auth: AuthService,
    private readonly sessions: SessionsService,
  ) {}

  @Post('register')
  @Public()
  @Unqueued()
  @ApiOperation({
    operationId: 'register',
    summary: 'Register and sign in',
    description: 'Creates an account and its first session. 409 if the e-mail address has an account.',
  })
  @ApiCreatedResponse({ standardSchema: SignedInSchema })
  @ApiProblems(400, 409, 413, 415, 422, 429, 503)
  register(
    @Body({ schema: RegisterSchema }) body: Register,
    @Req() request: FastifyRequest,
  ): Promise<SignedIn> {
    return this.auth.register(body, clientOf(request));
  }

  @Post('login')
  @Public()
  @Unqueued()
  @UseGuards(LocalAuthGuard)
  @HttpCode(200)
  @ApiOperation({
    operationId: 'login',
    summary: 'Sign in',
    description:
      'Creates a session. If the account has a second factor, 403 asks for a code, and the request must be sent again with it.',
  })
  // The guard reads the body.
  @ApiBody(LOGIN_BODY)
  @ApiOkResponse({ standardSchema: SignedInSchema })
  @ApiProblems(400, 401, 403, 413, 415, 422, 429, 503)
  login(@Req() request: FastifyRequest & VerifiedLogin): Promise<SignedIn> {
    return this.auth.login(request, clientOf(request));
  }

  @Post('refresh')
  @Public()
  @HttpCode(200)
  @ApiOperation({
    operationId: 'refresh',
    summary: 'Exchange a refresh token for new tokens',
    description:
      'A refresh token can be used once. If a used one comes again later, the session ends, because the token may be stolen.',
  })
  @ApiOkResponse({ standardSchema: SignedInSchema })
  @ApiProblems(400, 401, 413, 415, 422, 429, 503)
  refresh(
    @Body({ schema: RefreshSchema }) { refreshToken }: Refresh,
    @Req() request: FastifyRequest,
  ): Promise<SignedIn> {
    return this.auth.refresh(refreshToken, clientOf(request));
  }

  @Post('logout')
  @HttpCode(204)
  @ApiBearerAuth()
  @ApiOperation({
    operationId: 'logout',
    summary: 'End the current session',
    description: 'The access token and the refresh token of the session stop working at once.',
  })
  @ApiNoContentResponse()
  @ApiProblems(401, ...BODY_PROBLEMS, 429, 503)
  logout(@CurrentUser() principal: Principal, @Req() request: FastifyRequest): Promise<void> {
    return this.sessions.end(principal, clientOf(request));
  }

  @Post('logout-all')
  @HttpCode(204)
  @ApiBearerAuth()
  @ApiOperation({
    operationId: 'logoutAll',
    summary: 'End all sessions of the user, including the current one',
    description: 'All access and refresh tokens of the user stop working at once.',
  })
  @ApiNoContentResponse()
  @ApiProblems(401, ...BODY_PROBLEMS, 429, 503)
  logoutAll(@CurrentUser() { userId }: Principal, @Req() request: FastifyRequest): Promise<void> {
    return this.sessions.endAll(userId, clientOf(request));
  }

  @Get('sessions')
  @ApiBearerAuth()
  @ApiOperation({
    operationId: 'listSessions',
    summary: 'List the sessions of the user',
    description: 'A session starts at a sign-in and ends at a sign-out, or when it is not refreshed in time.',
  })
  @ApiOkResponse({ standardSchema: SessionListSchema })
  @ApiProblems(401, 429, 503)
  async listSessions(@CurrentUser() { userId, sessionId }: Principal): Promise<SessionList> {
    return { sessions: await this.sessions.list(userId, sessionId) };
  }

  @Delete('sessions/:id')
  @HttpCode(204)
  @ApiBearerAuth()
  @ApiOperation({
    operationId: 'endSession',
    summary: 'End a session',
    description: 'Signs out another device of the user.',
  })
  @ApiNoContentResponse()
  @ApiProblems(401, 404, ...BODY_PROBLEMS, 429, 503)
  endSession(
    @CurrentUser() { userId }: Principal,
    @Param('id', { schema: SessionIdSchema }) id: string,
    @Req() request: FastifyRequest,
  ): Promise<void> {
    return this.sessions.endOf(userId, id, clientOf(request));
  }
}
