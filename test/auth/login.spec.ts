import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { hash } from '@node-rs/argon2';
import { startService, type TestService } from '../harness/http/service.js';
import { randomEmail, type ApiClient } from '../harness/http/client.js';
import { sessionIdOf } from '../harness/http/jwt.js';
import { expectProblem } from '../harness/http/problem.js';
import { SIGNED_IN } from '../harness/http/signed-in.js';

const PASSWORD = 'correct horse battery';

let service: TestService;
let anonymous: ApiClient;
beforeAll(async () => {
  service = await startService({ ARGON2_MEMORY_KIB: '19456', ARGON2_TIME_COST: '2' });
  anonymous = service.anonymous;
});
afterAll(() => service.close());

describe('POST /auth/login', () => {
  it('returns 200 with the user and the tokens of a new session', async () => {
    const { account } = await service.signUp();
    const { status, body } = await anonymous.post('/auth/login', {
      email: account.email,
      password: account.password,
    });
    expect(status).toBe(200);
    expect(body).toEqual({
      ...SIGNED_IN,
      user: { ...SIGNED_IN.user, id: account.userId, email: account.email },
    });
    expect(sessionIdOf(body.accessToken)).not.toBe(sessionIdOf(account.accessToken));
    const { sessions } = (await anonymous.withToken(body.accessToken).get('/auth/sessions')).body;
    expect(sessions).toHaveLength(2);
  });

  it('accepts the e-mail in any case, with blanks around it', async () => {
    const { account } = await service.signUp();
    const email = ` ${account.email.toUpperCase()} `;
    expect((await anonymous.post('/auth/login', { email, password: account.password })).status).toBe(200);
  });

  it('returns 401 with the same body for an unknown e-mail and for a wrong password', async () => {
    const { account } = await service.signUp();
    const unknown = await anonymous.post('/auth/login', { email: randomEmail(), password: account.password });
    const wrong = await anonymous.post('/auth/login', { email: account.email, password: 'wrong password' });
    expectProblem(unknown, 401);
    expectProblem(wrong, 401);
    expect({ ...wrong.body, requestId: '' }).toEqual({ ...unknown.body, requestId: '' });
    expect(headerNames(wrong)).toEqual(headerNames(unknown));
  });

  it('returns 401 for the password in another case', async () => {
    const { account } = await service.signUp();
    const password = account.password.toUpperCase();
    expectProblem(await anonymous.post('/auth/login', { email: account.email, password }), 401);
  });

  const email = 'somebody@example.org';
  it.each([
    ['no password', { email }, ['password']],
    ['an empty password', { email, password: '' }, ['password']],
    ['a password of 129 characters', { email, password: 'x'.repeat(129) }, ['password']],
    ['a NUL in the password', { email, password: 'pass\u0000word' }, ['password']],
    ['no e-mail', { password: PASSWORD }, ['email']],
    ['an e-mail without @', { email: 'somebody', password: PASSWORD }, ['email']],
    ['an e-mail that is an object', { email: { $ne: null }, password: PASSWORD }, ['email']],
    ['an unknown field', { email, password: PASSWORD, remember: true }, ['remember']],
    ['null', null, ['']],
    ['an array', [{ email, password: PASSWORD }], ['']],
    ['nothing', undefined, ['']],
  ])('returns 422 for %s', async (_name, body, paths) => {
    expect(expectProblem(await anonymous.post('/auth/login', body), 422).paths).toEqual(paths);
  });

  it('rehashes a password whose hash is weaker than configured, and changes nothing else', async () => {
    const { account } = await service.signUp();
    const weak = await hash(account.password, { memoryCost: 1024, timeCost: 1, parallelism: 1 });
    await service.database.query('UPDATE users SET password_hash = $2 WHERE id = $1', [account.userId, weak]);
    const before = (await anonymous.as(account).get('/users/me')).body;
    // Concurrent logins: only one rehashes, none fails.
    const logins = await Promise.all(
      Array.from({ length: 3 }, () =>
        anonymous.post('/auth/login', { email: account.email, password: account.password }),
      ),
    );
    expect(logins.map(({ status }) => status)).toEqual([200, 200, 200]);
    const [row] = await service.database.query<{ password_hash: string }>(
      'SELECT password_hash FROM users WHERE id = $1',
      [account.userId],
    );
    expect(row!.password_hash).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
    expect((await anonymous.as(account).get('/users/me')).body).toEqual(before);
    const again = await anonymous.post('/auth/login', { email: account.email, password: account.password });
    expect(again.status).toBe(200);
  });

  it('does not rehash when the password is wrong', async () => {
    const { account } = await service.signUp();
    const weak = await hash(account.password, { memoryCost: 1024, timeCost: 1, parallelism: 1 });
    await service.database.query('UPDATE users SET password_hash = $2 WHERE id = $1', [account.userId, weak]);
    const wrong = { email: account.email, password: 'a wrong password' };
    expectProblem(await anonymous.post('/auth/login', wrong), 401);
    const rows = await service.database.query('SELECT password_hash FROM users WHERE id = $1', [
      account.userId,
    ]);
    expect(rows).toEqual([{ password_hash: weak }]);
  });

  it('never returns a password', async () => {
    const password = 'a-very-secret-password';
    const { account } = await service.signUp({ password });
    const right = await anonymous.post('/auth/login', { email: account.email, password });
    const wrong = await anonymous.post('/auth/login', { email: randomEmail(), password });
    for (const { text } of [right, wrong]) expect(text).not.toMatch(/a-very-secret|argon2/);
  });
});

function headerNames({ headers }: { headers: Headers }): string[] {
  return [...headers.keys()].sort();
}
