import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { URI, type TOTP } from 'otpauth';
import decodeQr from 'qr/decode.js';
import { beginEnrolment, codeOf, enrol, SECOND_FACTOR } from '../harness/http/authenticator.js';
import type { ApiClient, ApiResponse } from '../harness/http/client.js';
import { INSTANT } from '../harness/http/formats.js';
import { expectProblem } from '../harness/http/problem.js';
import { startService, type TestService } from '../harness/http/service.js';
import { SmtpServer } from '../harness/servers/smtp-server.js';
import { until } from '../harness/until.js';

let smtp: SmtpServer;
let service: TestService;
beforeAll(async () => {
  smtp = await SmtpServer.start();
  service = await startService(smtp.environment);
});
afterAll(async () => {
  await service.close();
  await smtp.stop();
});

/** With a verified address, as an enrolment needs it. */
async function signUp(): Promise<ApiClient> {
  const ada = await service.signUp();
  await service.database.query('UPDATE users SET email_verified_at = now() WHERE id = $1', [
    ada.account.userId,
  ]);
  return ada;
}
const signUpEnrolled = async () => enrol(await signUp(), service.database);

function login({ account: { email, password } }: ApiClient, code?: string): Promise<ApiResponse> {
  return service.anonymous.post('/auth/login', { email, password, code });
}

const stateOf = async (client: ApiClient) => (await client.get(SECOND_FACTOR)).body;
const DISABLED = { enabled: false, enabledAt: null, recoveryCodesRemaining: 0 };

describe('POST /users/me/second-factor', () => {
  it('returns 201 with a secret, as text, as a URI and as a QR code; nothing is required yet', async () => {
    const ada = await signUp();
    const { status, headers, body } = await ada.post(SECOND_FACTOR, { password: ada.account.password });
    expect(status).toBe(201);
    expect(headers.get('cache-control')).toBe('no-store');
    expect(body).toEqual({
      secret: expect.stringMatching(/^[A-Z2-7]{32}$/),
      uri: expect.any(String),
      qrSvg: expect.stringMatching(/^<svg /),
    });
    const app = URI.parse(body.uri as string) as TOTP;
    expect(app).toMatchObject({ issuer: 'entries', label: ada.account.email });
    expect(app.secret.base32).toBe(body.secret);
    expect(readQr(body.qrSvg as string)).toBe(body.uri);
    expect(await stateOf(ada)).toEqual(DISABLED);
    expect((await login(ada)).status).toBe(200);
  });

  it('returns 403 until the e-mail address is verified, so that nobody locks out the owner of an address', async () => {
    const ada = await service.signUp();
    const { email, password } = ada.account;
    expectProblem(await ada.post(SECOND_FACTOR, { password }), 403);
    const token = await smtp.tokenTo(email, 'verify-email');
    expect((await service.anonymous.post('/auth/verify-email', { token })).status).toBe(204);
    await enrol(ada, service.database);
  });

  it('replaces an enrolment that was not confirmed', async () => {
    const ada = await signUp();
    const first = await beginEnrolment(ada);
    const second = await beginEnrolment(ada);
    expectProblem(await ada.post(`${SECOND_FACTOR}/confirm`, { code: codeOf(first) }), 403);
    expect((await ada.post(`${SECOND_FACTOR}/confirm`, { code: codeOf(second) })).status).toBe(200);
  });

  it('returns 403 for a wrong password, 409 if one is enabled, and changes nothing', async () => {
    const { ada, app } = await signUpEnrolled();
    expectProblem(await ada.post(SECOND_FACTOR, { password: 'a wrong password' }), 403);
    expectProblem(await ada.post(SECOND_FACTOR, { password: ada.account.password }), 409);
    expect((await login(ada, codeOf(app))).status).toBe(200);
  });

  it.each([
    ['', {}, ['password']],
    ['', { password: 'x', code: '123456' }, ['code']],
    ['/confirm', {}, ['code']],
    ['/confirm', { code: '12345' }, ['code']],
    ['/confirm', { code: 'ABCDEF-GHIJKL-MNOPQR-STUVWX' }, ['code']],
    ['/recovery-codes', { code: '123456' }, ['password']],
    ['/recovery-codes', { password: 'x', code: 'ABCDEF-GHIJKL-MNOPQR-STUVW1' }, ['code']],
    ['/recovery-codes', { password: 'x', code: 123456 }, ['code']],
  ])('returns 422 for %s %j', async (path, body, paths) => {
    const ada = await signUp();
    expect(expectProblem(await ada.post(SECOND_FACTOR + path, body), 422).paths).toEqual(paths);
  });
});

