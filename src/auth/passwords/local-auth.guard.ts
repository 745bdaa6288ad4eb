import { HttpStatus, Injectable, UnauthorizedException, type ExecutionContext } from '@nestjs/common';
import { AuthGuard } from '@nestjs/passport';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { clientOf } from '../../http/client.js';
import { rateLimitHeaders } from '../../http/rate-limit/rate-limit.headers.js';
import { SchemaValidationPipe } from '../../http/validation/schema-validation.pipe.js';
import type { User } from '../../users/user.entity.js';
import { LoginSchema, type Login } from '../auth.schemas.js';
import { SecondFactorRequiredException } from '../second-factor/second-factor-required.exception.js';
import { SecondFactorService } from '../second-factor/second-factor.service.js';
import { PasswordAttemptsService } from './password-attempts.service.js';

/** What the guard adds to a request. */
export interface VerifiedLogin {
  readonly user: User;
  /** False if the user has no second factor. */
  readonly usedCode: boolean;
}

/**
 * Checks e-mail and password with Passport, then the second factor. Validates the body itself, because guards run before
 * pipes.
 */
@Injectable()
export class LocalAuthGuard extends AuthGuard('local') {
  private readonly pipe = new SchemaValidationPipe();

  constructor(
    private readonly attempts: PasswordAttemptsService,
    private readonly secondFactor: SecondFactorService,
  ) {
    super();
  }

  override async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<FastifyRequest & { user: User }>();
    const reply = context.switchToHttp().getResponse<FastifyReply>();
    const login = await this.pipe.transform<Login>(request.body as Login, {
      type: 'body',
      schema: LoginSchema,
    });
    request.body = login;
    const attempt = { ...clientOf(request), email: login.email, report: rateLimitHeaders(reply) };
    return this.attempts.count(attempt, async () => {
      const isRight = (await super.canActivate(context)) as boolean;
      const usedCode = await this.verifySecondFactor(request, login.code);
      Object.assign(request, { usedCode });
      return isRight;
    });
  }

  /** After the password, so that only who knows it learns whether there is a second factor. */
  private async verifySecondFactor(
    request: FastifyRequest & { user: User },
    code: string | undefined,
  ): Promise<boolean> {
    const outcome = await this.secondFactor.verify(request.user, code, clientOf(request));
    if (outcome === 'missing') throw new SecondFactorRequiredException(HttpStatus.UNAUTHORIZED);
    if (outcome === 'wrong') throw new UnauthorizedException('The code is wrong or was used before');
    return outcome === 'passed';
  }
}
