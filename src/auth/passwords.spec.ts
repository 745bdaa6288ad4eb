import { describe, expect, it } from '@jest/globals';
import { Passwords } from './passwords.js';

describe('Passwords', () => {
  const passwords = new Passwords();

  it('hashes with argon2id, 19 MiB, 2 passes, 1 lane, and a salt of its own each time', async () => {
    const [one, other] = await Promise.all([
      passwords.hash('correct horse'),
      passwords.hash('correct horse'),
    ]);
    expect(one).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$[\w+/]{22,}\$[\w+/]{43}$/);
    expect(one).not.toBe(other);
  });

  it('makes a hash that fits its column', async () => {
    expect((await passwords.hash('😀'.repeat(128))).length).toBeLessThanOrEqual(255);
  });

  it('knows the password again, and no other', async () => {
    const stored = await passwords.hash('correct horse');
    expect(await passwords.verify(stored, 'correct horse')).toBe(true);
    for (const wrong of ['Correct horse', 'correct horse ', 'correct hors', '', stored]) {
      expect(await passwords.verify(stored, wrong)).toBe(false);
    }
  });

  it('looks at the whole of a long password', async () => {
    const long = 'x'.repeat(127);
    const stored = await passwords.hash(`${long}a`);
    expect(await passwords.verify(stored, `${long}b`)).toBe(false);
  });

  it.each(['anything', '', 'the password of nobody'])(
    'is never right where there is no account: %j',
    async (guess) => {
      expect(await passwords.verify(undefined, guess)).toBe(false);
    },
  );

  it('fails loudly over a stored value that is no hash', async () => {
    await expect(passwords.verify('plain text', 'plain text')).rejects.toThrow();
  });
});
