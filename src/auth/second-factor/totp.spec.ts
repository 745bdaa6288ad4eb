import { describe, expect, it } from '@jest/globals';
import { base32, stepOf, totp, totpUri } from './totp.js';

const SECRET = Buffer.from('12345678901234567890');

describe('totp', () => {
  // RFC 6238, appendix B, SHA-1: the last six of its eight digits.
  it.each([
    [59, '94287082'],
    [1111111109, '07081804'],
    [1111111111, '14050471'],
    [1234567890, '89005924'],
    [2000000000, '69279037'],
    [20000000000, '65353130'],
  ])('has the code of RFC 6238 at %i s', (seconds, code) => {
    expect(totp(SECRET, Math.floor(seconds / 30))).toBe(code.slice(-6));
  });

  // RFC 4226, appendix D.
  it('has the first codes of RFC 4226', () => {
    const codes = Array.from({ length: 10 }, (_, counter) => totp(SECRET, counter));
    expect(codes.join(' ')).toBe('755224 287082 359152 969429 338314 254676 287922 162583 399871 520489');
  });
});

describe('stepOf', () => {
  it.each([
    [-2, undefined],
    [-1, 999],
    [0, 1000],
    [1, 1001],
    [2, undefined],
  ])('of a code %i steps from now is %s', (distance, step) => {
    expect(stepOf(SECRET, totp(SECRET, 1000 + distance), 1000)).toBe(step);
  });

  it('is undefined for the code of another secret', () => {
    expect(stepOf(SECRET, totp(Buffer.from('09876543210987654321'), 1000), 1000)).toBeUndefined();
  });
});

describe('base32', () => {
  // RFC 4648, §10.
  it('has the text of RFC 4648', () => {
    expect(base32(Buffer.from('fooba'))).toBe('MZXW6YTB');
    expect(base32(Buffer.alloc(0))).toBe('');
  });
});

describe('totpUri', () => {
  it('escapes what has a meaning in a URI', () => {
    expect(totpUri('my app', 'a+b&c=/:@example.org', Buffer.from('fooba'))).toBe(
      'otpauth://totp/my%20app:a%2Bb%26c%3D%2F%3A%40example.org?secret=MZXW6YTB&issuer=my%20app',
    );
  });
});
