import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import { randomEmail, type ApiClient } from '../harness/http/client.js';
import { INSTANT } from '../harness/http/formats.js';
import { expectProblem } from '../harness/http/problem.js';
import { startService, type TestService } from '../harness/http/service.js';
import { SmtpServer } from '../harness/servers/smtp-server.js';
import { until } from '../harness/until.js';

let smtp: SmtpServer;
let service: TestService;
let anonymous: ApiClient;
beforeAll(async () => {
  smtp = await SmtpServer.start();
  service = await startService({ ...smtp.environment, PUBLIC_URL: 'https://app.example.org' });
  anonymous = service.anonymous;
});
afterAll(async () => {
  await service.close();
  await smtp.stop();
});

const nextToken = (email: string, page: 'verify-email' | 'change-email' | 'reset-password') =>
  smtp.tokenTo(email, page);
const verify = (token: string) => anonymous.post('/auth/verify-email', { token });
const changeEmail = (client: ApiClient, newEmail: string, password = client.account.password) =>
  client.post('/users/me/email', { newEmail, password });
const subjectsTo = (email: string) => smtp.to(email).map(({ subject }) => subject);
const typesOf = async (client: ApiClient) =>
  (await client.get('/users/me/security-events')).body.securityEvents.map(
    ({ type }: { type: string }) => type,
  );

describe('POST /auth/verify-email', () => {
  it('returns 204 for the link that a registration sends, and sets emailVerifiedAt', async () => {
    const ada = await service.signUp();
    expect((await ada.get('/users/me')).body.emailVerifiedAt).toBeNull();
    const token = await nextToken(ada.account.email, 'verify-email');
    const { status, text } = await verify(token);
    expect({ status, text }).toEqual({ status: 204, text: '' });
    expect((await ada.get('/users/me')).body.emailVerifiedAt).toMatch(INSTANT);
    expect((await typesOf(ada))[0]).toBe('email-verified');
    expectProblem(await verify(token), 400);
  });

  it('returns 400 for an unknown or expired token, and for the token of a reset', async () => {
    const ada = await service.signUp();
    const { email, userId } = ada.account;
    const expired = await nextToken(email, 'verify-email');
    await service.database.query('UPDATE account_tokens SET expires_at = now() WHERE user_id = $1', [userId]);
    await anonymous.post('/auth/forgot-password', { email });
    for (const token of [expired, 'x', await nextToken(email, 'reset-password')])
      expectProblem(await verify(token), 400);
    const newPassword = 'another horse battery';
    expectProblem(await anonymous.post('/auth/reset-password', { token: expired, newPassword }), 400);
    expect((await ada.get('/users/me')).body.emailVerifiedAt).toBeNull();
  });

  it('returns 403 while the account is disabled, as a reset does; then the links still work', async () => {
    const ada = await service.signUp();
    const { email, userId } = ada.account;
    const verification = await nextToken(email, 'verify-email');
    await anonymous.post('/auth/forgot-password', { email });
    const reset = {
      token: await nextToken(email, 'reset-password'),
      newPassword: 'another horse battery',
    };
    const setDisabled = (to: string) =>
      service.database.query(`UPDATE users SET disabled_at = ${to} WHERE id = $1`, [userId]);
    await setDisabled('now()');
    expectProblem(await verify(verification), 403);
    expectProblem(await anonymous.post('/auth/reset-password', reset), 403);
    await setDisabled('NULL');
    expect((await verify(verification)).status).toBe(204);
    expect((await anonymous.post('/auth/reset-password', reset)).status).toBe(204);
  });

  it('is not needed after a reset of the password, which proves the same', async () => {
    const { email } = (await service.signUp()).account;
    await anonymous.post('/auth/forgot-password', { email });
    const password = 'another horse battery';
    const token = await nextToken(email, 'reset-password');
    await anonymous.post('/auth/reset-password', { token, newPassword: password });
    const { body } = await anonymous.post('/auth/login', { email, password });
    expect(body.user.emailVerifiedAt).toMatch(INSTANT);
  });

  it.each([
    ['no token', {}, ['token']],
    ['an empty token', { token: '' }, ['token']],
    ['an unknown field', { token: 'x', email: 'a@example.org' }, ['email']],
  ])('returns 422 for %s', async (_what, body, paths) => {
    expect(expectProblem(await anonymous.post('/auth/verify-email', body), 422).paths).toEqual(paths);
  });
});

