import { Injectable, Logger } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { retryDeadlocks } from '../../database/deadlock.js';
import { MailService } from '../../mail/mail.service.js';
import { PersonalDataService } from '../../users/personal-data.service.js';
import type { User } from '../../users/user.entity.js';
import { UsersService } from '../../users/users.service.js';
import { PasswordAttemptsService } from '../passwords/password-attempts.service.js';
import { SessionsService } from '../sessions/sessions.service.js';

/** Erases a user and all their data. */
@Injectable()
export class ErasureService {
  private readonly logger = new Logger('Account');

  constructor(
    @InjectDataSource() private readonly dataSource: DataSource,
    private readonly users: UsersService,
    private readonly personalData: PersonalDataService,
    private readonly sessions: SessionsService,
    private readonly attempts: PasswordAttemptsService,
    private readonly mails: MailService,
  ) {}

  /**
   * Deletes the user last, so that an interrupted erasure can be retried.
   *
   * @throws {ConflictException} for the last administrator, who loses nothing
   */
  async erase(user: User): Promise<void> {
    if (user.role === 'admin') await this.demote(user.id);
    const ended = await this.eraseRows(user);
    this.sessions.markEnded(ended);
    await this.attempts.forget(user);
    await this.personalData.eraseTraces(user.id);
    this.logger.log('a user was erased');
  }

  /** Before anything is deleted, so that two administrators cannot both lose their data, and one their account. */
  private demote(userId: string): Promise<void> {
    return retryDeadlocks(() =>
      this.dataSource.transaction(async (manager) => {
        const user = await this.users.lock(userId, manager);
        if (!user) return;
        await this.users.refuseLastAdmin(user, manager);
        await this.users.administer(userId, { role: 'user' }, manager);
      }),
    );
  }

  /** Concurrent erasures and writes can deadlock. */
  private eraseRows({ id: userId, email }: User): Promise<string[]> {
    return retryDeadlocks(async () => {
      await this.personalData.eraseRows(userId);
      return this.dataSource.transaction(async (manager) => {
        // From here on no session can start.
        const user = await this.users.lockForErasure(userId, manager);
        // Erased by another request.
        if (!user) return [];
        // Promoted meanwhile.
        await this.users.refuseLastAdmin(user, manager);
        await this.mails.erase(userId, email, manager);
        return this.sessions.eraseWith(userId, manager, () => this.users.erase(userId, manager));
      });
    });
  }
}
