import { Module } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { JwtModule } from '@nestjs/jwt';
import { PassportModule } from '@nestjs/passport';
import { TypeOrmModule } from '@nestjs/typeorm';
import { RateLimitGuard } from '../http/rate-limit/rate-limit.guard.js';
import { Metrics } from '../observability/metrics.js';
import { UsersModule } from '../users/users.module.js';
import { AccountController } from './account/account.controller.js';
import { AccountService } from './account/account.service.js';
import { AccessTokens } from './tokens/access-tokens.js';
import { AuthController } from './auth.controller.js';
import { AuthService } from './auth.service.js';
import { EndedSessions } from './sessions/ended-sessions.js';
import { ErasedSession } from './sessions/erased-session.entity.js';
import { JwtAuthGuard } from './tokens/jwt-auth.guard.js';
import { JwtStrategy } from './tokens/jwt.strategy.js';
import { LocalStrategy } from './passwords/local.strategy.js';
import { PasswordAttempts } from './passwords/password-attempts.js';
import { Passwords } from './passwords/passwords.js';
import { RefreshTokens } from './tokens/refresh-tokens.js';
import { SessionPersonalData } from './sessions/session-personal-data.js';
import { SessionPurge } from './sessions/session-purge.js';
import { Session } from './sessions/session.entity.js';
import { SessionsService } from './sessions/sessions.service.js';

@Module({
  imports: [
    UsersModule,
    PassportModule,
    JwtModule.register({}),
    TypeOrmModule.forFeature([Session, ErasedSession]),
  ],
  controllers: [AuthController, AccountController],
  providers: [
    AuthService,
    AccountService,
    PasswordAttempts,
    SessionsService,
    EndedSessions,
    SessionPurge,
    SessionPersonalData,
    Passwords,
    RefreshTokens,
    AccessTokens,
    JwtStrategy,
    LocalStrategy,
    // In this order: the token says whom to limit.
    { provide: APP_GUARD, useClass: JwtAuthGuard },
    { provide: APP_GUARD, useClass: RateLimitGuard },
  ],
})
export class AuthModule {
  constructor(metrics: Metrics, passwords: Passwords) {
    metrics.gauges(
      'password_hashes',
      'Hashes of passwords under way, and waiting for their turn',
      'state',
      () => ({ ...passwords.queue }),
    );
  }
}
