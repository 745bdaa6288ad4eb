import { Injectable, type ExecutionContext } from '@nestjs/common';
import { AuthGuard } from '@nestjs/passport';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { RateLimiter } from '../http/rate-limit/rate-limiter.js';
import { SchemaValidationPipe } from '../http/schema-validation.pipe.js';
import { LoginSchema, type Login } from './auth.schemas.js';

/** Checks e-mail and password by Passport. Guards run before pipes, so the body meets its schema here. */
@Injectable()
export class LocalAuthGuard extends AuthGuard('local') {
  private readonly pipe = new SchemaValidationPipe();

  constructor(private readonly limiter: RateLimiter) {
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
    await this.limiter.consume('login', `${request.ip} ${login.email}`, reply);
    return (await super.canActivate(context)) as boolean;
  }
}
