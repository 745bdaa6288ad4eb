import { createHash, randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import { AccountTokensPurge } from '../../src/auth/recovery/account-tokens.purge.js';
import { MailDelivery } from '../../src/mail/mail-delivery.js';
import { codeOf, enrol } from '../harness/http/authenticator.js';
import { startApp, type TestApp } from '../harness/http/app.js';
import { ApiClient, randomEmail, type Account, type ApiResponse } from '../harness/http/client.js';
import { lastAccepted } from '../harness/http/last-accepted.js';
import { expectProblem } from '../harness/http/problem.js';
import { Program } from '../harness/programs/program.js';
import { SmtpServer, smtpEnvironment, type ReceivedMail } from '../harness/servers/smtp-server.js';
import { TcpProxy } from '../harness/servers/tcp-proxy.js';
import { until } from '../harness/until.js';

const NEW_PASSWORD = 'another horse battery';

let smtp: SmtpServer;
let proxy: TcpProxy;
let service: TestApp;
let anonymous: ApiClient;
beforeAll(async () => {
  smtp = await SmtpServer.start();
  proxy = await TcpProxy.to('127.0.0.1', smtp.port);
  service = await startApp({
    ...smtpEnvironment(proxy.port),
    PUBLIC_URL: 'https://app.example.org/journal/',
    RATE_LIMIT_ENABLED: 'true',
    RATE_LIMIT_ANONYMOUS_PER_MINUTE: '100000',
    TRUST_PROXY: 'on',
  });
  anonymous = service.anonymous;
});
afterEach(() => {
  proxy.open();
  smtp.beforeAccept = async () => {};
});
afterAll(async () => {
  await service.close();
  await proxy.close();
  await smtp.stop();
});

/** A new user, whose mail with the link to verify the address has arrived. */
async function signUp(): Promise<ApiClient> {
  const ada = await anonymous.signUp({}, fromElsewhere());
  await delivered(ada.account.email);
  return ada;
}

let networks = 0;
/** From a network that no other request uses. */
const fromElsewhere = () => {
  networks += 1;
  return { 'x-forwarded-for': `203.0.${Math.floor(networks / 250)}.${(networks % 250) + 1}` };
};
const forgot = (email: unknown, headers = fromElsewhere()) =>
  anonymous.post('/auth/forgot-password', { email }, headers);
const reset = (token: string, newPassword = NEW_PASSWORD) =>
  anonymous.post('/auth/reset-password', { token, newPassword });
const login = ({ email }: Account, password: string) =>
  anonymous.post('/auth/login', { email, password }, fromElsewhere());

const tokensTo = (email: string) => smtp.tokensTo(email, 'reset-password');
async function requestToken(email: string): Promise<string> {
  const known = tokensTo(email).length;
  expect((await forgot(email)).status).toBe(202);
  return smtp.tokenTo(email, 'reset-password', known);
}
async function mailWith(recipient: string, subject: string): Promise<ReceivedMail> {
  const find = () => smtp.to(recipient).find((mail) => mail.subject === subject);
  await until(`it arrives: ${subject}`, () => find() !== undefined);
  return find()!;
}
const mailsTo = (email: string) =>
  service.database.query<{ template: string; row: string }>(
    'SELECT template, m::text AS row FROM mails m WHERE recipient = $1',
    [email],
  );
const delivered = (email: string) => until('nothing waits', async () => (await mailsTo(email)).length === 0);
/** As if the pause before the next attempt were over. */
async function retryNow(): Promise<void> {
  await service.database.query('UPDATE mails SET next_attempt_at = now()');
  service.app.get(MailDelivery, { strict: false }).wake();
}

describe('POST /auth/forgot-password', () => {
  it('returns 202 and sends a link, of which the database has only the hash', async () => {
    const { account } = await signUp();
    const token = await requestToken(account.email);
    expect(token).toMatch(/^[\w-]{43}$/);
    const [row] = await service.database.query<{ token_hash: Buffer; row: string }>(
      `SELECT token_hash, t::text AS row FROM account_tokens t WHERE user_id = $1 AND purpose = 'reset-password'`,
      [account.userId],
    );
    expect(row!.token_hash).toEqual(createHash('sha256').update(token).digest());
    expect(row!.row).not.toContain(token);
    const mail = await mailWith(account.email, 'Reset your password');
    expect(mail.text).toContain('one hour');
    expect(mail.html).toContain(`<a href="https://app.example.org/journal/reset-password#token=${token}">`);
  });

  it('does the same for an address without an account: same response, same row, but no mail', async () => {
    const { account } = await signUp();
    proxy.hold();
    const unknown = randomEmail();
    const responses = [
      await forgot(account.email),
      await forgot(unknown),
      await forgot(` ${unknown.toUpperCase()}`),
    ];
    const comparable = ({ status, text, headers }: ApiResponse) => ({
      status,
      text,
      headers: [...headers.keys()],
    });
    expect(responses.map(comparable)).toEqual(
      responses.map(() => ({ ...comparable(responses[0]!), status: 202, text: '' })),
    );
    expect((await mailsTo(account.email)).map(({ template }) => template)).toEqual(['reset-password']);
    // Which is dropped when its turn comes: before SMTP is asked.
    await delivered(unknown);
    proxy.open();
    await delivered(account.email);
    expect(tokensTo(account.email)).toHaveLength(1);
    expect(smtp.to(unknown)).toEqual([]);
  });

  it.each([
    ['no e-mail', {}, ['email']],
    ['an e-mail that is none', { email: 'nobody' }, ['email']],
    ['a number', { email: 1 }, ['email']],
    ['an unknown field', { email: 'a@example.org', to: 'b@example.org' }, ['to']],
    ['nothing', undefined, ['']],
  ])('returns 422 for %s', async (_what, body, paths) => {
    expect(expectProblem(await anonymous.post('/auth/forgot-password', body), 422).paths).toEqual(paths);
  });

  it('sends at most 3 links an hour to one account, whatever the number of requests and networks', async () => {
    const { account } = await signUp();
    for (let batch = 0; batch < 10; batch += 1) {
      const responses = await Promise.all(Array.from({ length: 100 }, () => forgot(account.email)));
      expect(new Set(responses.map(({ status }) => status))).toEqual(new Set([202]));
    }
    await delivered(account.email);
    const tokens = tokensTo(account.email);
    expect(tokens.length).toBeGreaterThan(0);
    expect(tokens.length).toBeLessThanOrEqual(3);
    const results = await Promise.all(tokens.map((token) => reset(token)));
    expect(results.map(({ status }) => status).sort()).toEqual([204, ...tokens.slice(1).map(() => 400)]);
  });

  it('returns 429 with Retry-After after 30 requests of one network in an hour', async () => {
    const network = fromElsewhere();
    for (let n = 0; n < 30; n += 1) expect((await forgot(randomEmail(), network)).status).toBe(202);
    const refused = await forgot(randomEmail(), network);
    expectProblem(refused, 429);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect((await forgot(randomEmail())).status).toBe(202);
    // A registration succeeds, but sends nothing to an address that may be a stranger's.
    const ada = await anonymous.signUp({}, network);
    const queued = 'SELECT 1 FROM account_tokens WHERE user_id = $1';
    expect(await service.database.query(queued, [ada.account.userId])).toEqual([]);
    expectProblem(await ada.post('/auth/verify-email/resend', undefined, network), 429);
    expect((await ada.post('/auth/verify-email/resend')).status).toBe(202);
    await smtp.tokenTo(ada.account.email, 'verify-email');
  });
});

describe('POST /auth/reset-password', () => {
  it('returns 204; the new password signs in, the old one does not, and a notice is sent', async () => {
    const { account } = await signUp();
    const { status, text } = await reset(await requestToken(account.email));
    expect({ status, text }).toEqual({ status: 204, text: '' });
    expectProblem(await login(account, account.password), 401);
    expect((await login(account, NEW_PASSWORD)).status).toBe(200);
    await mailWith(account.email, 'Your password was changed');
  });

  it('records who asked and who reset in the security events', async () => {
    const ada = await signUp();
    await reset(await requestToken(ada.account.email));
    const { body } = await login(ada.account, NEW_PASSWORD);
    const { securityEvents } = (await anonymous.withToken(body.accessToken).get('/users/me/security-events'))
      .body;
    const types = securityEvents.map(({ type }: { type: string }) => type);
    expect(types.slice(0, 3)).toEqual(['sign-in', 'password-reset', 'password-reset-requested']);
    expect(securityEvents[2]).toMatchObject({
      network: expect.stringMatching(/^203\.0\./),
      userAgent: 'node',
    });
  });

  it('records the request once, also if a process was killed at the first attempt to send the link', async () => {
    const ada = await signUp();
    const { email } = ada.account;
    smtp.refused.add(email);
    // Not yet due, or it could be tried before and again after retryNow.
    await service.database.query(
      `INSERT INTO mails (id, template, recipient, attempts, next_attempt_at)
       VALUES ($1, 'reset-password', $2, 1, now() + interval '5 minutes')`,
      [randomUUID(), email],
    );
    await retryNow();
    await until('SMTP has refused it', async () => {
      const postponed = await service.database.query(
        `SELECT 1 FROM mails WHERE recipient = $1 AND attempts = 2 AND next_attempt_at < now() + interval '1 minute'`,
        [email],
      );
      return postponed.length > 0;
    });
    smtp.refused.clear();
    await retryNow();
    await delivered(email);
    expect(tokensTo(email)).toHaveLength(1);
    const { securityEvents } = (await ada.get('/users/me/security-events')).body;
    const types = securityEvents.map(({ type }: { type: string }) => type) as string[];
    expect(types.filter((type) => type === 'password-reset-requested')).toHaveLength(1);
  });

  it('ends every session, on every replica within a second', async () => {
    const ada = await signUp();
    const other = await ada.logIn(fromElsewhere());
    const replica = Program.start({ DATABASE_URL: service.database.url });
    try {
      const there = new ApiClient(await replica.listening(), ada.account);
      expect((await there.get('/entries')).status).toBe(200);
      expect((await reset(await requestToken(ada.account.email))).status).toBe(204);
      const ended = Date.now();
      expect((await lastAccepted(there)) - ended).toBeLessThan(1000);
      for (const client of [ada, other]) {
        expectProblem(await client.get('/users/me'), 401);
        const { refreshToken } = client.account;
        expectProblem(await anonymous.post('/auth/refresh', { refreshToken }), 401);
      }
    } finally {
      await replica.stop();
    }
  });

  it('returns 400 for a used, replaced, expired or unknown token, and changes nothing', async () => {
    const { account } = await signUp();
    const replaced = await requestToken(account.email);
    const used = await requestToken(account.email);
    expectProblem(await reset(replaced), 400);
    expect((await reset(used)).status).toBe(204);
    const expired = await requestToken(account.email);
    await service.database.query(`UPDATE account_tokens SET expires_at = now() WHERE user_id = $1`, [
      account.userId,
    ]);
    for (const token of [used, replaced, expired, 'x', 'x'.repeat(43), expired.toUpperCase()]) {
      expectProblem(await reset(token, 'yet another password'), 400);
    }
    expect((await login(account, NEW_PASSWORD)).status).toBe(200);
  });

  it('lets one of two concurrent uses win', async () => {
    const { account } = await signUp();
    const token = await requestToken(account.email);
    const passwords = ['the first new password', 'the other new password'];
    const responses = await Promise.all(passwords.map((password) => reset(token, password)));
    expect(responses.map(({ status }) => status).sort()).toEqual([204, 400]);
    const logins = await Promise.all(passwords.map((password) => login(account, password)));
    expect(logins.map(({ status }) => (status === 200 ? 204 : 400))).toEqual(
      responses.map(({ status }) => status),
    );
  });

  it.each([
    ['a short password', (token: string) => ({ token, newPassword: 'short' }), 'newPassword'],
    ['a common password', (token: string) => ({ token, newPassword: 'iloveyou1' }), 'newPassword'],
    [
      'the e-mail as password',
      (token: string, email: string) => ({ token, newPassword: email }),
      'newPassword',
    ],
    ['no token', () => ({ newPassword: NEW_PASSWORD }), 'token'],
    ['a token that is a number', () => ({ token: 1, newPassword: NEW_PASSWORD }), 'token'],
    ['an unknown field', (token: string) => ({ token, newPassword: NEW_PASSWORD, email: 'x' }), 'email'],
  ])('returns 422 for %s, and the token can still be used', async (_what, body, path) => {
    const { account } = await signUp();
    const token = await requestToken(account.email);
    const response = await anonymous.post('/auth/reset-password', body(token, account.email));
    expect(expectProblem(response, 422).paths).toEqual([path]);
    expect((await reset(token)).status).toBe(204);
  });

  it('ends the delay after wrong passwords', async () => {
    const { account } = await signUp();
    for (let n = 0; n < 12; n += 1) await login(account, 'a wrong password');
    expectProblem(await login(account, account.password), 429);
    expect((await reset(await requestToken(account.email))).status).toBe(204);
    expect((await login(account, NEW_PASSWORD)).status).toBe(200);
  });

  it('keeps the delay after wrong codes: who reads the mailbox gets no more tries', async () => {
    const ada = await signUp();
    const { email } = ada.account;
    const verification = { token: await smtp.tokenTo(email, 'verify-email') };
    expect((await anonymous.post('/auth/verify-email', verification)).status).toBe(204);
    const { app } = await enrol(ada, service.database);
    const guess = (password: string) =>
      anonymous.post('/auth/login', { email, password, code: codeOf(app, 5) }, fromElsewhere());
    for (let n = 0; n < 11; n += 1) expectProblem(await guess(ada.account.password), 401);
    expect((await reset(await requestToken(email))).status).toBe(204);
    const guesses = await Promise.all([guess(NEW_PASSWORD), guess(NEW_PASSWORD)]);
    expect(guesses.map(({ status }) => status)).toContain(429);
  });

  it('refuses links from before a change of the password', async () => {
    const ada = await signUp();
    const token = await requestToken(ada.account.email);
    const change = { currentPassword: ada.account.password, newPassword: NEW_PASSWORD };
    expect((await ada.put('/users/me/password', change, fromElsewhere())).status).toBe(204);
    expectProblem(await reset(token, 'yet another password'), 400);
  });
});

describe('a link', () => {
  it('works for an hour from its delivery, however long SMTP was down', async () => {
    const { account } = await signUp();
    proxy.cut();
    await forgot(account.email);
    await until('an attempt has failed', async () => {
      const [row] = await service.database.query<{ attempts: number }>(
        'SELECT attempts FROM mails WHERE recipient = $1',
        [account.email],
      );
      return row!.attempts > 0;
    });
    await service.database.query(`UPDATE account_tokens SET expires_at = now() WHERE user_id = $1`, [
      account.userId,
    ]);
    proxy.open();
    await retryNow();
    await delivered(account.email);
    expect((await reset(tokensTo(account.email)[0]!)).status).toBe(204);
  });

  it('does not work again if its mail is sent again after it was used', async () => {
    const { account } = await signUp();
    let accept = () => {};
    smtp.beforeAccept = () => new Promise((resolve) => (accept = resolve));
    await forgot(account.email);
    const sent = () =>
      service.database.query<{ token_hash: Buffer }>(
        `SELECT token_hash FROM account_tokens WHERE user_id = $1 AND purpose = 'reset-password'`,
        [account.userId],
      );
    await until('it is on its way', async () => (await sent()).length > 0);
    await service.database.query('UPDATE account_tokens SET used_at = now() WHERE user_id = $1', [
      account.userId,
    ]);
    // The connection breaks before SMTP's answer, so the mail is tried again.
    proxy.cut();
    accept();
    smtp.beforeAccept = async () => {};
    await until('the attempt has failed', async () => {
      const [row] = await service.database.query(
        "SELECT 1 FROM mails WHERE next_attempt_at < now() + interval '1 minute'",
      );
      return row !== undefined;
    });
    proxy.open();
    await retryNow();
    await delivered(account.email);
    for (const token of tokensTo(account.email)) expectProblem(await reset(token), 400);
  });

  it('is not sent to an old address if the address changes meanwhile', async () => {
    const { account } = await signUp();
    const other = new Client({ connectionString: service.database.url });
    await other.connect();
    await other.query('BEGIN');
    await other.query('UPDATE users SET email = $2 WHERE id = $1', [account.userId, randomEmail()]);
    await forgot(account.email);
    await until('it waits for the other', async () => {
      const waiting = await service.database.query(
        `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
      );
      return waiting.length > 0;
    });
    await other.query('COMMIT');
    await other.end();
    await delivered(account.email);
    expect(tokensTo(account.email)).toEqual([]);
  });

  it('is in the export of its user, is deleted with the user, and by the purge', async () => {
    const [ada, bob] = [await signUp(), await signUp()];
    await requestToken(ada.account.email);
    await requestToken(bob.account.email);
    const { accountTokens, mails } = (await ada.get('/users/me/export')).body;
    expect(accountTokens).toMatchObject([
      { purpose: 'reset-password', email: ada.account.email, usedAt: null },
      { purpose: 'verify-email', email: ada.account.email, usedAt: null },
    ]);
    expect(mails).toEqual([]);
    const purposesOf = ({ account }: ApiClient) =>
      service.database.query('SELECT 1 FROM account_tokens WHERE user_id = $1', [account.userId]);
    await ada.request('DELETE', '/users/me', {
      body: { password: ada.account.password },
      headers: fromElsewhere(),
    });
    expect(await purposesOf(ada)).toEqual([]);
    const purge = service.app.get(AccountTokensPurge, { strict: false });
    await purge.run();
    expect(await purposesOf(bob)).toHaveLength(2);
    await service.database.query(`UPDATE account_tokens SET requested_at = now() - interval '73 hours'`);
    await purge.run();
    expect(await purposesOf(bob)).toEqual([]);
  });
});
