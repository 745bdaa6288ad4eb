import { Injectable, type OnModuleInit } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, type EntityManager } from 'typeorm';
import type { Client } from '../../http/client.js';
import { unprocessableBody } from '../../http/validation/schema-validation.pipe.js';
import type { ClaimedMail } from '../../mail/mail.entity.js';
import { MailService } from '../../mail/mail.service.js';
import { SecurityEventsService } from '../../security-events/security-events.service.js';
import type { User } from '../../users/user.entity.js';
import { accountDisabled, userNoLongerExists, UsersService } from '../../users/users.service.js';
import type { StepUpClient } from '../account/step-up-client.js';
import { StepUpService, wrongPassword } from '../account/step-up.service.js';
import type { TokenPurpose } from './account-token.entity.js';
import { AccountTokensRepository } from './account-tokens.repository.js';
import { AccountTokensService, invalidToken } from './account-tokens.service.js';
import { RecoveryLimitsService } from './recovery-limits.service.js';
import type { EmailChange } from './recovery.schemas.js';

/** Verifies the addresses of accounts, and changes them. */
@Injectable()
export class EmailAddressService implements OnModuleInit {
  constructor(
    @InjectDataSource() private readonly dataSource: DataSource,
    private readonly users: UsersService,
    private readonly stepUp: StepUpService,
    private readonly securityEvents: SecurityEventsService,
    private readonly mails: MailService,
    private readonly tokens: AccountTokensService,
    private readonly stored: AccountTokensRepository,
    private readonly limits: RecoveryLimitsService,
  ) {}

  onModuleInit(): void {
    for (const purpose of ['verify-email', 'change-email'] as const)
      this.mails.register(purpose, (mail) => this.issue(mail, purpose));
  }

  /**
   * Sends the link again, unless the address is verified or got 3 of them within an hour.
   *
   * @throws {TooManyRequestsException} for too many requests of one network
   */
  async resend(userId: string, ip: string): Promise<void> {
    await this.limits.admit(ip);
    const user = await this.users.get(userId);
    if (user.emailVerifiedAt || !(await this.limits.mayMail('verify-email', user.email))) return;
    await this.dataSource.transaction(async (manager) => {
      if (!(await this.users.lock(userId, manager))) throw userNoLongerExists();
      await this.sendLink('verify-email', user.id, user.email, manager);
    });
  }

  /** Sends nothing after too many requests of one network. @param manager of the transaction that creates the user */
  async sendFirst({ id, email }: User, ip: string, manager: EntityManager): Promise<void> {
    if (!this.mails.isEnabled || !(await this.limits.isAdmitted(ip))) return;
    if (await this.limits.mayMail('verify-email', email))
      await this.sendLink('verify-email', id, email, manager);
  }

  /**
   * Sends a link to the new address and a notice to the old one.
   *
   * @throws {ForbiddenException} if the password or the code is wrong
   * @throws {UnprocessableEntityException} if it is the current address
   * @throws {TooManyRequestsException} for too many requests of one network
   */
  async requestChange(
    userId: string,
    { newEmail, ...proof }: EmailChange,
    client: StepUpClient,
  ): Promise<void> {
    if (newEmail === (await this.users.get(userId)).email) {
      throw unprocessableBody([{ path: 'newEmail', message: 'must not be the current address' }]);
    }
    await this.limits.admit(client.ip);
    const { email, passwordHash } = await this.stepUp.verify(userId, proof, client);
    if (!(await this.limits.mayMail('change-email', newEmail))) return;
    await this.dataSource.transaction(async (manager) => {
      // A concurrent change of the password makes earlier links void, so none may follow.
      if (!(await this.users.lockPasswordHash(userId, passwordHash, manager))) throw wrongPassword();
      await this.sendLink('change-email', userId, newEmail, manager);
      const template = 'email-change-requested';
      if (await this.limits.mayMail(template, email))
        await this.mails.queue(manager, { template, to: email, userId, data: { newEmail, ip: client.ip } });
      await this.securityEvents.record(manager, { userId, type: 'email-change-requested', client });
    });
  }

  /**
   * Verifies the address that the link was sent to, or makes it the account's address.
   *
   * @throws {BadRequestException} if the token is unknown, used or expired
   * @throws {ForbiddenException} if the account is disabled; the token can still be used when it is enabled again
   * @throws {ConflictException} if another account has the new address; the token can still be used
   */
  async verify(token: string, client: Client): Promise<void> {
    const hash = this.tokens.hashOf(token);
    const link = await this.stored.find(hash);
    if (link?.purpose !== 'verify-email' && link?.purpose !== 'change-email') throw invalidToken();
    const { userId, purpose, email } = link;
    await this.dataSource.transaction(async (manager) => {
      // Before the token, as an erasure does, so that they cannot deadlock.
      const user = await this.users.lock(userId, manager);
      if (user?.disabledAt) throw accountDisabled();
      if (!user || !(await this.stored.spend(hash, manager))) throw invalidToken();
      if (purpose === 'verify-email') {
        await this.users.verifyEmail(userId, manager);
        await this.securityEvents.record(manager, { userId, type: 'email-verified', client });
        return;
      }
      await this.users.changeEmail(userId, email, manager);
      // Links sent to the old address.
      await this.stored.void(userId, ['reset-password', 'verify-email'], manager);
      await this.securityEvents.record(manager, { userId, type: 'email-changed', client });
      const data = { newEmail: email, ip: client.ip };
      await this.mails.queue(manager, { template: 'email-changed', to: user.email, userId, data });
    });
  }

  private async sendLink(
    purpose: 'verify-email' | 'change-email',
    userId: string,
    email: string,
    manager: EntityManager,
  ): Promise<void> {
    const mailId = await this.mails.queue(manager, { template: purpose, to: email, userId });
    if (mailId !== undefined) await this.stored.request({ userId, purpose, email, mailId }, manager);
  }

  /** @returns undefined if the link was used, replaced or made void */
  private async issue({ id, userId }: ClaimedMail, purpose: TokenPurpose) {
    const token = this.tokens.tokenOf(id);
    const isValid =
      userId && (await this.stored.issue({ userId, purpose, mailId: id }, this.tokens.hashOf(token)));
    return isValid ? { link: this.tokens.linkTo(purpose, token) } : undefined;
  }
}
