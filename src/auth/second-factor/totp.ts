import { createHmac, timingSafeEqual } from 'node:crypto';

/** With SHA-1 and six digits, the only parameters that every authenticator app supports. */
export const STEP_SECONDS = 30;

/** Accepted steps before and after the current one, for the clock of the phone (RFC 6238 §5.2). */
export const WINDOW = 1;

const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/**
 * A time-based one-time password, RFC 6238 with the truncation of RFC 4226 §5.3.
 *
 * @param step time since the epoch in units of {@link STEP_SECONDS}
 */
export function totp(secret: Buffer, step: number): string {
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(step));
  const mac = createHmac('sha1', secret).update(counter).digest();
  const number = mac.readUInt32BE(mac.readUInt8(19) & 0xf) & 0x7fffffff;
  return String(number % 1_000_000).padStart(6, '0');
}

/** @returns the step of a code of six digits, if it is within the window around `now` */
export function stepOf(secret: Buffer, code: string, now: number): number | undefined {
  for (let step = now - WINDOW; step <= now + WINDOW; step += 1) {
    if (timingSafeEqual(Buffer.from(totp(secret, step)), Buffer.from(code))) return step;
  }
  return undefined;
}

/** What an authenticator app scans: https://github.com/google/google-authenticator/wiki/Key-Uri-Format */
export function totpUri(issuer: string, account: string, secret: Buffer): string {
  const label = [issuer, account].map(encodeURIComponent).join(':');
  return `otpauth://totp/${label}?secret=${base32(secret)}&issuer=${encodeURIComponent(issuer)}`;
}

/** RFC 4648 §6. @param bytes a multiple of five, so that there is no padding */
export function base32(bytes: Buffer): string {
  const bits = Array.from(bytes, (byte) => byte.toString(2).padStart(8, '0')).join('');
  return bits.replace(/.{5}/g, (five) => BASE32.charAt(parseInt(five, 2)));
}
