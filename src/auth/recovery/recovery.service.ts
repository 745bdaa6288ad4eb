import { randomBytes } from 'node:crypto';
import { Injectable, type OnModuleInit } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, type EntityManager } from 'typeorm';
import { newRowId } from '../../database/row-id.js';
import type { Client } from '../../http/client.js';
import type { ClaimedMail } from '../../mail/mail.entity.js';
import { MailService, type NewMail } from '../../mail/mail.service.js';
import {
  SecurityEventsService,
  type NewSecurityEvent,
} from '../../security-events/security-events.service.js';
import type { User } from '../../users/user.entity.js';
import { accountDisabled, UsersService } from '../../users/users.service.js';
import { passwordChangedMail, passwordRemovedMail } from '../account/account.mails.js';
import { refuseCommonPassword, refuseTheEmail } from '../passwords/common-passwords.js';
import { PasswordAttemptsService } from '../passwords/password-attempts.service.js';
import { PasswordsService } from '../passwords/passwords.service.js';
import { SessionsService } from '../sessions/sessions.service.js';
import { PASSWORD_LINKS } from './account-token.entity.js';
import { AccountTokensRepository } from './account-tokens.repository.js';
import { AccountTokensService, invalidToken } from './account-tokens.service.js';
import { RecoveryLimitsService } from './recovery-limits.service.js';
import type { ResetPassword } from './recovery.schemas.js';

@Injectable()
export class RecoveryService implements OnModuleInit {
  constructor(
    @InjectDataSource() private readonly dataSource: DataSource,
    private readonly users: UsersService,
    private readonly sessions: SessionsService,
    private readonly passwords: PasswordsService,
    private readonly attempts: PasswordAttemptsService,
    private readonly securityEvents: SecurityEventsService,
    private readonly mails: MailService,
    private readonly tokens: AccountTokensService,
    private readonly stored: AccountTokensRepository,
    private readonly limits: RecoveryLimitsService,
  ) {}

  onModuleInit(): void {
    this.mails.register('reset-password', (mail) => this.issueReset(mail));
  }

  /**
   * Queues a mail to the address. Whether an account has it is looked up when the mail is delivered, so the response and
   * its time do not depend on it.
   *
   * @throws {TooManyRequestsException} for too many requests of one network
   */
  async forgotPassword(email: string, { ip, userAgent }: Client): Promise<void> {
    await this.limits.admit(ip);
    if (!(await this.limits.mayMail('reset-password', email))) return;
    const data = { ip, ...(userAgent !== undefined && { userAgent: userAgent.slice(0, 512) }) };
    await this.mails.queue(this.dataSource.manager, { template: 'reset-password', to: email, data });
  }

  /**
   * One transaction uses up the token, sets the password, ends every session, makes other links void and queues a notice.
   *
   * @throws {BadRequestException} if the token is unknown, used or expired
   * @throws {ForbiddenException} if the account is disabled; the token can still be used when it is enabled again
   * @throws {UnprocessableEntityException} if the password is the e-mail or a common one; the token can still be used
   */
  async resetPassword({ token, newPassword }: ResetPassword, client: Client): Promise<void> {
    await refuseCommonPassword('newPassword', newPassword);
    const hash = this.tokens.hashOf(token);
    const link = await this.stored.find(hash);
    const isByMail = link?.purpose === 'reset-password';
    const user = isByMail || link?.purpose === 'operator-reset' ? await this.users.find(link.userId) : null;
    if (!user) throw invalidToken();
    if (user.disabledAt) throw accountDisabled();
    refuseTheEmail('newPassword', newPassword, user.email);
    const passwordHash = await this.passwords.hash(newPassword);
    const notice = passwordChangedMail(user, client.ip);
    await this.setPassword(user, { passwordHash, by: { client }, notice }, async (manager) => {
      if (!(await this.stored.spend(hash, manager))) throw invalidToken();
      // Who has the link reads the mailbox.
      if (isByMail) await this.users.verifyEmail(user.id, manager);
    });
  }

  /**
   * Makes the password void, ends every session, makes other links void and queues a notice.
   *
   * @returns a link to set a new password, for an operator to pass on
   * @throws {BadRequestException} if the user was erased meanwhile
   */
  async resetByOperator(user: User): Promise<string> {
    // Of a password that nobody knows, so that a login takes as long as any other.
    const passwordHash = await this.passwords.hash(randomBytes(32).toString('base64url'));
    const by = { details: { by: 'operator' } };
    await this.setPassword(user, { passwordHash, by, notice: passwordRemovedMail(user) });
    const link = {
      userId: user.id,
      purpose: 'operator-reset',
      email: user.email,
      mailId: newRowId(),
    } as const;
    const token = this.tokens.tokenOf(link.mailId);
    await this.stored.request(link, this.dataSource.manager, this.tokens.hashOf(token));
    return this.tokens.linkTo('reset-password', token);
  }

  private async setPassword(
    user: User,
    reset: {
      passwordHash: string;
      by: Pick<NewSecurityEvent, 'client' | 'details'>;
      notice: NewMail;
    },
    spendToken?: (manager: EntityManager) => Promise<void>,
  ): Promise<void> {
    const ended = await this.dataSource.transaction(async (manager) => {
      // Before the token, as an erasure does, so that they cannot deadlock.
      if (!(await this.users.setPasswordHash(user.id, reset.passwordHash, manager))) throw invalidToken();
      await spendToken?.(manager);
      await this.stored.void(user.id, PASSWORD_LINKS, manager);
      await this.securityEvents.record(manager, { userId: user.id, type: 'password-reset', ...reset.by });
      await this.mails.queue(manager, reset.notice);
      return this.sessions.endEvery(user.id, manager);
    });
    this.sessions.markEnded(ended);
    await this.attempts.forgetPassword(user.email);
  }

  /** Looks up the account and stores the token. @returns undefined if no account has the address */
  private issueReset({ id, recipient, data, createdAt }: ClaimedMail) {
    const token = this.tokens.tokenOf(id);
    const sent = { mailId: id, hash: this.tokens.hashOf(token), requestedAt: createdAt };
    return this.dataSource.transaction(async (manager) => {
      const issued = await this.stored.issueReset(recipient, sent, manager);
      if (!issued) return undefined;
      const { userId, isFirst } = issued;
      const client = { ip: data['ip'] ?? '', userAgent: data['userAgent'] };
      if (isFirst)
        await this.securityEvents.record(manager, { userId, type: 'password-reset-requested', client });
      return { link: this.tokens.linkTo('reset-password', token) };
    });
  }
}
