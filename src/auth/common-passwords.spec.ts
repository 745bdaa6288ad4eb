import { describe, expect, it } from '@jest/globals';
import { dictionary } from '@zxcvbn-ts/language-common';
import { isCommonPassword } from './common-passwords.js';

describe('isCommonPassword', () => {
  it('knows each of the 10,000 commonest that the length lets through, and more', () => {
    const fitting = dictionary['passwords-common'].filter((password) => password.length >= 8);
    // ASVS 6.2.4 asks for the 3,000 commonest that fit the length.
    expect(fitting.length).toBeGreaterThan(10_000);
    expect(fitting.filter((password) => !isCommonPassword(password))).toEqual([]);
  });

  it.each(['correct horse battery', 'journalist', 'entries of my own', 'moody blues', '😀'.repeat(8)])(
    'does not mind %s',
    (password) => {
      expect(isCommonPassword(password)).toBe(false);
    },
  );
});