describe('POST /auth/verify-email/resend', () => {
  it('returns 202 and sends a new link, which replaces the old one; at most 3 in all', async () => {
    const ada = await service.signUp();
    const { email } = ada.account;
    const first = await nextToken(email, 'verify-email');
    for (let n = 0; n < 5; n += 1) expect((await ada.post('/auth/verify-email/resend')).status).toBe(202);
    await until('nothing waits', async () => {
      const waiting = await service.database.query('SELECT 1 FROM mails WHERE recipient = $1', [email]);
      return waiting.length === 0;
    });
    const tokens = smtp.tokensTo(email, 'verify-email');
    expect(tokens.length).toBeGreaterThan(1);
    expect(tokens.length).toBeLessThanOrEqual(3);
    expectProblem(await verify(first), 400);
    expect((await Promise.all(tokens.map(verify))).filter(({ status }) => status === 204)).toHaveLength(1);
  });

  it('sends nothing if the address is verified', async () => {
    const ada = await service.signUp();
    await verify(await nextToken(ada.account.email, 'verify-email'));
    expect((await ada.post('/auth/verify-email/resend')).status).toBe(202);
    expect(
      await service.database.query('SELECT 1 FROM mails WHERE user_id = $1', [ada.account.userId]),
    ).toEqual([]);
  });

  it('returns 401 without a token', async () => {
    expectProblem(await anonymous.post('/auth/verify-email/resend'), 401);
  });
});

