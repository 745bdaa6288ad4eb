import { randomBytes } from 'node:crypto';
import { ConflictException, ForbiddenException, Injectable, Logger, NotFoundException } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, type EntityManager } from 'typeorm';
import { SERVICE_NAME } from '../../config/release.js';
import type { Client } from '../../http/client.js';
import type { Principal } from '../../http/current-user.decorator.js';
import { MailService } from '../../mail/mail.service.js';
import { SecurityEventsService } from '../../security-events/security-events.service.js';
import type { User } from '../../users/user.entity.js';
import { userNoLongerExists, UsersService } from '../../users/users.service.js';
import { secondFactorMail } from '../account/account.mails.js';
import { PasswordAttemptsService } from '../passwords/password-attempts.service.js';
import { SessionsService } from '../sessions/sessions.service.js';
import { hashOfRecoveryCode, newRecoveryCodes, RECOVERY_CODE } from './recovery-codes.js';
import { SecretEncryption } from './secret-encryption.js';
import { SecondFactorRepository, type StoredFactor } from './second-factor.repository.js';
import { toSecondFactorBody, type Enrolment, type SecondFactorBody } from './second-factor.schemas.js';
import { base32, stepOf, totpUri } from './totp.js';

/** 160 bits, as RFC 4226 §4 recommends. */
const SECRET_BYTES = 20;

type Owner = Pick<User, 'id' | 'email'>;

/** An authenticator app as a second factor (RFC 6238), and recovery codes for the day that it is lost. */
@Injectable()
export class SecondFactorService {
  private readonly logger = new Logger('SecondFactor');

  constructor(
    @InjectDataSource() private readonly dataSource: DataSource,
    private readonly factors: SecondFactorRepository,
    private readonly encryption: SecretEncryption,
    private readonly users: UsersService,
    private readonly sessions: SessionsService,
    private readonly attempts: PasswordAttemptsService,
    private readonly securityEvents: SecurityEventsService,
    private readonly mails: MailService,
  ) {}

  async read(userId: string): Promise<SecondFactorBody> {
    return toSecondFactorBody(await this.factors.find(userId));
  }

  /**
   * Starts an enrolment, which takes effect when it is confirmed. A person who registered with
   * somebody else's address must not be able to lock its owner out: a reset of the password keeps the second factor.
   *
   * @throws {ForbiddenException} if mails can be sent and the e-mail address is not verified
   * @throws {ConflictException} if a second factor is enabled
   */
  async enrol({ id, email, emailVerifiedAt }: User): Promise<Enrolment> {
    if (this.mails.isEnabled && !emailVerifiedAt)
      throw new ForbiddenException('Verify your e-mail address first');
    const secret = randomBytes(SECRET_BYTES);
    if (!(await this.factors.begin(id, this.encryption.encrypt(id, secret)))) throw alreadyEnabled();
    const uri = totpUri(SERVICE_NAME, email, secret);
    // Few requests need it.
    const { renderSVG } = await import('uqr');
    return { secret: base32(secret), uri, qrSvg: renderSVG(uri, { border: 4 }) };
  }

  /** @param manager of a transaction that has locked the user */
  isEnabled(userId: string, manager: EntityManager): Promise<boolean> {
    return this.factors.isEnabled(userId, manager);
  }

  /**
   * Enables the second factor, and ends all other sessions: the password alone may have started them.
   *
   * @returns the recovery codes
   * @throws {ConflictException} if no enrolment is pending
   * @throws {ForbiddenException} if the code is wrong
   */
  async confirm(
    { userId, sessionId }: Principal,
    user: Owner,
    code: string,
    client: Client,
  ): Promise<string[]> {
    const factor = await this.factors.find(userId);
    if (!factor) throw noEnrolment();
    if (factor.enabledAt) throw alreadyEnabled();
    const step = this.stepOf(factor, code);
    if (step === undefined) throw new ForbiddenException('The code is wrong');
    const { codes, hashes } = issueRecoveryCodes();
    const ended = await this.change(user, async (manager) => {
      if (!(await this.factors.enable(userId, factor.secret, step, manager))) throw noEnrolment();
      await this.factors.replaceRecoveryCodes(userId, hashes, manager);
      await this.notify('second-factor-enabled', user, client, manager);
      return this.sessions.endOthers(userId, sessionId, manager);
    });
    this.sessions.markEnded(ended);
    return codes;
  }

