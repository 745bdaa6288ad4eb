import { Injectable } from '@nestjs/common';
import { IsNull, Not, Raw, type EntityManager } from 'typeorm';
import { Sql } from '../../database/sql.js';
import { refuseErasedUser } from '../../users/users.service.js';
import { RecoveryCode } from './recovery-code.entity.js';
import { SecondFactor } from './second-factor.entity.js';
import { STEP_SECONDS, WINDOW } from './totp.js';

export interface StoredFactor extends Pick<SecondFactor, 'userId' | 'secret' | 'createdAt' | 'enabledAt'> {
  /** The current time step by the clock of the database, which all replicas share. */
  readonly now: number;
  readonly recoveryCodesRemaining: number;
}

/** Who confirms an enrolment later must give the password again. */
const PENDING_MINUTES = 60;

const STATEMENTS = {
  find: `
    SELECT user_id AS "userId", secret, created_at AS "createdAt", enabled_at AS "enabledAt",
           floor(extract(epoch FROM now()) / ${STEP_SECONDS})::integer AS now,
           (SELECT count(*) FROM recovery_codes WHERE user_id = $1)::integer AS "recoveryCodesRemaining"
      FROM second_factors WHERE user_id = $1`,
  begin: `
    INSERT INTO second_factors AS factor (user_id, secret) VALUES ($1, $2)
        ON CONFLICT (user_id) DO UPDATE SET secret = excluded.secret, created_at = now() WHERE factor.enabled_at IS NULL`,
  // A last step after the window was stored before the clock was set back. It must not refuse codes until then.
  spendStep: `
    UPDATE second_factors SET last_used_step = $2
     WHERE user_id = $1 AND enabled_at IS NOT NULL
       AND (last_used_step IS NULL OR last_used_step NOT BETWEEN $2 AND $3)`,
  encryptedWith:
    'SELECT user_id AS "userId", secret FROM second_factors WHERE substr(secret, 1, 4) = $1 LIMIT $2',
  replaceSecret: 'UPDATE second_factors SET secret = $3 WHERE user_id = $1 AND secret = $2',
} as const;

/** Statements on the `second_factors` and `recovery_codes` tables. */
@Injectable()
export class SecondFactorRepository {
  constructor(private readonly sql: Sql) {}

  /** Enabled or pending. */
  async find(userId: string): Promise<StoredFactor | undefined> {
    const { rows } = await this.sql.query<StoredFactor>('second-factor-find', STATEMENTS.find, [userId]);
    return rows[0];
  }

  /** Replaces a pending enrolment. @returns false if a factor is enabled */
  async begin(userId: string, secret: Buffer): Promise<boolean> {
    const { rowCount } = await this.sql
      .query('second-factor-begin', STATEMENTS.begin, [userId, secret])
      .catch(refuseErasedUser);
    return rowCount === 1;
  }

  /** Enables a pending factor. @returns false if it is no longer the one with this secret, is enabled, or is too old */
  async enable(userId: string, secret: Buffer, step: number, manager: EntityManager): Promise<boolean> {
    const { affected } = await manager.update(
      SecondFactor,
      {
        userId,
        secret,
        enabledAt: IsNull(),
        createdAt: Raw((column) => `${column} > now() - interval '${PENDING_MINUTES} minutes'`),
      },
      { enabledAt: () => 'now()', lastUsedStep: step },
    );
    return affected === 1;
  }

  /** Deletes an enabled factor and its recovery codes. @returns false if there is none */
  async remove(userId: string, manager: EntityManager): Promise<boolean> {
    const { affected } = await manager.delete(SecondFactor, { userId, enabledAt: Not(IsNull()) });
    return affected === 1;
  }

  /** Call it with the user locked, so that of concurrent calls only the codes of the last one remain. */
  async replaceRecoveryCodes(
    userId: string,
    hashes: readonly Buffer[],
    manager: EntityManager,
  ): Promise<void> {
    await manager.delete(RecoveryCode, { userId });
    await manager.insert(
      RecoveryCode,
      hashes.map((codeHash) => ({ userId, codeHash })),
    );
  }

  isEnabled(userId: string, manager: EntityManager): Promise<boolean> {
    return manager.existsBy(SecondFactor, { userId, enabledAt: Not(IsNull()) });
  }

  /**
   * @param now the current step
   * @returns false if a code of this step or a later one was accepted before
   */
  async spendStep(userId: string, step: number, now: number): Promise<boolean> {
    const { rowCount } = await this.sql.query('second-factor-spend-step', STATEMENTS.spendStep, [
      userId,
      step,
      now + WINDOW,
    ]);
    return rowCount === 1;
  }

  /** @returns false if it is not one of the unused codes */
  async spendRecoveryCode(userId: string, codeHash: Buffer, manager: EntityManager): Promise<boolean> {
    const { affected } = await manager.delete(RecoveryCode, { userId, codeHash });
    return affected === 1;
  }

  async listEncryptedWith(keyId: Buffer, limit: number): Promise<Pick<SecondFactor, 'userId' | 'secret'>[]> {
    const { rows } = await this.sql.query<Pick<SecondFactor, 'userId' | 'secret'>>(
      'second-factor-encrypted-with',
      STATEMENTS.encryptedWith,
      [keyId, limit],
    );
    return rows;
  }

  /** Nothing happens if the secret is no longer `expected`. */
  async replaceSecret(userId: string, expected: Buffer, secret: Buffer): Promise<void> {
    await this.sql.query('second-factor-replace-secret', STATEMENTS.replaceSecret, [
      userId,
      expected,
      secret,
    ]);
  }
}