describe('POST /users/me/second-factor/confirm', () => {
  it('returns 200 with ten recovery codes, and enables the second factor', async () => {
    const ada = await signUp();
    const app = await beginEnrolment(ada);
    const { headers, body } = await ada.post(`${SECOND_FACTOR}/confirm`, { code: codeOf(app) });
    expect(headers.get('cache-control')).toBe('no-store');
    const code = expect.stringMatching(/^([A-Z2-7]{6}-){3}[A-Z2-7]{6}$/);
    expect(body).toEqual({ recoveryCodes: Array(10).fill(code) });
    expect(new Set(body.recoveryCodes).size).toBe(10);
    expect(await stateOf(ada)).toEqual({
      enabled: true,
      enabledAt: expect.stringMatching(INSTANT),
      recoveryCodesRemaining: 10,
    });
  });

  it('stores neither the secret nor a recovery code in clear', async () => {
    const { ada, app, recoveryCodes } = await signUpEnrolled();
    const tables = await service.database.query<{ secret: Buffer; hashes: Buffer[] }>(
      `SELECT secret, (SELECT array_agg(code_hash) FROM recovery_codes WHERE user_id = $1) AS hashes
         FROM second_factors WHERE user_id = $1`,
      [ada.account.userId],
    );
    const { secret, hashes } = tables[0]!;
    expect(secret.includes(Buffer.from(app.secret.bytes))).toBe(false);
    expect(secret.includes(app.secret.base32)).toBe(false);
    expect(hashes.map(({ length }) => length)).toEqual(Array(10).fill(32));
    for (const code of recoveryCodes) expect(Buffer.concat(hashes).includes(code.slice(0, 6))).toBe(false);
  });

  it('returns 403 for a wrong code, and 409 without an enrolment or after it', async () => {
    const ada = await signUp();
    expectProblem(await ada.post(`${SECOND_FACTOR}/confirm`, { code: '123456' }), 409);
    const app = await beginEnrolment(ada);
    expectProblem(await ada.post(`${SECOND_FACTOR}/confirm`, { code: codeOf(app, 5) }), 403);
    expect(await stateOf(ada)).toEqual(DISABLED);
    expect((await ada.post(`${SECOND_FACTOR}/confirm`, { code: codeOf(app) })).status).toBe(200);
    expectProblem(await ada.post(`${SECOND_FACTOR}/confirm`, { code: codeOf(app) }), 409);
  });

  it('returns 409 for an enrolment that was started more than an hour ago: the password may have changed', async () => {
    const ada = await signUp();
    const code = codeOf(await beginEnrolment(ada));
    await service.database.query(
      `UPDATE second_factors SET created_at = created_at - interval '1 hour' WHERE user_id = $1`,
      [ada.account.userId],
    );
    expectProblem(await ada.post(`${SECOND_FACTOR}/confirm`, { code }), 409);
    expect(await stateOf(ada)).toEqual(DISABLED);
    await enrol(ada, service.database);
  });

  it('lets one of several concurrent confirmations win', async () => {
    const ada = await signUp();
    const code = codeOf(await beginEnrolment(ada));
    const responses = await Promise.all([1, 2, 3].map(() => ada.post(`${SECOND_FACTOR}/confirm`, { code })));
    expect(responses.map(({ status }) => status).sort()).toEqual([200, 409, 409]);
    expect(await stateOf(ada)).toMatchObject({ recoveryCodesRemaining: 10 });
  });

  it('ends all other sessions, also those of concurrent logins: the password alone started them', async () => {
    const ada = await signUp();
    const other = await ada.logIn();
    const code = codeOf(await beginEnrolment(ada));
    const logins = Array.from({ length: 10 }, () => login(ada));
    const [confirmed, ...started] = await Promise.all([
      ada.post(`${SECOND_FACTOR}/confirm`, { code }),
      ...logins,
    ]);
    expect(confirmed.status).toBe(200);
    for (const response of started)
      if (response.status !== 200) expectProblem(response, 401, 'Second Factor Required');
    expectProblem(await other.get('/users/me'), 401);
    expect((await ada.get('/auth/sessions')).body.sessions).toMatchObject([{ current: true }]);
  });

  it('uses up its code: it does not sign in', async () => {
    const ada = await signUp();
    const code = codeOf(await beginEnrolment(ada));
    expect((await ada.post(`${SECOND_FACTOR}/confirm`, { code })).status).toBe(200);
    expectProblem(await login(ada, code), 401);
  });
});

