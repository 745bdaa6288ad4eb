import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { URI, type TOTP } from 'otpauth';
import decodeQr from 'qr/decode.js';
import { DataSource } from 'typeorm';
import { SecretEncryption } from '../../src/auth/second-factor/secret-encryption.js';
import { SecondFactorKeyRotation } from '../../src/auth/second-factor/second-factor.key-rotation.js';
import { SecondFactorRepository } from '../../src/auth/second-factor/second-factor.repository.js';
import { SecondFactorService } from '../../src/auth/second-factor/second-factor.service.js';
import { loadConfig } from '../../src/config/config.js';
import { Sql } from '../../src/database/sql.js';
import { randomEmail, type ApiClient, type ApiResponse } from '../harness/http/client.js';
import { INSTANT } from '../harness/http/formats.js';
import { expectProblem } from '../harness/http/problem.js';
import { startService, type TestService } from '../harness/http/service.js';
import { SIGNED_IN } from '../harness/http/signed-in.js';
import { TEST_SECRET } from '../harness/test-secret.js';

let service: TestService;
beforeAll(async () => {
  service = await startService({
    RATE_LIMIT_ENABLED: 'true',
    RATE_LIMIT_ANONYMOUS_PER_MINUTE: '100000',
    RATE_LIMIT_LOGIN_PER_MINUTE: '1000',
    TRUST_PROXY: 'on',
  });
});
afterAll(() => service.close());

const FACTOR = '/users/me/second-factor';

/** A code of the app. Only the current one is valid whenever the next 30 s begin. */
function codeOf(app: TOTP, stepsFromNow = 0): string {
  return app.generate({ timestamp: Date.now() + stepsFromNow * 30_000 });
}

async function beginEnrolment(client: ApiClient): Promise<TOTP> {
  const { status, body } = await client.post(FACTOR, { password: client.account.password });
  expect(status).toBe(201);
  return URI.parse(body.uri as string) as TOTP;
}

interface Enrolled {
  readonly ada: ApiClient;
  readonly app: TOTP;
  readonly recoveryCodes: readonly string[];
}

async function signUpEnrolled(): Promise<Enrolled> {
  const ada = await service.signUp();
  const app = await beginEnrolment(ada);
  const { status, body } = await ada.post(`${FACTOR}/confirm`, { code: codeOf(app) });
  expect(status).toBe(200);
  await forgetLastCode(ada);
  return { ada, app, recoveryCodes: body.recoveryCodes };
}

/** As if the last code were long ago: tests do not wait for the next one. */
async function forgetLastCode({ account }: ApiClient): Promise<void> {
  const forget = 'UPDATE second_factors SET last_used_step = 1 WHERE user_id = $1';
  await service.database.query(forget, [account.userId]);
}

function login({ account }: ApiClient, code?: string, headers = {}): Promise<ApiResponse> {
  const { email, password } = account;
  return service.anonymous.post('/auth/login', { email, password, code }, headers);
}

/** Statuses of concurrent logins with one code, sorted. */
async function raceLogins(ada: ApiClient, code: string): Promise<number[]> {
  const responses = await Promise.all(Array.from({ length: 5 }, () => login(ada, code)));
  return responses.map(({ status }) => status).sort();
}

const stateOf = async (client: ApiClient) => (await client.get(FACTOR)).body;
const DISABLED = { enabled: false, enabledAt: null, recoveryCodesRemaining: 0 };

