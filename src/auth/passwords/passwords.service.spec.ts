import { describe, expect, it } from '@jest/globals';
import { loadConfig } from '../../config/config.js';
import { PasswordsService } from './passwords.service.js';

function passwordsWith(environment: Readonly<Record<string, string>> = {}): PasswordsService {
  const JWT_SECRET = 'a-secret-for-tests-0123456789abcdefghij';
  return new PasswordsService(
    loadConfig({ DATABASE_URL: 'postgres://localhost/entries', JWT_SECRET, ...environment }),
  );
}

describe('Passwords', () => {
  const passwords = passwordsWith();

  it('hashes with argon2id, 19 MiB, 2 passes, 1 lane and a new salt', async () => {
    const [one, other] = await Promise.all([
      passwords.hash('correct horse'),
      passwords.hash('correct horse'),
    ]);
    expect(one).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$[\w+/]{22,}\$[\w+/]{43}$/);
    expect(one).not.toBe(other);
  });

  it('makes hashes that fit the column', async () => {
    expect((await passwords.hash('😀'.repeat(128))).length).toBeLessThanOrEqual(255);
  });

  it('verifies the password and no other', async () => {
    const stored = await passwords.hash('correct horse');
    expect(await passwords.verify(stored, 'correct horse')).toBe(true);
    for (const wrong of ['Correct horse', 'correct horse ', 'correct hors', '', stored]) {
      expect(await passwords.verify(stored, wrong)).toBe(false);
    }
  });

  it('uses all characters of a long password', async () => {
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

  it('throws for a stored value that is not a hash', async () => {
    await expect(passwords.verify('plain text', 'plain text')).rejects.toThrow();
  });

  it('hashes with the configured parameters', async () => {
    const configured = passwordsWith({
      ARGON2_MEMORY_KIB: '2048',
      ARGON2_TIME_COST: '3',
      ARGON2_PARALLELISM: '2',
    });
    expect(await configured.hash('correct horse')).toMatch(/^\$argon2id\$v=19\$m=2048,t=3,p=2\$/);
  });

  it.each([
    ['the same', '$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA', false],
    ['more of both', '$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$aGFzaA', false],
    ['less memory', '$argon2id$v=19$m=19455,t=2,p=1$c2FsdA$aGFzaA', true],
    ['less memory and more passes', '$argon2id$v=19$m=7168,t=5,p=1$c2FsdA$aGFzaA', true],
    ['fewer passes', '$argon2id$v=19$m=47104,t=1,p=1$c2FsdA$aGFzaA', true],
    ['another variant', '$argon2i$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA', true],
    ['an older version', '$argon2id$v=16$m=19456,t=2,p=1$c2FsdA$aGFzaA', true],
    ['another algorithm', '$2b$12$abcdefghijklmnopqrstuv', true],
  ])('reports whether a hash is weaker than the configuration: %s', (_what, stored, weak) => {
    expect(passwords.isWeak(stored)).toBe(weak);
  });
});
