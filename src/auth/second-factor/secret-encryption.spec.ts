import { randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { loadConfig } from '../../config/config.js';
import { SecretEncryption } from './secret-encryption.js';

const [OLD, NEW] = ['the-old-secret-of-32-bytes-or-more-x', 'the-new-secret-of-32-bytes-or-more-y'];
const [ADA, BOB] = ['01900000-0000-7000-8000-00000000000a', '01900000-0000-7000-8000-00000000000b'];
const SECRET = randomBytes(20);

function encryptionWith(secret: string, previous?: string): SecretEncryption {
  const environment = { NODE_ENV: 'test', DATABASE_URL: 'postgres://localhost/x', JWT_SECRET: secret };
  return new SecretEncryption(
    loadConfig({ ...environment, ...(previous !== undefined && { JWT_SECRET_PREVIOUS: previous }) }),
  );
}

describe('SecretEncryption', () => {
  const old = encryptionWith(OLD);
  const value = old.encrypt(ADA, SECRET);

  it('decrypts what it has encrypted', () => {
    expect(old.decrypt(ADA, value)).toEqual(SECRET);
    expect(value.includes(SECRET)).toBe(false);
  });

  it('encrypts the same secret differently each time', () => {
    expect(old.encrypt(ADA, SECRET)).not.toEqual(value);
  });

  it('refuses the value of another user, a changed one, and a short one', () => {
    expect(old.decrypt(BOB, value)).toBeUndefined();
    for (let index = 0; index < value.length; index += 1) {
      const changed = Buffer.from(value);
      changed[index]! ^= 1;
      expect(old.decrypt(ADA, changed)).toBeUndefined();
      expect(old.decrypt(ADA, value.subarray(0, index))).toBeUndefined();
    }
  });

  it('decrypts with JWT_SECRET_PREVIOUS, and not without it', () => {
    const rotated = encryptionWith(NEW, OLD);
    expect(rotated.decrypt(ADA, value)).toEqual(SECRET);
    expect(rotated.previousKeyId).toEqual(value.subarray(0, 4));
    expect(encryptionWith(NEW).decrypt(ADA, value)).toBeUndefined();
    expect(encryptionWith(NEW).previousKeyId).toBeUndefined();
  });

  it('encrypts with JWT_SECRET alone', () => {
    const rotated = encryptionWith(NEW, OLD).encrypt(ADA, SECRET);
    expect(encryptionWith(NEW).decrypt(ADA, rotated)).toEqual(SECRET);
    expect(old.decrypt(ADA, rotated)).toBeUndefined();
  });
});
