import { Injectable, Logger } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { retryDeadlocks } from '../../database/deadlock.js';
import type { Principal } from '../../http/current-user.decorator.js';
import { unprocessableBody } from '../../http/validation/schema-validation.pipe.js';
import { MailService } from '../../mail/mail.service.js';
import { SecurityEventsService } from '../../security-events/security-events.service.js';
import { PersonalDataService } from '../../users/personal-data.service.js';
import type { User } from '../../users/user.entity.js';
import { UsersService } from '../../users/users.service.js';
import { passwordChangedMail } from './account.mails.js';
import type { Erasure, PasswordChange } from './account.schemas.js';
import { StepUpService, wrongPassword, type StepUpClient } from './step-up.service.js';
import { isTheEmail, refuseCommonPassword } from '../passwords/common-passwords.js';
import { PasswordAttemptsService } from '../passwords/password-attempts.service.js';
import { PasswordsService } from '../passwords/passwords.service.js';
import { SessionsService } from '../sessions/sessions.service.js';

@Injectable()
export class AccountService {
  private readonly logger = new Logger('Account');

  constructor(
    @InjectDataSource() private readonly dataSource: DataSource,
    private readonly users: UsersService,
    private readonly personalData: PersonalDataService,
    private readonly sessions: SessionsService,
    private readonly securityEvents: SecurityEventsService,
    private readonly passwords: PasswordsService,
    private readonly stepUp: StepUpService,
    private readonly attempts: PasswordAttemptsService,
    private readonly mails: MailService,
  ) {}

  /**
   * One transaction changes the password, ends all other sessions and queues a notice.
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
    const { email } = await this.users.get(userId);
    if (isTheEmail(newPassword, email)) {
      throw unprocessableBody([{ path: 'newPassword', message: 'must not be the e-mail address' }]);
    }
    const user = await this.stepUp.verify(userId, { password: currentPassword, code }, client);
    const passwordHash = await this.passwords.hash(newPassword);
    const ended = await this.dataSource.transaction(async (manager) => {
      // A concurrent change has replaced the current password.
      if (!(await this.users.replacePasswordHash(userId, user.passwordHash, passwordHash, manager)))
        throw wrongPassword();
      await this.securityEvents.record(manager, { userId, type: 'password-changed', client });
      await this.mails.queue(manager, passwordChangedMail(user, client.ip));
      return this.sessions.endOthers(userId, sessionId, manager);
    });
    this.sessions.markEnded(ended);
  }

  /**
   * Erases the user and all their data. Deletes the user last, so that an interrupted erasure can be retried.
   *
   * @throws {ForbiddenException} if the password or the code is wrong
   */
  async erase({ userId }: Principal, erasure: Erasure, client: StepUpClient): Promise<void> {
    const user = await this.stepUp.verify(userId, erasure, client);
    const ended = await this.eraseRows(user);
    this.sessions.markEnded(ended);
    await this.attempts.forget(user.email);
    await this.personalData.eraseTraces(userId);
    this.logger.log('a user was erased');
  }

  /** Concurrent erasures and writes can deadlock. */
  private eraseRows({ id: userId, email }: User): Promise<string[]> {
    return retryDeadlocks(async () => {
      await this.personalData.eraseRows(userId);
      return this.dataSource.transaction(async (manager) => {
        // From here on no session can start.
        await this.users.lock(userId, manager);
        await this.mails.erase(userId, email, manager);
        return this.sessions.eraseWith(userId, manager, () => this.users.erase(userId, manager));
      });
    });
  }
}
