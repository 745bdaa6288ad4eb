import { ForbiddenException, HttpStatus, Injectable } from '@nestjs/common';
import type { Client } from '../../http/client.js';
import { SecurityEventsService } from '../../security-events/security-events.service.js';
import type { User } from '../../users/user.entity.js';
import { UsersService } from '../../users/users.service.js';
import { PasswordAttemptsService } from '../passwords/password-attempts.service.js';
import { PasswordsService } from '../passwords/passwords.service.js';
import { SecondFactorRequiredException } from '../second-factor/second-factor-required.exception.js';
import { SecondFactorService } from '../second-factor/second-factor.service.js';
import type { StepUpClient } from './step-up-client.js';

export interface StepUp {
  readonly password: string;
  /** Needed if the user has a second factor. */
  readonly code?: string | undefined;
}

/** Asks a signed-in user for the password, and the second factor, again. Attempts are limited like logins. */
@Injectable()
export class StepUpService {
  constructor(
    private readonly users: UsersService,
    private readonly passwords: PasswordsService,
    private readonly secondFactor: SecondFactorService,
    private readonly securityEvents: SecurityEventsService,
    private readonly attempts: PasswordAttemptsService,
  ) {}

  /**
   * Uses up the code. Call it last before the change, so that no refusal costs a recovery code.
   *
   * @throws {ForbiddenException} if the password or the code is wrong
   * @throws {SecondFactorRequiredException} if the password is right and the code is missing
   */
  verify(userId: string, { password, code }: StepUp, client: StepUpClient): Promise<User> {
    return this.count(userId, client, async (user) => {
      await this.requirePassword(user, password, client);
      const outcome = await this.secondFactor.verify(user, code, client);
      if (outcome === 'missing') throw new SecondFactorRequiredException(HttpStatus.FORBIDDEN);
      if (outcome === 'wrong') throw new ForbiddenException('The code is wrong or was used before');
      return user;
    });
  }

  /** @throws {ForbiddenException} if the password is wrong */
  verifyPassword(userId: string, password: string, client: StepUpClient): Promise<User> {
    return this.count(userId, client, async (user) => {
      await this.requirePassword(user, password, client);
      return user;
    });
  }

  /** Limits attempts of the user like logins. @throws {TooManyRequestsException} before the attempt */
  async count<T>(userId: string, client: StepUpClient, attempt: (user: User) => Promise<T>): Promise<T> {
    const user = await this.users.get(userId);
    return this.attempts.count({ ...client, email: user.email }, () => attempt(user));
  }

  private async requirePassword(user: User, password: string, client: Client): Promise<void> {
    if (await this.passwords.verify(user.passwordHash, password)) return;
    this.securityEvents.recordFailure(user.email, 'reauthentication-failed', client);
    throw wrongPassword();
  }
}

/** Not 401: the access token is valid, and a client would refresh it and retry. */
export function wrongPassword(): ForbiddenException {
  return new ForbiddenException('The password is wrong');
}
