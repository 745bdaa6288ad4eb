import { createHash, randomBytes } from 'node:crypto';
import { base32 } from './totp.js';

const COUNT = 10;

/** 120 bits: from 112 bits on a fast hash is enough (ASVS 5.0, 6.5.2). */
const BYTES = 15;

/** As {@link newRecoveryCodes} writes them, without hyphens. */
export const RECOVERY_CODE = /^[A-Z2-7]{24}$/;

/** Like `ABCDEF-GHIJKL-MNOPQR-STUVWX`. */
export function newRecoveryCodes(): string[] {
  return Array.from({ length: COUNT }, () => base32(randomBytes(BYTES)).replace(/.{6}(?!$)/g, '$&-'));
}

/** SHA-256, which is stored. */
export function hashOfRecoveryCode(code: string): Buffer {
  return createHash('sha256').update(code.replaceAll('-', '')).digest();
}