describe('POST /users/me/second-factor', () => {
  it('returns 201 with a secret, as text, as a URI and as a QR code; nothing is required yet', async () => {
    const ada = await service.signUp();
    const { status, headers, body } = await ada.post(FACTOR, { password: ada.account.password });
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

  it('replaces an enrolment that was not confirmed', async () => {
    const ada = await service.signUp();
    const first = await beginEnrolment(ada);
    const second = await beginEnrolment(ada);
    expectProblem(await ada.post(`${FACTOR}/confirm`, { code: codeOf(first) }), 403);
    expect((await ada.post(`${FACTOR}/confirm`, { code: codeOf(second) })).status).toBe(200);
  });

  it('returns 403 for a wrong password, 409 if one is enabled, and changes nothing', async () => {
    const { ada, app } = await signUpEnrolled();
    expectProblem(await ada.post(FACTOR, { password: 'a wrong password' }), 403);
    expectProblem(await ada.post(FACTOR, { password: ada.account.password }), 409);
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
    const ada = await service.signUp();
    expect(expectProblem(await ada.post(FACTOR + path, body), 422).paths).toEqual(paths);
  });
});

describe('POST /users/me/second-factor/confirm', () => {
  it('returns 200 with ten recovery codes, and enables the second factor', async () => {
    const ada = await service.signUp();
    const app = await beginEnrolment(ada);
    const { headers, body } = await ada.post(`${FACTOR}/confirm`, { code: codeOf(app) });
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
    const ada = await service.signUp();
    expectProblem(await ada.post(`${FACTOR}/confirm`, { code: '123456' }), 409);
    const app = await beginEnrolment(ada);
    expectProblem(await ada.post(`${FACTOR}/confirm`, { code: codeOf(app, 5) }), 403);
    expect(await stateOf(ada)).toEqual(DISABLED);
    expect((await ada.post(`${FACTOR}/confirm`, { code: codeOf(app) })).status).toBe(200);
    expectProblem(await ada.post(`${FACTOR}/confirm`, { code: codeOf(app) }), 409);
  });

  it('lets one of several concurrent confirmations win', async () => {
    const ada = await service.signUp();
    const code = codeOf(await beginEnrolment(ada));
    const responses = await Promise.all([1, 2, 3].map(() => ada.post(`${FACTOR}/confirm`, { code })));
    expect(responses.map(({ status }) => status).sort()).toEqual([200, 409, 409]);
    expect(await stateOf(ada)).toMatchObject({ recoveryCodesRemaining: 10 });
  });

  it('uses up its code: it does not sign in', async () => {
    const ada = await service.signUp();
    const code = codeOf(await beginEnrolment(ada));
    expect((await ada.post(`${FACTOR}/confirm`, { code })).status).toBe(200);
    expectProblem(await login(ada, code), 401);
  });
});

describe('POST /auth/login with a second factor', () => {
  it('returns 401 of its own type without a code, only if the password is right', async () => {
    const { ada, app } = await signUpEnrolled();
    expectProblem(await login(ada), 401, 'Second Factor Required');
    const { email } = ada.account;
    const wrong = await service.anonymous.post('/auth/login', {
      email,
      password: 'wrong',
      code: codeOf(app),
    });
    const unknown = await service.anonymous.post('/auth/login', { email: randomEmail(), password: 'wrong' });
    expectProblem(wrong, 401);
    expect({ ...wrong.body, requestId: '' }).toEqual({ ...unknown.body, requestId: '' });
    // The wrong password did not use up the code.
    expect((await login(ada, codeOf(app))).status).toBe(200);
  });

  it('returns 200 for a code, also with a blank in it', async () => {
    const { ada, app } = await signUpEnrolled();
    const { status, body } = await login(ada, codeOf(app).replace(/^.../, '$& '));
    expect(status).toBe(200);
    expect(body).toMatchObject({ ...SIGNED_IN, user: { id: ada.account.userId } });
  });

  it('returns 401 for a code of another time and for one of another user', async () => {
    const [{ ada, app }, bob] = await Promise.all([signUpEnrolled(), signUpEnrolled()]);
    for (const code of [codeOf(app, -3), codeOf(app, 4), codeOf(bob.app), ...bob.recoveryCodes.slice(0, 1)]) {
      expectProblem(await login(ada, code), 401);
    }
    expect(await stateOf(bob.ada)).toMatchObject({ recoveryCodesRemaining: 10 });
  });

  it('accepts a code once, and no earlier one after it', async () => {
    const { ada, app } = await signUpEnrolled();
    const [current, next] = [codeOf(app), codeOf(app, 1)];
    expect((await login(ada, next)).status).toBe(200);
    expectProblem(await login(ada, next), 401);
    expectProblem(await login(ada, current), 401);
  });

  it('lets one of several concurrent logins with the same code succeed', async () => {
    const { ada, app, recoveryCodes } = await signUpEnrolled();
    for (let race = 0; race < 4; race++) {
      await forgetLastCode(ada);
      expect(await raceLogins(ada, codeOf(app))).toEqual([200, 401, 401, 401, 401]);
    }
    expect(await raceLogins(ada, recoveryCodes[0]!)).toEqual([200, 401, 401, 401, 401]);
  });

  it('accepts each recovery code once, in any case, with or without hyphens', async () => {
    const { ada, recoveryCodes } = await signUpEnrolled();
    expect((await login(ada, recoveryCodes[0]!.toLowerCase())).status).toBe(200);
    expect((await login(ada, recoveryCodes[1]!.replaceAll('-', ''))).status).toBe(200);
    expectProblem(await login(ada, recoveryCodes[0]), 401);
    expect(await stateOf(ada)).toMatchObject({ recoveryCodesRemaining: 8 });
  });

  it('accepts codes after the clock was set back, each once', async () => {
    const { ada, app } = await signUpEnrolled();
    // A code was used when the clock was a year ahead.
    await service.database.query(
      'UPDATE second_factors SET last_used_step = extract(epoch FROM now()) / 30 + 1051200 WHERE user_id = $1',
      [ada.account.userId],
    );
    const code = codeOf(app);
    expect(await raceLogins(ada, code)).toEqual([200, 401, 401, 401, 401]);
    expectProblem(await login(ada, code), 401);
  });

  it('limits wrong codes like wrong passwords; a missing code is not wrong', async () => {
    const { ada, app } = await signUpEnrolled();
    const from = (n: number) => ({ 'x-forwarded-for': `203.0.113.${n}` });
    for (let n = 0; n < 12; n++)
      expectProblem(await login(ada, undefined, from(n)), 401, 'Second Factor Required');
    for (let n = 0; n < 11; n++) expectProblem(await login(ada, codeOf(app, 5), from(n)), 401);
    const refused = await login(ada, codeOf(app), from(99));
    expectProblem(refused, 429);
    expect(refused.headers.get('retry-after')).toMatch(/^\d+$/);
    // The owner, at a known address.
    expect((await login(ada, codeOf(app))).status).toBe(200);
  });

  it('ignores the code of a user without a second factor', async () => {
    expect((await login(await service.signUp(), '123456')).status).toBe(200);
  });

  it('returns 422 for a malformed code, before it looks at the password', async () => {
    const ada = await service.signUp();
    expect(expectProblem(await login(ada, '12345x'), 422).paths).toEqual(['code']);
  });
});

describe('PUT /users/me/password with a second factor', () => {
  const newPassword = 'another horse battery';
  const change = ({ ada }: Enrolled, code?: string, password = newPassword) =>
    ada.put('/users/me/password', { currentPassword: ada.account.password, newPassword: password, code });

  it('needs a code too', async () => {
    const enrolled = await signUpEnrolled();
    expectProblem(await change(enrolled), 403, 'Second Factor Required');
    expectProblem(await change(enrolled, codeOf(enrolled.app, 5)), 403);
    expect((await login(enrolled.ada, enrolled.recoveryCodes[0])).status).toBe(200);
    expect((await change(enrolled, codeOf(enrolled.app))).status).toBe(204);
    expectProblem(await login(enrolled.ada, enrolled.recoveryCodes[1]), 401);
  });

  it('does not use up the code when it refuses the new password', async () => {
    const enrolled = await signUpEnrolled();
    const code = enrolled.recoveryCodes[0]!;
    expectProblem(await change(enrolled, code, enrolled.ada.account.email), 422);
    expectProblem(await change(enrolled, code, 'iloveyou1'), 422);
    expect((await change(enrolled, code)).status).toBe(204);
  });
});

describe('DELETE /users/me with a second factor', () => {
  it('needs a code too, and erases the second factor', async () => {
    const { ada, app } = await signUpEnrolled();
    const { password, userId } = ada.account;
    const erase = (code?: string) => ada.request('DELETE', '/users/me', { body: { password, code } });
    expectProblem(await erase(), 403, 'Second Factor Required');
    expectProblem(await erase(codeOf(app, 5)), 403);
    expect((await ada.get('/users/me')).status).toBe(200);
    expect((await erase(codeOf(app))).status).toBe(204);
    const left = `SELECT user_id FROM second_factors WHERE user_id = $1
                   UNION ALL SELECT user_id FROM recovery_codes WHERE user_id = $1`;
    expect(await service.database.query(left, [userId])).toEqual([]);
  });
});

describe('DELETE /users/me/second-factor', () => {
  const disable = (ada: ApiClient, code: string, password = ada.account.password) =>
    ada.request('DELETE', FACTOR, { body: { password, code } });

  it('returns 204; the password alone signs in again, and a new app can be enrolled', async () => {
    const { ada, app } = await signUpEnrolled();
    expect((await disable(ada, codeOf(app))).status).toBe(204);
    expect(await stateOf(ada)).toEqual(DISABLED);
    expect((await login(ada)).status).toBe(200);
    expectProblem(await disable(ada, codeOf(app)), 404);
    const other = await beginEnrolment(ada);
    expect((await ada.post(`${FACTOR}/confirm`, { code: codeOf(other) })).status).toBe(200);
  });

  it('returns 403 for a wrong password or code, and keeps it enabled', async () => {
    const { ada, app, recoveryCodes } = await signUpEnrolled();
    expectProblem(await disable(ada, codeOf(app), 'a wrong password'), 403);
    expectProblem(await disable(ada, codeOf(app, 5)), 403);
    expect(await stateOf(ada)).toMatchObject({ enabled: true });
    expect((await disable(ada, recoveryCodes[0]!)).status).toBe(204);
  });

  it('returns 404 while an enrolment is pending, and keeps it', async () => {
    const ada = await service.signUp();
    const app = await beginEnrolment(ada);
    expectProblem(await disable(ada, '123456'), 404);
    expect((await ada.post(`${FACTOR}/confirm`, { code: codeOf(app) })).status).toBe(200);
  });
});

describe('POST /users/me/second-factor/recovery-codes', () => {
  const renew = (ada: ApiClient, code: string) =>
    ada.post(`${FACTOR}/recovery-codes`, { password: ada.account.password, code });

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
    expectProblem(await renew(await service.signUp(), '123456'), 404);
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
    expect((await (await service.signUp()).get('/users/me/export')).body.secondFactor).toEqual([]);
  });
});

