import { Module } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { JwtModule } from '@nestjs/jwt';
import { PassportModule } from '@nestjs/passport';
import { TypeOrmModule } from '@nestjs/typeorm';
import { RateLimitGuard } from '../http/rate-limit/rate-limit.guard.js';
import { MailModule } from '../mail/mail.module.js';
import { Metrics } from '../observability/metrics.js';
import { SecurityEventsModule } from '../security-events/security-events.module.js';
import { UsersModule } from '../users/users.module.js';
import { AccountRequirementsGuard } from './account/account-requirements.guard.js';
import { AccountController } from './account/account.controller.js';
import { AccountService } from './account/account.service.js';
import { StepUpService } from './account/step-up.service.js';
import { ErasureService } from './account/erasure.service.js';
import { AccountToken } from './recovery/account-token.entity.js';
import { AccountTokensPurge } from './recovery/account-tokens.purge.js';
import { AccountTokensRepository } from './recovery/account-tokens.repository.js';
import { AccountTokensService } from './recovery/account-tokens.service.js';
import { EmailAddressController } from './recovery/email-address.controller.js';
import { EmailAddressService } from './recovery/email-address.service.js';
import { RecoveryController } from './recovery/recovery.controller.js';
import { RecoveryLimitsService } from './recovery/recovery-limits.service.js';
import { RecoveryPersonalData } from './recovery/recovery.personal-data.js';
import { RecoveryService } from './recovery/recovery.service.js';
import { AccessTokensService } from './tokens/access-tokens.service.js';
import { AuthController } from './auth.controller.js';
import { AuthService } from './auth.service.js';
import { EndedSessionsService } from './sessions/ended-sessions.service.js';
import { ErasedSession } from './sessions/erased-session.entity.js';
import { JwtAuthGuard } from './tokens/jwt-auth.guard.js';
import { JwtStrategy } from './tokens/jwt.strategy.js';
import { LocalStrategy } from './passwords/local.strategy.js';
import { PasswordAttemptsService } from './passwords/password-attempts.service.js';
import { PasswordsService } from './passwords/passwords.service.js';
import { RefreshTokensService } from './tokens/refresh-tokens.service.js';
import { RecoveryCode } from './second-factor/recovery-code.entity.js';
import { SecretEncryption } from './second-factor/secret-encryption.js';
import { SecondFactorController } from './second-factor/second-factor.controller.js';
import { SecondFactor } from './second-factor/second-factor.entity.js';
import { SecondFactorKeyRotation } from './second-factor/second-factor.key-rotation.js';
import { SecondFactorPersonalData } from './second-factor/second-factor.personal-data.js';
import { SecondFactorRepository } from './second-factor/second-factor.repository.js';
import { SecondFactorService } from './second-factor/second-factor.service.js';
import { SessionsPersonalData } from './sessions/sessions.personal-data.js';
import { SessionsPurge } from './sessions/sessions.purge.js';
import { Session } from './sessions/session.entity.js';
import { SessionsRepository } from './sessions/sessions.repository.js';
import { SessionsService } from './sessions/sessions.service.js';

@Module({
  imports: [
    UsersModule,
    SecurityEventsModule,
    MailModule,
    PassportModule,
    JwtModule.register({}),
    TypeOrmModule.forFeature([Session, ErasedSession, AccountToken, SecondFactor, RecoveryCode]),
  ],
  controllers: [
    AuthController,
    AccountController,
    RecoveryController,
    EmailAddressController,
    SecondFactorController,
  ],
  providers: [
    AuthService,
    AccountService,
    StepUpService,
    ErasureService,
    RecoveryService,
    EmailAddressService,
    RecoveryLimitsService,
    RecoveryPersonalData,
    AccountTokensService,
    AccountTokensRepository,
    AccountTokensPurge,
    PasswordAttemptsService,
    SessionsService,
    SessionsRepository,
    EndedSessionsService,
    SessionsPurge,
    SessionsPersonalData,
    SecondFactorService,
    SecondFactorRepository,
    SecondFactorKeyRotation,
    SecondFactorPersonalData,
    SecretEncryption,
    PasswordsService,
    RefreshTokensService,
    AccessTokensService,
    JwtStrategy,
    LocalStrategy,
    // In this order: the others need the user from the token.
    { provide: APP_GUARD, useClass: JwtAuthGuard },
    { provide: APP_GUARD, useClass: RateLimitGuard },
    { provide: APP_GUARD, useClass: AccountRequirementsGuard },
  ],
  exports: [ErasureService, PasswordsService, RecoveryService, SecondFactorService, SessionsService],
})
export class AuthModule {
  constructor(metrics: Metrics, passwords: PasswordsService) {
    metrics.gauges('password_hashes', 'Password hashes being computed, and waiting', 'state', () => ({
      ...passwords.queue,
    }));
  }
}
