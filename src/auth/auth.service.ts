import { HttpStatus, Injectable, UnauthorizedException } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { Config } from '../config/config.js';
import type { Client } from '../http/client.js';
import { MailService } from '../mail/mail.service.js';
import { SecurityEventsService } from '../security-events/security-events.service.js';
import type { User } from '../users/user.entity.js';
import { toUserBody } from '../users/users.schemas.js';
import { accountDisabled, UsersService } from '../users/users.service.js';
import { newSignInMail } from './account/account.mails.js';
import { AccessTokensService } from './tokens/access-tokens.service.js';
import type { Register, SignedIn } from './auth.schemas.js';
import { refuseCommonPassword } from './passwords/common-passwords.js';
import { EmailAddressService } from './recovery/email-address.service.js';
import { RecoveryLimitsService } from './recovery/recovery-limits.service.js';
import type { VerifiedLogin } from './passwords/local-auth.guard.js';
import { PasswordsService } from './passwords/passwords.service.js';
import { SecondFactorRequiredException } from './second-factor/second-factor-required.exception.js';
import { SecondFactorService } from './second-factor/second-factor.service.js';
import { SessionsService, type IssuedSession } from './sessions/sessions.service.js';

@Injectable()
export class AuthService {
  constructor(
    @InjectDataSource() private readonly dataSource: DataSource,
    private readonly users: UsersService,
    private readonly sessions: SessionsService,
    private readonly securityEvents: SecurityEventsService,
    private readonly passwords: PasswordsService,
    private readonly secondFactor: SecondFactorService,
    private readonly emailAddress: EmailAddressService,
    private readonly accessTokens: AccessTokensService,
    private readonly mails: MailService,
    private readonly limits: RecoveryLimitsService,
    private readonly config: Config,
  ) {}

  /** Creates user and session in one transaction, so that a failed request leaves no account behind. */
  async register({ email, password, displayName }: Register, client: Client): Promise<SignedIn> {
    await refuseCommonPassword('password', password);
    const passwordHash = await this.passwords.hash(password);
    const { user, session } = await this.dataSource.transaction(async (manager) => {
      const created = await this.users.create(
        { email, passwordHash, displayName: displayName ?? null },
        manager,
      );
      await this.emailAddress.sendFirst(created, client.ip, manager);
      const started = await this.sessions.start(created.id, client, manager);
      await this.securityEvents.record(manager, {
        userId: created.id,
        type: 'registered',
        client,
        details: { sessionId: started.sessionId },
      });
      return { user: created, session: started };
    });
    return this.signedIn(user, session);
  }

  /** Undefined for a wrong e-mail or password, after the same time. Records the failure. */
  async verify(email: string, password: string, client: Client): Promise<User | undefined> {
    const user = await this.find(email, password);
    if (!user) this.securityEvents.recordFailure(email, 'sign-in-failed', client);
    return user;
  }

  private async find(email: string, password: string): Promise<User | undefined> {
    const user = await this.users.findByEmail(email);
    const matches = await this.passwords.verify(user?.passwordHash, password);
    if (!user || !matches) return undefined;
    return (await this.renewHash(user, password)) ? user : this.verifyAgain(user, password);
  }

  /**
   * Starts a session. Queues a notice if neither network nor user agent are known.
   *
   * @throws {UnauthorizedException} if the password was changed after it was verified: a change ends all other sessions,
   *   so this one must not start
   * @throws {SecondFactorRequiredException} if the user has enabled a second factor after it was verified that there is none
   * @throws {ForbiddenException} if the account is disabled
   */
  async login({ user, usedCode }: VerifiedLogin, client: Client): Promise<SignedIn> {
    const session = await this.dataSource.transaction(async (manager) => {
      const unchanged = await this.users.lockPasswordHash(user.id, user.passwordHash, manager);
      if (!unchanged) return undefined;
      if (unchanged.disabledAt) throw accountDisabled();
      // Enabling one ends all other sessions, so this one must not start.
      if (!usedCode && (await this.secondFactor.isEnabled(user.id, manager)))
        throw new SecondFactorRequiredException(HttpStatus.UNAUTHORIZED);
      const started = await this.sessions.start(user.id, client, manager);
      const details = { sessionId: started.sessionId };
      const isUnknown = await this.securityEvents.recordSignIn(manager, { userId: user.id, client, details });
      if (isUnknown && (await this.limits.mayMail('new-sign-in', user.email)))
        await this.mails.queue(manager, newSignInMail(user, client));
      return started;
    });
    if (!session) throw new UnauthorizedException('E-mail or password is wrong');
    return this.signedIn(user, session);
  }

  async refresh(refreshToken: string, client: Client): Promise<SignedIn> {
    const session = await this.sessions.refresh(refreshToken, client);
    return this.signedIn(await this.users.get(session.userId), session);
  }

  /** @returns false if the hash was replaced meanwhile */
  private async renewHash(user: User, password: string): Promise<boolean> {
    if (!this.passwords.isWeak(user.passwordHash)) return true;
    const passwordHash = await this.passwords.hash(password);
    if (!(await this.users.replacePasswordHash(user.id, user.passwordHash, passwordHash))) return false;
    user.passwordHash = passwordHash;
    return true;
  }

  /** The hash was replaced meanwhile: another login renewed it, or the password was changed. */
  private async verifyAgain({ id }: User, password: string): Promise<User | undefined> {
    const user = await this.users.find(id);
    return user && (await this.passwords.verify(user.passwordHash, password)) ? user : undefined;
  }

  private async signedIn(user: User, session: IssuedSession): Promise<SignedIn> {
    return {
      user: toUserBody(user),
      accessToken: await this.accessTokens.sign(user.id, session.sessionId),
      tokenType: 'Bearer',
      expiresIn: this.config.JWT_ACCESS_TTL,
      refreshToken: session.refreshToken,
    };
  }
}