describe('DELETE /users/me/second-factor', () => {
  const disable = (ada: ApiClient, code: string, password = ada.account.password) =>
    ada.request('DELETE', SECOND_FACTOR, { body: { password, code } });

  it('returns 204; the password alone signs in again, and a new app can be enrolled', async () => {
    const { ada, app } = await signUpEnrolled();
    expect((await disable(ada, codeOf(app))).status).toBe(204);
    expect(await stateOf(ada)).toEqual(DISABLED);
    expect((await login(ada)).status).toBe(200);
    expectProblem(await disable(ada, codeOf(app)), 404);
    const other = await beginEnrolment(ada);
    expect((await ada.post(`${SECOND_FACTOR}/confirm`, { code: codeOf(other) })).status).toBe(200);
  });

  it('returns 403 for a wrong password or code, and keeps it enabled', async () => {
    const { ada, app, recoveryCodes } = await signUpEnrolled();
    expectProblem(await disable(ada, codeOf(app), 'a wrong password'), 403);
    expectProblem(await disable(ada, codeOf(app, 5)), 403);
    expect(await stateOf(ada)).toMatchObject({ enabled: true });
    expect((await disable(ada, recoveryCodes[0]!)).status).toBe(204);
  });

  it('returns 404 while an enrolment is pending, and keeps it', async () => {
    const ada = await signUp();
    const app = await beginEnrolment(ada);
    expectProblem(await disable(ada, '123456'), 404);
    expect((await ada.post(`${SECOND_FACTOR}/confirm`, { code: codeOf(app) })).status).toBe(200);
  });
});

describe('POST /users/me/second-factor/recovery-codes', () => {
  const renew = (ada: ApiClient, code: string) =>
    ada.post(`${SECOND_FACTOR}/recovery-codes`, { password: ada.account.password, code });

  it('returns 200 with ten new codes, and voids the old ones', async () => {
    const { ada, app, recoveryCodes } = await signUpEnrolled();
    const { status, body } = await renew(ada, codeOf(app));
    expect(status).toBe(200);
    expect(body.recoveryCodes).toHaveLength(10);
    expectProblem(await login(ada, recoveryCodes[0]), 401);
    expect((await login(ada, body.recoveryCodes[0])).status).toBe(200);
  });

  it('leaves ten codes after concurrent calls', async () => {
    const { ada, recoveryCodes } = await signUpEnrolled();
    const responses = await Promise.all(recoveryCodes.slice(0, 4).map((code) => renew(ada, code)));
    expect(responses.map(({ status }) => status)).toContain(200);
    expect(await stateOf(ada)).toMatchObject({ recoveryCodesRemaining: 10 });
  });

  it('returns 404 without a second factor, and 403 for a wrong code', async () => {
    expectProblem(await renew(await signUp(), '123456'), 404);
    const { ada, app } = await signUpEnrolled();
    expectProblem(await renew(ada, codeOf(app, 5)), 403);
  });
});

describe('GET /users/me/export', () => {
  it('tells that a second factor is enabled and since when, not its secret', async () => {
    const { ada, app, recoveryCodes } = await signUpEnrolled();
    const { body, text } = await ada.get('/users/me/export');
    const { enabledAt } = await stateOf(ada);
    expect(body.secondFactor).toEqual([
      { createdAt: expect.stringMatching(INSTANT), enabledAt, recoveryCodesRemaining: 10 },
    ]);
    for (const secret of [app.secret.base32, ...recoveryCodes]) expect(text).not.toContain(secret);
    expect((await (await signUp()).get('/users/me/export')).body.secondFactor).toEqual([]);
  });
});

