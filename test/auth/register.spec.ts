import { createHash, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startService, type TestService } from '../harness/http/service.js';
import { randomEmail, type ApiClient } from '../harness/http/client.js';
import { UUID } from '../harness/http/formats.js';
import { readJwt } from '../harness/http/jwt.js';
import { expectProblem } from '../harness/http/problem.js';
import { SIGNED_IN } from '../harness/http/signed-in.js';

const PASSWORD = 'correct horse battery';

/** Chance decides a race: repeated often enough to see both orders. */
const RACES = 8;

let service: TestService;
let anonymous: ApiClient;
beforeAll(async () => {
  service = await startService({ ARGON2_MEMORY_KIB: '19456', ARGON2_TIME_COST: '2' });
  anonymous = service.anonymous;
});
afterAll(() => service.close());

describe('POST /auth/register', () => {
  it('returns 201 with exactly the user and a pair of tokens', async () => {
    const email = randomEmail();
    const { status, body } = await anonymous.post('/auth/register', { email, password: PASSWORD });
    expect(status).toBe(201);
    expect(body).toEqual({ ...SIGNED_IN, user: { ...SIGNED_IN.user, email } });
  });

  it('returns an access token that is valid at once', async () => {
    const ada = await service.signUp();
    expect((await ada.get('/users/me')).body.email).toBe(ada.account.email);
  });

  it('issues an HS256 token with the claims sub sid iss aud iat exp jti', async () => {
    const { account } = await service.signUp();
    const { header, claims } = readJwt(account.accessToken);
    expect(header.alg).toBe('HS256');
    expect(claims).toEqual({
      sub: account.userId,
      sid: expect.stringMatching(UUID),
      iss: 'entries',
      aud: 'entries',
      iat: expect.any(Number),
      exp: Number(claims['iat']) + 900,
      jti: expect.stringMatching(UUID),
    });
  });

  it('stores the password as argon2id and the refresh token as its SHA-256', async () => {
    const { account } = await service.signUp();
    const [user] = await service.database.query<{ password_hash: string }>(
      'SELECT password_hash FROM users WHERE id = $1',
      [account.userId],
    );
    expect(user!.password_hash).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
    const sessions = await service.database.query<{ refresh_token_hash: Buffer; row: string }>(
      'SELECT refresh_token_hash, s::text AS row FROM sessions s WHERE user_id = $1',
      [account.userId],
    );
    expect(sessions).toHaveLength(1);
    expect(sessions[0]!.refresh_token_hash).toEqual(
      createHash('sha256').update(account.refreshToken).digest(),
    );
    expect(sessions[0]!.row).not.toContain(account.refreshToken);
  });

  it('trims and lower-cases the e-mail, and trims the name', async () => {
    const email = randomEmail();
    const { body } = await anonymous.post('/auth/register', {
      email: `  ${email.toUpperCase()}\t`,
      password: PASSWORD,
      displayName: '  Ada Lovelace ',
    });
    expect(body.user).toMatchObject({ email, displayName: 'Ada Lovelace' });
  });

  it('does not trim the password', async () => {
    const { account } = await service.signUp({ password: '  blanks count  ' });
    const { email } = account;
    expect((await anonymous.post('/auth/login', { email, password: account.password })).status).toBe(200);
    expect((await anonymous.post('/auth/login', { email, password: 'blanks count' })).status).toBe(401);
  });

  it('returns 409 when the e-mail is taken, in upper or lower case', async () => {
    const { account } = await service.signUp();
    for (const email of [account.email, account.email.toUpperCase(), ` ${account.email} `]) {
      expectProblem(await anonymous.post('/auth/register', { email, password: PASSWORD }), 409);
    }
    expect(await countUsers(account.email)).toBe(1);
  });

  it('returns 201 to one of two concurrent registrations and 409 to the other', async () => {
    for (let race = 0; race < RACES; race++) {
      const email = randomEmail();
      const responses = await Promise.all([
        anonymous.post('/auth/register', { email, password: PASSWORD }),
        anonymous.post('/auth/register', { email: email.toUpperCase(), password: PASSWORD }),
      ]);
      const [won, lost] = responses.sort((a, b) => a.status - b.status);
      expect(won.status).toBe(201);
      expectProblem(lost, 409);
      expect(await countUsers(email)).toBe(1);
      expect(await sessionsOf(won.body.user.id)).toHaveLength(1);
    }
  });

  it.each([
    ['8 characters', '9fk2q7wz'],
    ['128 characters', 'x'.repeat(128)],
    ['8 characters of two UTF-16 units each', '😀'.repeat(8)],
    ['128 characters of two UTF-16 units each', '😀'.repeat(128)],
  ])('accepts a password of %s', async (_name, password) => {
    const { account } = await service.signUp({ password });
    expect((await anonymous.post('/auth/login', { email: account.email, password })).status).toBe(200);
  });

  const email = 'somebody@example.org';
  const password = PASSWORD;
  it.each([
    ['a password of 7 characters', { email, password: '1234567' }, 'password'],
    ['a password of 7 characters of two UTF-16 units each', { email, password: '😀'.repeat(7) }, 'password'],
    ['a password of 129 characters', { email, password: 'x'.repeat(129) }, 'password'],
    ['the e-mail as password', { email, password: email }, 'password'],
    ['the e-mail in capitals as password', { email, password: email.toUpperCase() }, 'password'],
    ['one of the commonest passwords', { email, password: 'Password123' }, 'password'],
    ['a NUL in the password', { email, password: 'pass\u0000word' }, 'password'],
    ['a lone surrogate in the password', { email, password: 'password\ud800' }, 'password'],
    ['a password that is a number', { email, password: 123456789 }, 'password'],
    ['no password', { email }, 'password'],
    ['no e-mail', { password }, 'email'],
    ['an e-mail that is null', { email: null, password }, 'email'],
    ['an e-mail without @', { email: 'somebody.example.org', password }, 'email'],
    ['an e-mail with two addresses', { email: 'a@example.org,b@example.org', password }, 'email'],
    ['an e-mail with a line break', { email: 'a@example.org\nbcc: b@example.org', password }, 'email'],
    ['an e-mail with a NUL', { email: 'a\u0000@example.org', password }, 'email'],
    ['an e-mail of 255 characters', { email: emailOfLength(255), password }, 'email'],
    ['an empty name', { email, password, displayName: ' ' }, 'displayName'],
    ['a name of 101 characters', { email, password, displayName: 'x'.repeat(101) }, 'displayName'],
    ['a name that is a number', { email, password, displayName: 1 }, 'displayName'],
    ['a name with a NUL', { email, password, displayName: 'A\u0000da' }, 'displayName'],
    ['an unknown field', { email, password, role: 'admin' }, 'role'],
    ['a field of the row', { email, password, id: randomUUID() }, 'id'],
  ])('returns 422 for %s', async (_name, body, path) => {
    expect(expectProblem(await anonymous.post('/auth/register', body), 422).paths).toEqual([path]);
  });

  it('lists every invalid field', async () => {
    const response = await anonymous.post('/auth/register', {
      email: 'nobody',
      password: 'short',
      role: 'admin',
    });
    expect([...expectProblem(response, 422).paths].sort()).toEqual(['email', 'password', 'role']);
  });

  it('never returns a password, not even in an error', async () => {
    for (const body of [
      { email: randomEmail(), password: 'a-very-secret-password' },
      { email: 'nobody', password: 'a-very-secret-password' },
      { email: randomEmail(), password: 'a-very-secret-password\u0000' },
      { email: randomEmail(), password: 'a-very-secret-password', passwordHash: 'a-very-secret-password' },
    ]) {
      const { text } = await anonymous.post('/auth/register', body);
      expect(text).not.toMatch(/a-very-secret|argon2/);
    }
  });
});

function emailOfLength(length: number): string {
  const domain = `${'d'.repeat(60)}.`.repeat(3);
  return `${'a'.repeat(length - domain.length - '@org'.length)}@${domain}org`;
}

async function countUsers(email: string): Promise<number> {
  const [row] = await service.database.query<{ count: number }>(
    'SELECT count(*)::int AS count FROM users WHERE lower(email) = $1',
    [email],
  );
  return row!.count;
}

function sessionsOf(userId: string): Promise<{ id: string; expires_at: Date }[]> {
  return service.database.query('SELECT id, expires_at FROM sessions WHERE user_id = $1', [userId]);
}
