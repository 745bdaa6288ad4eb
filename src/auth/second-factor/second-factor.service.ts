import { randomBytes } from 'node:crypto';
import { ConflictException, ForbiddenException, Injectable, Logger, NotFoundException } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import type { User } from '../../users/user.entity.js';
import { hashOfRecoveryCode, newRecoveryCodes, RECOVERY_CODE } from './recovery-codes.js';
import { SecretEncryption } from './secret-encryption.js';
import { SecondFactorRepository, type StoredFactor } from './second-factor.repository.js';
import { toSecondFactorBody, type Enrolment, type SecondFactorBody } from './second-factor.schemas.js';
import { base32, stepOf, totpUri } from './totp.js';

/** 160 bits, as RFC 4226 §4 recommends. */
const SECRET_BYTES = 20;

/** What authenticator apps show above the code. */
const ISSUER = 'entries';

/** An authenticator app as a second factor (RFC 6238), and recovery codes for the day that it is lost. */
@Injectable()
export class SecondFactorService {
  private readonly logger = new Logger('SecondFactor');

  constructor(
    @InjectDataSource() private readonly dataSource: DataSource,
    private readonly factors: SecondFactorRepository,
    private readonly encryption: SecretEncryption,
  ) {}

  async read(userId: string): Promise<SecondFactorBody> {
    return toSecondFactorBody(await this.factors.find(userId));
  }

  /**
   * Starts an enrolment, which takes effect when it is confirmed.
   *
   * @throws {ConflictException} if a second factor is enabled
   */
  async enrol({ id, email }: Pick<User, 'id' | 'email'>): Promise<Enrolment> {
    const secret = randomBytes(SECRET_BYTES);
    if (!(await this.factors.begin(id, this.encryption.encrypt(id, secret)))) throw alreadyEnabled();
    const uri = totpUri(ISSUER, email, secret);
    // Few requests need it.
    const { renderSVG } = await import('uqr');
    return { secret: base32(secret), uri, qrSvg: renderSVG(uri, { border: 4 }) };
  }

  /**
   * Enables the second factor.
   *
   * @returns the recovery codes
   * @throws {ConflictException} if no enrolment is pending
   * @throws {ForbiddenException} if the code is wrong
   */
  async confirm(userId: string, code: string): Promise<string[]> {
    const factor = await this.factors.find(userId);
    if (!factor) throw noEnrolment();
    if (factor.enabledAt) throw alreadyEnabled();
    const step = this.stepOf(factor, code);
    if (step === undefined) throw new ForbiddenException('The code is wrong');
    const { codes, hashes } = issueRecoveryCodes();
    await this.dataSource.transaction(async (manager) => {
      if (!(await this.factors.enable(userId, factor.secret, step, manager))) throw noEnrolment();
      await this.factors.replaceRecoveryCodes(userId, hashes, manager);
    });
    return codes;
  }

  /** @throws {NotFoundException} if no second factor is enabled */
  async disable(userId: string): Promise<void> {
    await this.dataSource.transaction(async (manager) => {
      if (!(await this.factors.remove(userId, manager))) throw notEnabled();
    });
  }

  /**
   * Replaces all recovery codes.
   *
   * @throws {NotFoundException} if no second factor is enabled
   */
  async renewRecoveryCodes(userId: string): Promise<string[]> {
    const { codes, hashes } = issueRecoveryCodes();
    await this.dataSource.transaction(async (manager) => {
      if (!(await this.factors.replaceRecoveryCodes(userId, hashes, manager))) throw notEnabled();
    });
    return codes;
  }

  /**
   * Uses up a code, of the app or for recovery. Call it after the password was verified. Of concurrent calls with the same
   * code, one passes.
   *
   * @returns `passed` for a right code, and without one if the user has no second factor
   */
  async verify(userId: string, code: string | undefined): Promise<'passed' | 'missing' | 'wrong'> {
    const factor = await this.factors.find(userId);
    if (!factor?.enabledAt) return 'passed';
    if (code === undefined) return 'missing';
    return (await this.spend(factor, code)) ? 'passed' : 'wrong';
  }

  private async spend(factor: StoredFactor, code: string): Promise<boolean> {
    if (RECOVERY_CODE.test(code)) {
      return this.factors.spendRecoveryCode(factor.userId, hashOfRecoveryCode(code));
    }
    const step = this.stepOf(factor, code);
    return step !== undefined && this.factors.spendStep(factor.userId, step, factor.now);
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
