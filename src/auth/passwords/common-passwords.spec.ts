import { describe, expect, it } from '@jest/globals';
import { dictionary } from '@zxcvbn-ts/language-common';
import { isCommonPassword, refuseCommonPassword } from './common-passwords.js';

describe('isCommonPassword', () => {
  it('contains each of the 10,000 most common passwords of 8 or more characters', async () => {
    const fitting = dictionary['passwords-common'].filter((password) => password.length >= 8);
    // ASVS 6.2.4 asks for the 3,000 commonest that fit the length.
    expect(fitting.length).toBeGreaterThan(10_000);
    const known = await Promise.all(fitting.map(isCommonPassword));
    expect(fitting.filter((_, index) => !known[index])).toEqual([]);
  });

  it.each(['correct horse battery', 'journalist', 'entries of my own', 'moody blues', '😀'.repeat(8)])(
    'does not mind %s',
    async (password) => {
      expect(await isCommonPassword(password)).toBe(false);
    },
  );
});

describe('refuseCommonPassword', () => {
  it.each([
    '12345678',
    'password',
    'PassWord1',
    ' iloveyou1 ',
    'qwertyuiop',
    'ｐａｓｓｗｏｒｄ',
    'entries123!',
    'Mood-Diary',
  ])('refuses the common password %j', async (password) => {
    await expect(refuseCommonPassword('newPassword', password)).rejects.toMatchObject({
      response: {
        errors: [{ path: 'newPassword', message: 'must not be a common password' }],
      },
    });
  });

  it('accepts other passwords', async () => {
    await expect(refuseCommonPassword('password', 'correct horse battery')).resolves.toBeUndefined();
  });
});
