import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { DataSource } from 'typeorm';
import { SecretEncryption } from '../../src/auth/second-factor/secret-encryption.js';
import { SecondFactorKeyRotation } from '../../src/auth/second-factor/second-factor.key-rotation.js';
import { SecondFactorRepository } from '../../src/auth/second-factor/second-factor.repository.js';
import { loadConfig } from '../../src/config/config.js';
import { Sql } from '../../src/database/sql.js';
import {
  beginEnrolment,
  codeOf,
  enrol,
  forgetLastCode,
  SECOND_FACTOR,
  type Enrolled,
} from '../harness/http/authenticator.js';
import { randomEmail, type ApiClient, type ApiResponse } from '../harness/http/client.js';
import { lastAccepted } from '../harness/http/last-accepted.js';
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

const signUpEnrolled = async () => enrol(await service.signUp(), service.database);

function login(
  { account }: ApiClient,
  code?: string,
  headers = {},
  { anonymous } = service,
): Promise<ApiResponse> {
  const { email, password } = account;
  return anonymous.post('/auth/login', { email, password, code }, headers);
}

/** Statuses of concurrent logins with one code, sorted. */
async function raceLogins(ada: ApiClient, code: string): Promise<number[]> {
  const responses = await Promise.all(Array.from({ length: 5 }, () => login(ada, code)));
  return responses.map(({ status }) => status).sort();
}

const stateOf = async (client: ApiClient) => (await client.get(SECOND_FACTOR)).body;

describe('POST /auth/login with a second factor', () => {
  it('returns 401 with its own problem type if only the code is missing', async () => {
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
    expect(await raceLogins(ada, codeOf(app))).toEqual([200, 401, 401, 401, 401]);
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
    // Also from a known address, or who lives with the owner could try more.
    const atHome = await Promise.all([login(ada, codeOf(app)), login(ada, codeOf(app))]);
    expect(atHome.map(({ status }) => status)).toContain(429);
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

describe('a change of JWT_SECRET', () => {
  const NEXT = 'the-next-secret-for-tests-9876543210zyxwvut';
  const start = (previous?: string) =>
    startService({ JWT_SECRET: NEXT, JWT_SECRET_PREVIOUS: previous }, service.database);

  /** What a replica does every hour. */
  async function rotate(): Promise<void> {
    const environment = {
      JWT_SECRET: NEXT,
      JWT_SECRET_PREVIOUS: TEST_SECRET,
      DATABASE_URL: service.database.url,
    };
    const dataSource = await new DataSource({ type: 'postgres', url: service.database.url }).initialize();
    const factors = new SecondFactorRepository(new Sql(dataSource));
    await new SecondFactorKeyRotation(factors, new SecretEncryption(loadConfig(environment))).run();
    await dataSource.destroy();
  }

  it('keeps codes valid while JWT_SECRET_PREVIOUS has the old one, and then those encrypted again', async () => {
    const { ada, app, recoveryCodes } = await signUpEnrolled();
    const [during, after] = await Promise.all([start(TEST_SECRET), start()]);
    try {
      expect((await login(ada, codeOf(app), {}, during)).status).toBe(200);
      await forgetLastCode(ada, service.database);
      expectProblem(await login(ada, codeOf(app), {}, after), 401);
      expect((await login(ada, recoveryCodes[0], {}, after)).status).toBe(200);
      await rotate();
      expect((await login(ada, codeOf(app), {}, after)).status).toBe(200);
    } finally {
      await Promise.all([during.close(), after.close()]);
    }
  });
});

describe('REQUIRE_SECOND_FACTOR=true', () => {
  let strict: TestService;
  beforeAll(async () => {
    strict = await startService({ REQUIRE_SECOND_FACTOR: 'true' }, service.database);
  });
  afterAll(() => strict.close());

  const LEFT_OUT = ['/entries', '/entries/stats', '/entries/trash', '/entries/export', '/users/me/export'];

  it('lets a user enrol and manage the account, and refuses the rest with 403 until then', async () => {
    const ada = await strict.signUp();
    for (const path of ['/users/me', SECOND_FACTOR, '/users/me/security-events', '/auth/sessions'])
      expect((await ada.get(path)).status).toBe(200);
    for (const path of [...LEFT_OUT, '/admin/users'])
      expect(expectProblem(await ada.get(path), 403).detail).toBe(
        'Enable a second factor first, by POST /users/me/second-factor',
      );
    await beginEnrolment(ada);
    expectProblem(await ada.post('/entries', { text: 'Walked.', mood: 7 }), 403);
    await enrol(ada, service.database);
    expect((await ada.post('/entries', { text: 'Walked.', mood: 7 })).status).toBe(201);
    for (const path of LEFT_OUT) expect((await ada.get(path)).status).toBe(200);
    expectProblem(await ada.get('/admin/users'), 404);
  });

  it('lets a user without one leave', async () => {
    const ada = await strict.signUp();
    expect((await ada.post('/auth/logout')).status).toBe(204);
    const { password } = ada.account;
    const again = await ada.logIn();
    expect((await again.request('DELETE', '/users/me', { body: { password } })).status).toBe(204);
  });

  it('refuses the user again within a second when another replica removes the factor', async () => {
    const { ada, app } = await enrol(await strict.signUp(), service.database);
    const { password, accessToken } = ada.account;
    expect((await ada.get('/entries')).status).toBe(200);
    const elsewhere = service.anonymous.withToken(accessToken);
    const removed = await elsewhere.request('DELETE', SECOND_FACTOR, {
      body: { password, code: codeOf(app) },
    });
    expect(removed.status).toBe(204);
    const since = Date.now();
    expect((await lastAccepted(ada, '/entries', 403)) - since).toBeLessThan(1000);
    await enrol(ada, service.database);
    expect((await ada.get('/entries')).status).toBe(200);
  });
});
