import { Injectable, type ExecutionContext } from '@nestjs/common';
import { AuthGuard } from '@nestjs/passport';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { rateLimitHeaders } from '../../http/rate-limit/rate-limit.headers.js';
import { SchemaValidationPipe } from '../../http/validation/schema-validation.pipe.js';
import { LoginSchema, type Login } from '../auth.schemas.js';
import { PasswordAttemptsService } from './password-attempts.service.js';

/** Checks e-mail and password with Passport. Validates the body itself, because guards run before pipes. */
@Injectable()
export class LocalAuthGuard extends AuthGuard('local') {
  private readonly pipe = new SchemaValidationPipe();

  constructor(private readonly attempts: PasswordAttemptsService) {
    super();
  }

  override async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    const reply = context.switchToHttp().getResponse<FastifyReply>();
    const login = await this.pipe.transform<Login>(request.body as Login, {
      type: 'body',
      schema: LoginSchema,
    });
    request.body = login;
    const attempt = { ip: request.ip, email: login.email, report: rateLimitHeaders(reply) };
    return this.attempts.count(attempt, async () => (await super.canActivate(context)) as boolean);
  }
}