  /** @throws {NotFoundException} if no second factor is enabled */
  async disable(user: Owner, client: Client): Promise<void> {
    await this.change(user, async (manager) => {
      if (!(await this.factors.remove(user.id, manager))) throw notEnabled();
      await this.notify('second-factor-disabled', user, client, manager);
    });
  }

  /**
   * For an administrator.
   *
   * @param user locked
   * @throws {NotFoundException} if no second factor is enabled
   */
  async remove({ id, email }: Owner, manager: EntityManager): Promise<void> {
    if (!(await this.factors.remove(id, manager))) throw notEnabled();
    await this.mails.queue(manager, { template: 'second-factor-removed', to: email, userId: id });
  }

  /**
   * Replaces all recovery codes.
   *
   * @throws {NotFoundException} if no second factor is enabled
   */
  async renewRecoveryCodes(user: Owner, client: Client): Promise<string[]> {
    const { codes, hashes } = issueRecoveryCodes();
    await this.change(user, async (manager) => {
      if (!(await this.factors.isEnabled(user.id, manager))) throw notEnabled();
      await this.factors.replaceRecoveryCodes(user.id, hashes, manager);
      const event = { userId: user.id, type: 'recovery-codes-replaced', client } as const;
      await this.securityEvents.record(manager, event);
    });
    return codes;
  }

  /**
   * Uses up a code, of the app or for recovery. Call it after the password was verified. Of concurrent calls with the same
   * code, one passes.
   *
   * @returns `passed` for a right code, `none` if the user has no second factor
   * @throws {TooManyRequestsException} after too many wrong codes
   */
  async verify(
    user: Owner,
    code: string | undefined,
    client: Client,
  ): Promise<'passed' | 'none' | 'missing' | 'wrong'> {
    const factor = await this.factors.find(user.id);
    if (!factor?.enabledAt) return 'none';
    if (code === undefined) return 'missing';
    const isSpent = await this.attempts.countCode(user.id, () =>
      RECOVERY_CODE.test(code) ? this.spendRecoveryCode(user, code, client) : this.spendCode(factor, code),
    );
    if (isSpent) return 'passed';
    this.securityEvents.recordFailure(user.email, 'second-factor-failed', client);
    return 'wrong';
  }

  private async spendCode(factor: StoredFactor, code: string): Promise<boolean> {
    const step = this.stepOf(factor, code);
    return step !== undefined && this.factors.spendStep(factor.userId, step, factor.now);
  }

  private spendRecoveryCode(user: Owner, code: string, client: Client): Promise<boolean> {
    return this.change(user, async (manager) => {
      const isSpent = await this.factors.spendRecoveryCode(user.id, hashOfRecoveryCode(code), manager);
      if (isSpent) await this.notify('recovery-code-used', user, client, manager);
      return isSpent;
    });
  }

  /** Locks the user first, as an erasure does, so that the two cannot deadlock. */
  private change<T>({ id }: Owner, work: (manager: EntityManager) => Promise<T>): Promise<T> {
    return this.dataSource.transaction(async (manager) => {
      if (!(await this.users.lock(id, manager))) throw userNoLongerExists();
      return work(manager);
    });
  }

  private async notify(
    type: 'second-factor-enabled' | 'second-factor-disabled' | 'recovery-code-used',
    user: Owner,
    client: Client,
    manager: EntityManager,
  ): Promise<void> {
    await this.securityEvents.record(manager, { userId: user.id, type, client });
    await this.mails.queue(manager, secondFactorMail(type, user, client.ip));
  }

  private stepOf({ userId, secret, now }: StoredFactor, code: string): number | undefined {
    const decrypted = this.encryption.decrypt(userId, secret);
    if (!decrypted) {
      this.logger.warn(
        'a second factor cannot be decrypted: JWT_SECRET was replaced; recovery codes still work',
      );
      return undefined;
    }
    return stepOf(decrypted, code, now);
  }
}

function issueRecoveryCodes(): { codes: string[]; hashes: Buffer[] } {
  const codes = newRecoveryCodes();
  return { codes, hashes: codes.map(hashOfRecoveryCode) };
}

function alreadyEnabled(): ConflictException {
  return new ConflictException('A second factor is already enabled');
}

function noEnrolment(): ConflictException {
  return new ConflictException('No enrolment is pending; start one first');
}

function notEnabled(): NotFoundException {
  return new NotFoundException('No second factor is enabled');
}