describe('an operator', () => {
  it('removes the second factor of a user by one statement', async () => {
    const { ada } = await signUpEnrolled();
    await service.database.query(
      'DELETE FROM second_factors WHERE user_id = (SELECT id FROM users WHERE email = $1)',
      [ada.account.email],
    );
    expect((await login(ada)).status).toBe(200);
    expect(await stateOf(ada)).toEqual(DISABLED);
  });
});

describe('a change of JWT_SECRET', () => {
  const NEXT = 'the-next-secret-for-tests-9876543210zyxwvut';
  let dataSource: DataSource;
  beforeAll(async () => {
    dataSource = await new DataSource({ type: 'postgres', url: service.database.url }).initialize();
  });
  afterAll(() => dataSource.destroy());

  /** The service as it is with other secrets, on the same database. */
  function withSecrets(JWT_SECRET: string, previous?: string) {
    const encryption = new SecretEncryption(
      loadConfig({
        DATABASE_URL: service.database.url,
        JWT_SECRET,
        ...(previous !== undefined && { JWT_SECRET_PREVIOUS: previous }),
      }),
    );
    const factors = new SecondFactorRepository(new Sql(dataSource));
    return {
      rotation: new SecondFactorKeyRotation(factors, encryption),
      secondFactor: new SecondFactorService(dataSource, factors, encryption),
    };
  }

  it('keeps codes valid with JWT_SECRET_PREVIOUS, and for good once the secrets are encrypted again', async () => {
    const { ada, app } = await signUpEnrolled();
    const { userId } = ada.account;
    const [during, after] = [withSecrets(NEXT, TEST_SECRET), withSecrets(NEXT)];
    expect(await during.secondFactor.verify(userId, codeOf(app))).toBe('passed');
    await forgetLastCode(ada);
    expect(await after.secondFactor.verify(userId, codeOf(app))).toBe('wrong');
    await during.rotation.run();
    expect(await after.secondFactor.verify(userId, codeOf(app))).toBe('passed');
    expectProblem(await login(ada, codeOf(app, 1)), 401);
  });

  it('without JWT_SECRET_PREVIOUS leaves the recovery codes', async () => {
    const { ada, recoveryCodes } = await signUpEnrolled();
    const { secondFactor } = withSecrets(NEXT);
    const code = recoveryCodes[0]!.replaceAll('-', '');
    expect(await secondFactor.verify(ada.account.userId, code)).toBe('passed');
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