describe('POST /users/me/email', () => {
  it('returns 202; the link makes the change, and the old address gets notices', async () => {
    const ada = await service.signUp();
    const { email: old, password } = ada.account;
    const newEmail = randomEmail();
    const { status, text } = await changeEmail(ada, ` ${newEmail.toUpperCase()} `);
    expect({ status, text }).toEqual({ status: 202, text: '' });
    const token = await nextToken(newEmail, 'change-email');
    expect((await ada.get('/users/me')).body.email).toBe(old);
    expect((await verify(token)).status).toBe(204);
    expect((await ada.get('/users/me')).body).toMatchObject({
      email: newEmail,
      emailVerifiedAt: expect.stringMatching(INSTANT),
    });
    expectProblem(await anonymous.post('/auth/login', { email: old, password }), 401);
    expect((await anonymous.post('/auth/login', { email: newEmail, password })).status).toBe(200);
    await until('the notices arrive', () => subjectsTo(old).length === 3);
    expect(subjectsTo(old).slice(1).sort()).toEqual([
      'A change of your e-mail address was requested',
      'Your e-mail address was changed',
    ]);
    expect((await typesOf(ada)).slice(1, 3)).toEqual(['email-changed', 'email-change-requested']);
    expectProblem(await verify(token), 400);
  });

  it('makes links to the old address void', async () => {
    const ada = await service.signUp();
    const { email } = ada.account;
    const verifyOld = await nextToken(email, 'verify-email');
    await anonymous.post('/auth/forgot-password', { email });
    const resetOld = await nextToken(email, 'reset-password');
    const newEmail = randomEmail();
    await changeEmail(ada, newEmail);
    expect((await verify(await nextToken(newEmail, 'change-email'))).status).toBe(204);
    expectProblem(await verify(verifyOld), 400);
    const newPassword = 'another horse battery';
    expectProblem(await anonymous.post('/auth/reset-password', { token: resetOld, newPassword }), 400);
  });

  it('does not tell whether an account has the address; its link returns 409', async () => {
    const [ada, bob] = [await service.signUp(), await service.signUp()];
    const [free, taken] = [await changeEmail(ada, randomEmail()), await changeEmail(ada, bob.account.email)];
    expect([taken.status, taken.text]).toEqual([free.status, free.text]);
    const token = await nextToken(bob.account.email, 'change-email');
    expectProblem(await verify(token), 409);
    expect((await ada.get('/users/me')).body.email).toBe(ada.account.email);
    await bob.request('DELETE', '/users/me', { body: { password: bob.account.password } });
    expect((await verify(token)).status).toBe(204);
  });

  it('gives the address to one of two users who are sent a link at the same time', async () => {
    const users = [await service.signUp(), await service.signUp()];
    const newEmail = randomEmail();
    for (const user of users) await changeEmail(user, newEmail);
    await until('both links arrive', () => smtp.tokensTo(newEmail, 'change-email').length === 2);
    const responses = await Promise.all(smtp.tokensTo(newEmail, 'change-email').map(verify));
    expect(responses.map(({ status }) => status).sort()).toEqual([204, 409]);
  });

  it('is void after a change of the password', async () => {
    const ada = await service.signUp();
    const newEmail = randomEmail();
    await changeEmail(ada, newEmail);
    const token = await nextToken(newEmail, 'change-email');
    const change = { currentPassword: ada.account.password, newPassword: 'another horse battery' };
    expect((await ada.put('/users/me/password', change)).status).toBe(204);
    expectProblem(await verify(token), 400);
  });

  it('sends at most 3 notices of a kind an hour, so that no account can flood a mailbox', async () => {
    const ada = await service.signUp();
    const { email } = ada.account;
    let { password } = ada.account;
    for (let n = 0; n < 5; n += 1) {
      expect((await changeEmail(ada, randomEmail(), password)).status).toBe(202);
      const newPassword = `another horse battery ${n}`;
      const change = await ada.put('/users/me/password', { currentPassword: password, newPassword });
      expect(change.status).toBe(204);
      password = newPassword;
    }
    await until('nothing waits', async () => {
      const waiting = await service.database.query('SELECT 1 FROM mails WHERE recipient = $1', [email]);
      return waiting.length === 0;
    });
    const subjects = subjectsTo(email);
    for (const subject of ['A change of your e-mail address was requested', 'Your password was changed'])
      expect(subjects.filter((each) => each === subject)).toHaveLength(3);
  });

  it('returns 403, and sends nothing, if the password changes meanwhile', async () => {
    const ada = await service.signUp();
    const newEmail = randomEmail();
    const other = new Client({ connectionString: service.database.url });
    await other.connect();
    await other.query('BEGIN');
    await other.query(`UPDATE users SET password_hash = 'another' WHERE id = $1`, [ada.account.userId]);
    const change = changeEmail(ada, newEmail);
    await until('it waits for the other', async () => {
      const waiting = await service.database.query(
        `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
      );
      return waiting.length > 0;
    });
    await other.query('COMMIT');
    await other.end();
    expectProblem(await change, 403);
    expect(await service.database.query('SELECT 1 FROM mails WHERE recipient = $1', [newEmail])).toEqual([]);
  });

  it('returns 403 for a wrong password, and sends nothing', async () => {
    const ada = await service.signUp();
    const newEmail = randomEmail();
    expectProblem(await changeEmail(ada, newEmail, 'a wrong password'), 403);
    expect(await service.database.query('SELECT 1 FROM mails WHERE recipient = $1', [newEmail])).toEqual([]);
  });

  it('waits with the mail in the export, and is erased with the account', async () => {
    const ada = await service.signUp();
    const newEmail = randomEmail();
    smtp.refused.add(newEmail);
    await changeEmail(ada, newEmail);
    const { mails, accountTokens } = (await ada.get('/users/me/export')).body;
    expect(mails).toContainEqual(
      expect.objectContaining({ template: 'change-email', recipient: newEmail, data: {} }),
    );
    expect(accountTokens).toContainEqual(
      expect.objectContaining({ purpose: 'change-email', email: newEmail }),
    );
    await ada.request('DELETE', '/users/me', { body: { password: ada.account.password } });
    const left =
      'SELECT recipient FROM mails WHERE recipient = $1 UNION ALL SELECT email FROM account_tokens WHERE email = $1';
    expect(await service.database.query(left, [newEmail])).toEqual([]);
  });

  it.each([
    ['an address that is none', { newEmail: 'nobody', password: 'x' }, ['newEmail']],
    ['no password', { newEmail: 'a@example.org' }, ['password']],
    ['an unknown field', { newEmail: 'a@example.org', password: 'x', email: 'x' }, ['email']],
  ])('returns 422 for %s', async (_what, body, paths) => {
    const ada = await service.signUp();
    expect(expectProblem(await ada.post('/users/me/email', body), 422).paths).toEqual(paths);
  });

  it('returns 422 for the current address', async () => {
    const ada = await service.signUp();
    expect(expectProblem(await changeEmail(ada, ada.account.email), 422).paths).toEqual(['newEmail']);
  });
});

describe('REQUIRE_VERIFIED_EMAIL=true', () => {
  let strict: TestService;
  beforeAll(async () => {
    strict = await startService({
      ...smtp.environment,
      PUBLIC_URL: 'https://app.example.org',
      REQUIRE_VERIFIED_EMAIL: 'true',
    });
  });
  afterAll(() => strict.close());

  it('lets a user manage the account, and refuses the rest with 403 until the address is verified', async () => {
    const ada = await strict.signUp();
    const { email, password } = ada.account;
    for (const path of ['/users/me', '/users/me/export', '/users/me/security-events', '/auth/sessions'])
      expect((await ada.get(path)).status).toBe(200);
    expect((await strict.anonymous.post('/auth/login', { email, password })).status).toBe(200);
    for (const path of ['/entries', '/entries/stats', '/entries/trash', '/entries/export'])
      expect(expectProblem(await ada.get(path), 403).detail).toBe('Verify your e-mail address first');
    expectProblem(await ada.post('/entries', { text: 'Walked.', mood: 7 }), 403);
    const token = await nextToken(email, 'verify-email');
    expect((await strict.anonymous.post('/auth/verify-email', { token })).status).toBe(204);
    expect((await ada.post('/entries', { text: 'Walked.', mood: 7 })).status).toBe(201);
    expect((await ada.get('/entries')).body.total).toBe(1);
  });

  it('lets a user with a mistyped address change it', async () => {
    const ada = await strict.signUp();
    const newEmail = randomEmail();
    expect((await changeEmail(ada, newEmail)).status).toBe(202);
    const token = await nextToken(newEmail, 'change-email');
    expect((await strict.anonymous.post('/auth/verify-email', { token })).status).toBe(204);
    expect((await ada.get('/entries')).status).toBe(200);
  });
});
