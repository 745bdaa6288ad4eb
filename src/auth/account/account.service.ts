import { ForbiddenException, Injectable, Logger } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { retryDeadlocks } from '../../database/deadlock.js';
import type { Principal } from '../../http/current-user.decorator.js';
import { unprocessableBody } from '../../http/validation/schema-validation.pipe.js';
import { PersonalDataService } from '../../users/personal-data.service.js';
import type { User } from '../../users/user.entity.js';
import { UsersService } from '../../users/users.service.js';
import type { PasswordChange } from './account.schemas.js';
import { isTheEmail, refuseCommonPassword } from '../passwords/common-passwords.js';
import { PasswordAttempts, type PasswordAttempt } from '../passwords/password-attempts.js';
import { Passwords } from '../passwords/passwords.js';
import { SessionsService } from '../sessions/sessions.service.js';

type Client = Omit<PasswordAttempt, 'email'>;

/** What a signed-in user can do to the account by giving the password again. */
@Injectable()
export class AccountService {
  private readonly logger = new Logger('Account');

  constructor(
    @InjectDataSource() private readonly dataSource: DataSource,
    private readonly users: UsersService,
    private readonly personalData: PersonalDataService,
    private readonly sessions: SessionsService,
    private readonly passwords: Passwords,
    private readonly attempts: PasswordAttempts,
  ) {}

  /**
   * Password and the end of every other session are one transaction.
   *
   * @throws {ForbiddenException} where the current password is another
   * @throws {UnprocessableEntityException} where the new one is the e-mail, or a common one
   */
  async changePassword(
    { userId, sessionId }: Principal,
    { currentPassword, newPassword }: PasswordChange,
    client: Client,
  ): Promise<void> {
    await refuseCommonPassword('newPassword', newPassword);
    const user = await this.confirm(userId, currentPassword, client);
    if (isTheEmail(newPassword, user.email)) {
      throw unprocessableBody([{ path: 'newPassword', message: 'must not be the e-mail address' }]);
    }
    const passwordHash = await this.passwords.hash(newPassword);
    const ended = await this.dataSource.transaction(async (manager) => {
      // Another change came first: what was given as the current password no longer is.
      if (!(await this.users.replacePasswordHash(userId, user.passwordHash, passwordHash, manager)))
        throw wrongPassword();
      return this.sessions.endOthers(userId, sessionId, manager);
    });
    this.sessions.known(ended);
  }

  /**
   * Erases the user and all that is held of them. What goes first goes in batches, so one that breaks off leaves the
   * user there to ask again.
   *
   * @throws {ForbiddenException} where the password is another
   */
  async erase({ userId }: Principal, password: string, client: Client): Promise<void> {
    const user = await this.confirm(userId, password, client);
    const ended = await this.eraseRows(userId);
    this.sessions.known(ended);
    await this.attempts.forget(user.email);
    await this.personalData.eraseTraces(userId);
    this.logger.log('a user was erased');
  }

  /** Two erasures, or one and a write, may wait for each other's rows. */
  private eraseRows(userId: string): Promise<string[]> {
    return retryDeadlocks(async () => {
      await this.personalData.eraseRows(userId);
      return this.dataSource.transaction(async (manager) => {
        // No session can begin from here on.
        await this.users.lock(userId, manager);
        return this.sessions.eraseWith(userId, manager, () => this.users.erase(userId, manager));
      });
    });
  }

  private async confirm(userId: string, password: string, client: Client): Promise<User> {
    const user = await this.users.get(userId);
    return this.attempts.count({ ...client, email: user.email }, async () => {
      if (!(await this.passwords.verify(user.passwordHash, password))) throw wrongPassword();
      return user;
    });
  }
}

/** Not 401: the access token is good, and a client would only fetch another and try again. */
function wrongPassword(): ForbiddenException {
  return new ForbiddenException('The password is wrong');
}
