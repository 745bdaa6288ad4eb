import { Injectable, Logger } from '@nestjs/common';
import { BatchPurge } from '../../jobs/batch-purge.js';
import { SecretEncryption } from './secret-encryption.js';
import { SecondFactorRepository } from './second-factor.repository.js';

/** Not at the start: in a rolling restart, replicas that have only the previous key still serve. */
const EVERY_MS = 3_600_000;

/** Encrypts with `JWT_SECRET` what `JWT_SECRET_PREVIOUS` encrypted, so that it can be removed. */
@Injectable()
export class SecondFactorKeyRotation extends BatchPurge {
  constructor(
    private readonly factors: SecondFactorRepository,
    private readonly encryption: SecretEncryption,
  ) {
    super(new Logger('SecondFactor'), EVERY_MS);
  }

  protected override async purge(): Promise<void> {
    const { previousKeyId } = this.encryption;
    if (!previousKeyId) return;
    await this.inBatches(async (batch) => {
      let replaced = 0;
      for (const { userId, secret } of await this.factors.listEncryptedWith(previousKeyId, batch)) {
        const decrypted = this.encryption.decrypt(userId, secret);
        if (!decrypted) continue;
        await this.factors.replaceSecret(userId, secret, this.encryption.encrypt(userId, decrypted));
        replaced += 1;
      }
      return replaced;
    });
  }
}
