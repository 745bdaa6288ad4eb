import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startService, type TestService } from '../harness/http/service.js';
import { ApiClient, randomEmail } from '../harness/http/client.js';
import { readJwt, sessionIdOf } from '../harness/http/jwt.js';
import { expectProblem } from '../harness/http/problem.js';
import { Program } from '../harness/programs/program.js';
import { SIGNED_IN } from '../harness/http/signed-in.js';

/** Chance decides a race: repeated often enough to see both orders. */
const RACES = 8;

let service: TestService;
let anonymous: ApiClient;
beforeAll(async () => {
  service = await startService();
  anonymous = service.anonymous;
});
afterAll(() => service.close());

describe('POST /auth/refresh', () => {
  const refresh = (refreshToken: unknown) => anonymous.post('/auth/refresh', { refreshToken });

  it('returns 200 with new tokens of the same session', async () => {
    const { account } = await service.signUp();
    const { status, body } = await refresh(account.refreshToken);
    expect(status).toBe(200);
    expect(body).toEqual({
      ...SIGNED_IN,
      user: { ...SIGNED_IN.user, id: account.userId, email: account.email },
    });
    expect(body.refreshToken).not.toBe(account.refreshToken);
    expect(body.accessToken).not.toBe(account.accessToken);
    expect(sessionIdOf(body.accessToken)).toBe(sessionIdOf(account.accessToken));
    expect((await anonymous.withToken(body.accessToken).get('/users/me')).status).toBe(200);
  });

  it('accepts each new refresh token in turn', async () => {
    let { refreshToken } = (await service.signUp()).account;
    for (let turn = 0; turn < 4; turn++) {
      const { status, body } = await refresh(refreshToken);
      expect(status).toBe(200);
      refreshToken = body.refreshToken;
    }
  });

  it('returns 401 for a used token within 10 s, and keeps the session', async () => {
    const { account } = await service.signUp();
    const next = (await refresh(account.refreshToken)).body;
    expectProblem(await refresh(account.refreshToken), 401);
    expect((await anonymous.withToken(next.accessToken).get('/users/me')).status).toBe(200);
    expect((await refresh(next.refreshToken)).status).toBe(200);
  });

  it('ends the session when a used token is presented after 10 s', async () => {
    const { account } = await service.signUp();
    const next = (await refresh(account.refreshToken)).body;
    await backdate(account.accessToken, 'last_used_at', '11 seconds');
    expectProblem(await refresh(account.refreshToken), 401);
    expectProblem(await anonymous.withToken(next.accessToken).get('/users/me'), 401);
    expectProblem(await anonymous.withToken(account.accessToken).get('/users/me'), 401);
    expectProblem(await refresh(next.refreshToken), 401);
  });

  it('keeps the other sessions of the user when it ends one', async () => {
    const { account } = await service.signUp();
    const other = await anonymous.post('/auth/login', { email: account.email, password: account.password });
    await refresh(account.refreshToken);
    await backdate(account.accessToken, 'last_used_at', '11 seconds');
    expectProblem(await refresh(account.refreshToken), 401);
    expect((await anonymous.withToken(other.body.accessToken).get('/users/me')).status).toBe(200);
    expect((await refresh(other.body.refreshToken)).status).toBe(200);
  });

  it('ends the session at any time when a token is presented whose successor is used too', async () => {
    const { account } = await service.signUp();
    const second = (await refresh(account.refreshToken)).body;
    const third = (await refresh(second.refreshToken)).body;
    expectProblem(await refresh(account.refreshToken), 401);
    expectProblem(await refresh(third.refreshToken), 401);
    expectProblem(await anonymous.withToken(third.accessToken).get('/users/me'), 401);
  });

  it('lets one of two concurrent refreshes win, and keeps the session', async () => {
    for (let race = 0; race < RACES; race++) {
      const { account } = await service.signUp();
      const responses = await Promise.all([refresh(account.refreshToken), refresh(account.refreshToken)]);
      const [won, lost] = responses.sort((a, b) => a.status - b.status);
      expect(won.status).toBe(200);
      expectProblem(lost, 401);
      expect((await refresh(won.body.refreshToken)).status).toBe(200);
    }
  });

  it('returns 401 when the session has expired', async () => {
    const { account } = await service.signUp();
    await backdate(account.accessToken, 'expires_at', '31 days');
    expectProblem(await refresh(account.refreshToken), 401);
  });

  it('extends the session with each use', async () => {
    const { account } = await service.signUp();
    await backdate(account.accessToken, 'expires_at', '29 days');
    await refresh(account.refreshToken);
    const [session] = await sessionsOf(account.userId);
    expect(session!.expires_at.getTime()).toBeGreaterThan(Date.now() + 29 * 86_400_000);
  });

  it.each([
    ['a token of another format', 'abc'],
    ['a token of the right format and no session', Buffer.alloc(48, 1).toString('base64url')],
    ['an access token', 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl'],
    ['a token with a NUL', 'abc\u0000def'],
    ["an attempt at SQL's quotes", "' OR '1'='1"],
  ])('returns 401 for %s', async (_name, token) => {
    expectProblem(await refresh(token), 401);
  });

  it.each([
    ['without a MAC, as older releases issued', 48],
    ['with a MAC', 64],
  ])(
    'returns 401 for a forged token of a known session, %s, and keeps the session',
    async (_form, length) => {
      const { account } = await service.signUp();
      const { sid } = readJwt(account.accessToken).claims as { sid: string };
      const forged = Buffer.alloc(length, 7);
      forged.write(sid.replaceAll('-', ''), 'hex');
      expectProblem(await refresh(forged.toString('base64url')), 401);
      expect((await anonymous.withToken(account.accessToken).get('/users/me')).status).toBe(200);
      expect((await refresh(account.refreshToken)).status).toBe(200);
    },
  );

  it('accepts a token of an older release, which has no MAC, and ends the session when it is reused', async () => {
    const { account } = await service.signUp();
    const { sid } = readJwt(account.accessToken).claims as { sid: string };
    const old = Buffer.from(account.refreshToken, 'base64url').subarray(0, 48).toString('base64url');
    await service.database.query('UPDATE sessions SET refresh_token_hash = sha256($2::bytea) WHERE id = $1', [
      sid,
      Buffer.from(old),
    ]);
    const { body } = await refresh(old);
    await service.database.query(`UPDATE sessions SET last_used_at = now() - interval '11 s' WHERE id = $1`, [
      sid,
    ]);
    expectProblem(await refresh(old), 401);
    expectProblem(await refresh(body.refreshToken), 401);
  });

  it('returns 401 for the same token with another last bit', async () => {
    const { account } = await service.signUp();
    const last = account.refreshToken.at(-1)!;
    const changed = account.refreshToken.slice(0, -1) + (last === 'A' ? 'B' : 'A');
    expectProblem(await refresh(changed), 401);
  });

  it.each([
    ['an empty token', { refreshToken: '' }, ['refreshToken']],
    ['a token of 513 characters', { refreshToken: 'x'.repeat(513) }, ['refreshToken']],
    ['a token that is a number', { refreshToken: 1 }, ['refreshToken']],
    ['no token', {}, ['refreshToken']],
    ['an unknown field', { refreshToken: 'x', scope: 'all' }, ['scope']],
    ['null', null, ['']],
  ])('returns 422 for %s', async (_name, body, paths) => {
    expect(expectProblem(await anonymous.post('/auth/refresh', body), 422).paths).toEqual(paths);
  });
});

describe('JWT_ACCESS_TTL and JWT_REFRESH_TTL', () => {
  it('are the lifetimes of the access token and of the session', async () => {
    const DATABASE_URL = service.database.url;
    const program = Program.start({ DATABASE_URL, JWT_ACCESS_TTL: '2m', JWT_REFRESH_TTL: '1h' });
    try {
      const client = new ApiClient(await program.listening());
      const before = Date.now();
      const { body } = await client.post('/auth/register', {
        email: randomEmail(),
        password: 'correct horse battery',
      });
      expect(body.expiresIn).toBe(120);
      const { claims } = readJwt(body.accessToken);
      expect(Number(claims['exp']) - Number(claims['iat'])).toBe(120);
      const [session] = await sessionsOf(body.user.id);
      expect(session!.expires_at.getTime()).toBeGreaterThanOrEqual(before + 3_600_000);
      expect(session!.expires_at.getTime()).toBeLessThanOrEqual(Date.now() + 3_600_000);
    } finally {
      await program.stop();
    }
  });
});

/** Moves a time of the token's session into the past, in place of waiting. */
async function backdate(
  accessToken: string,
  column: 'last_used_at' | 'expires_at',
  by: string,
): Promise<void> {
  await service.database.query(`UPDATE sessions SET ${column} = ${column} - $2::interval WHERE id = $1`, [
    sessionIdOf(accessToken),
    by,
  ]);
}

function sessionsOf(userId: string): Promise<{ id: string; expires_at: Date }[]> {
  return service.database.query('SELECT id, expires_at FROM sessions WHERE user_id = $1', [userId]);
}