describe('POST /auth/reset-password', () => {
  it('keeps the second factor: who reads the mailbox cannot sign in', async () => {
    const { ada, app } = await signUpEnrolled();
    const { email } = ada.account;
    const newPassword = 'another horse battery';
    await service.anonymous.post('/auth/forgot-password', { email });
    const token = await smtp.tokenTo(email, 'reset-password');
    expect((await service.anonymous.post('/auth/reset-password', { token, newPassword })).status).toBe(204);
    const again = { email, password: newPassword };
    expectProblem(await service.anonymous.post('/auth/login', again), 401, 'Second Factor Required');
    expect((await service.anonymous.post('/auth/login', { ...again, code: codeOf(app) })).status).toBe(200);
  });
});

describe('the owner of the account', () => {
  /** Of the second factor, oldest first. */
  async function eventsOf(ada: ApiClient): Promise<string[]> {
    const { securityEvents } = (await ada.get('/users/me/security-events')).body;
    const types = securityEvents.map(({ type }: { type: string }) => type) as string[];
    return types.filter((type) => /second-factor|recovery/.test(type)).reverse();
  }

  it('finds every change and every wrong code among the security events, and gets mails', async () => {
    const { ada, app, recoveryCodes } = await signUpEnrolled();
    const { email, password } = ada.account;
    expectProblem(await login(ada, codeOf(app, 5)), 401);
    await until('the failure is written', async () => (await eventsOf(ada)).length === 2);
    expectProblem(await login(ada), 401, 'Second Factor Required');
    expect((await login(ada, recoveryCodes[0])).status).toBe(200);
    await ada.post(`${SECOND_FACTOR}/recovery-codes`, { password, code: codeOf(app) });
    await ada.request('DELETE', SECOND_FACTOR, { body: { password, code: codeOf(app, 1) } });
    expect(await eventsOf(ada)).toEqual([
      'second-factor-enabled',
      'second-factor-failed',
      'recovery-code-used',
      'recovery-codes-replaced',
      'second-factor-disabled',
    ]);
    await until('four mails arrive', () => smtp.to(email).length === 4);
    expect(
      smtp
        .to(email)
        .map(({ subject }) => subject)
        .sort(),
    ).toEqual([
      'A recovery code was used',
      'Verify your e-mail address',
      'Your second factor was disabled',
      'Your second factor was enabled',
    ]);
  });

  it('can use a recovery code, disable the factor and erase the account at the same time', async () => {
    for (let race = 0; race < 3; race++) {
      const { ada, recoveryCodes } = await signUpEnrolled();
      const { password, userId } = ada.account;
      const [first, second, third] = recoveryCodes;
      const responses = await Promise.all([
        login(ada, first),
        ada.request('DELETE', SECOND_FACTOR, { body: { password, code: second } }),
        ada.request('DELETE', '/users/me', { body: { password, code: third } }),
      ]);
      expect(responses.filter(({ status }) => status >= 500)).toEqual([]);
      // Its code may be gone with the factor.
      expect([204, 403]).toContain(responses[2].status);
      const left = 'SELECT 1 FROM second_factors WHERE user_id = $1';
      expect(await service.database.query(left, [userId])).toEqual([]);
    }
  });
});

/** Reads the image as a camera does: each module of the code is ten units wide. */
function readQr(svg: string): string {
  const size = Number(/viewBox="0 0 (\d+)/.exec(svg)![1]);
  const data = new Uint8Array(size * size * 4).fill(255);
  for (const [, x, y] of svg.matchAll(/M(\d+),(\d+)h10v10h-10z/g)) {
    for (let row = Number(y); row < Number(y) + 10; row++) {
      const start = (row * size + Number(x)) * 4;
      for (let offset = 0; offset < 40; offset++) if (offset % 4 !== 3) data[start + offset] = 0;
    }
  }
  return decodeQr({ width: size, height: size, data });
}
