import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { Config } from '../../config/config.js';

const ID_BYTES = 4;
const KEY_BYTES = 32;
const IV_BYTES = 12;
const TAG_BYTES = 16;

interface Key {
  /** Tells which `JWT_SECRET` a value was encrypted with. */
  readonly id: Buffer;
  readonly key: Buffer;
}

/**
 * Encrypts the secrets of authenticator apps with AES-256-GCM. The key is derived from `JWT_SECRET` with HKDF (RFC 5869). A
 * value is the id of its key, the IV, the tag and the ciphertext. It is bound to its user: in another row it is refused.
 */
@Injectable()
export class SecretEncryption {
  private readonly current: Key;
  private readonly previous: Key | undefined;

  constructor({ JWT_SECRET: secret, JWT_SECRET_PREVIOUS: previousSecret }: Config) {
    this.current = deriveKey(secret);
    this.previous = previousSecret === undefined ? undefined : deriveKey(previousSecret);
  }

  /** The first bytes of values that `JWT_SECRET_PREVIOUS` encrypted; undefined without it. */
  get previousKeyId(): Buffer | undefined {
    return this.previous?.id;
  }

  encrypt(userId: string, secret: Buffer): Buffer {
    const iv = randomBytes(IV_BYTES);
    const cipher = createCipheriv('aes-256-gcm', this.current.key, iv).setAAD(Buffer.from(userId));
    const ciphertext = Buffer.concat([cipher.update(secret), cipher.final()]);
    return Buffer.concat([this.current.id, iv, cipher.getAuthTag(), ciphertext]);
  }

  /** @returns undefined if neither `JWT_SECRET` nor `JWT_SECRET_PREVIOUS` encrypted it */
  decrypt(userId: string, value: Buffer): Buffer | undefined {
    const key = [this.current, this.previous].find((each) => each?.id.equals(value.subarray(0, ID_BYTES)));
    if (!key) return undefined;
    const iv = value.subarray(ID_BYTES, ID_BYTES + IV_BYTES);
    const tag = value.subarray(ID_BYTES + IV_BYTES, ID_BYTES + IV_BYTES + TAG_BYTES);
    const ciphertext = value.subarray(ID_BYTES + IV_BYTES + TAG_BYTES);
    try {
      const decipher = createDecipheriv('aes-256-gcm', key.key, iv, { authTagLength: TAG_BYTES })
        .setAAD(Buffer.from(userId))
        .setAuthTag(tag);
      return Buffer.concat([decipher.update(ciphertext), decipher.final()]);
    } catch {
      return undefined;
    }
  }
}

function deriveKey(secret: string): Key {
  const bytes = Buffer.from(hkdfSync('sha256', secret, '', 'second factor', ID_BYTES + KEY_BYTES));
  return { id: bytes.subarray(0, ID_BYTES), key: bytes.subarray(ID_BYTES) };
}
