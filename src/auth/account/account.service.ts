import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import type { Principal } from '../../http/current-user.decorator.js';
import { MailService } from '../../mail/mail.service.js';
import { SecurityEventsService } from '../../security-events/security-events.service.js';
import { UsersService } from '../../users/users.service.js';
import { passwordChangedMail } from './account.mails.js';
import type { Erasure, PasswordChange } from './account.schemas.js';
import type { StepUpClient } from './step-up-client.js';
import { StepUpService, wrongPassword } from './step-up.service.js';
import { ErasureService } from './erasure.service.js';
import { refuseCommonPassword, refuseTheEmail } from '../passwords/common-passwords.js';
import { PasswordsService } from '../passwords/passwords.service.js';
import { PASSWORD_LINKS } from '../recovery/account-token.entity.js';
import { AccountTokensRepository } from '../recovery/account-tokens.repository.js';
import { RecoveryLimitsService } from '../recovery/recovery-limits.service.js';
import { SessionsService } from '../sessions/sessions.service.js';

@Injectable()
export class AccountService {
  constructor(
    @InjectDataSource() private readonly dataSource: DataSource,
    private readonly users: UsersService,
    private readonly erasure: ErasureService,
    private readonly sessions: SessionsService,
    private readonly securityEvents: SecurityEventsService,
    private readonly passwords: PasswordsService,
    private readonly stepUp: StepUpService,
    private readonly mails: MailService,
    private readonly tokens: AccountTokensRepository,
    private readonly limits: RecoveryLimitsService,
  ) {}

  /**
   * One transaction changes the password, ends all other sessions, makes links in mails void and queues a notice.
   *
   * @throws {ForbiddenException} if the current password or the code is wrong
   * @throws {UnprocessableEntityException} if the new password is the e-mail or a common one
   */
  async changePassword(
    { userId, sessionId }: Principal,
    { currentPassword, newPassword, code }: PasswordChange,
    client: StepUpClient,
  ): Promise<void> {
    await refuseCommonPassword('newPassword', newPassword);
    refuseTheEmail('newPassword', newPassword, (await this.users.get(userId)).email);
    const user = await this.stepUp.verify(userId, { password: currentPassword, code }, client);
    const passwordHash = await this.passwords.hash(newPassword);
    const ended = await this.dataSource.transaction(async (manager) => {
      // A concurrent change has replaced the current password.
      if (!(await this.users.replacePasswordHash(userId, user.passwordHash, passwordHash, manager)))
        throw wrongPassword();
      await this.securityEvents.record(manager, { userId, type: 'password-changed', client });
      await this.tokens.void(userId, PASSWORD_LINKS, manager);
      if (await this.limits.mayMail('password-changed', user.email))
        await this.mails.queue(manager, passwordChangedMail(user, client.ip));
      return this.sessions.endOthers(userId, sessionId, manager);
    });
    this.sessions.markEnded(ended);
  }

  /**
   * @throws {ForbiddenException} if the password or the code is wrong
   * @throws {ConflictException} for the last administrator
   */
  async erase({ userId }: Principal, erasure: Erasure, client: StepUpClient): Promise<void> {
    await this.erasure.erase(await this.stepUp.verify(userId, erasure, client));
  }
}
