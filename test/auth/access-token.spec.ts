import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startService, type TestService } from '../harness/http/service.js';
import { TEST_SECRET } from '../harness/test-secret.js';
import { ApiClient } from '../harness/http/client.js';
import { changeClaims, readJwt, signJwt, unsignedJwt, type JwtPart } from '../harness/http/jwt.js';
import { expectProblem } from '../harness/http/problem.js';
import { Program } from '../harness/programs/program.js';

let service: TestService;
let anonymous: ApiClient;
beforeAll(async () => {
  service = await startService();
  anonymous = service.anonymous;
});
afterAll(() => service.close());

describe('an access token', () => {
  const PROTECTED = [
    ['POST', '/auth/logout'],
    ['POST', '/auth/logout-all'],
    ['GET', '/auth/sessions'],
    ['DELETE', `/auth/sessions/${randomUUID()}`],
    ['PUT', '/users/me/password'],
    ['DELETE', '/users/me'],
    ['GET', '/users/me/export'],
    ['GET', '/users/me'],
    ['PATCH', '/users/me'],
    ['GET', '/entries'],
    ['POST', '/entries'],
    ['GET', '/entries/trash'],
    ['GET', `/entries/${randomUUID()}`],
    ['PATCH', `/entries/${randomUUID()}`],
    ['DELETE', `/entries/${randomUUID()}`],
    ['POST', `/entries/${randomUUID()}/restore`],
  ] as const;

  it.each(PROTECTED)('is required by %s %s', async (method, path) => {
    const response = await anonymous.request(method, path);
    expectProblem(response, 401);
    expect(response.headers.get('www-authenticate')).toBe('Bearer');
  });

  let ada: ApiClient;
  beforeAll(async () => {
    ada = await service.signUp();
  });

  const NOW = Math.floor(Date.now() / 1000);
  const IN_AN_HOUR = NOW + 3600;
  type Forge = (header: JwtPart, claims: JwtPart) => string;
  const withClaims =
    (change: JwtPart): Forge =>
    (header, claims) =>
      signJwt(header, { ...claims, ...change });
  const withHeader =
    (change: JwtPart, hash?: string): Forge =>
    (header, claims) =>
      signJwt({ ...header, ...change }, claims, TEST_SECRET, hash);
  const withSecret =
    (secret: string): Forge =>
    (header, claims) =>
      signJwt(header, claims, secret);
  const unsigned =
    (change: JwtPart): Forge =>
    (header, claims) =>
      unsignedJwt({ ...header, ...change }, claims);

  it.each<[string, Forge]>([
    ['expired', withClaims({ iat: IN_AN_HOUR - 9000, exp: IN_AN_HOUR - 7200 })],
    ['expired by more than the 5 s that clocks may differ', withClaims({ exp: NOW - 7 })],
    ['older than JWT_ACCESS_TTL, though it expires later', withClaims({ iat: NOW - 907, exp: IN_AN_HOUR })],
    ['issued in the future', withClaims({ iat: NOW + 60 })],
    ['without iat', withClaims({ iat: undefined })],
    ['of an exp that is text', withClaims({ exp: String(IN_AN_HOUR) })],
    ['of an iat that is text', withClaims({ iat: String(NOW) })],
    ['not valid yet', withClaims({ nbf: IN_AN_HOUR })],
    ['of another issuer', withClaims({ iss: 'somebody' })],
    ['of no issuer', withClaims({ iss: undefined })],
    ['for another audience', withClaims({ aud: 'somebody' })],
    ['for no audience', withClaims({ aud: undefined })],
    ['of no session', withClaims({ sid: undefined })],
    ['of a session that is not a UUID', withClaims({ sid: "' OR true" })],
    ['of no user', withClaims({ sub: undefined })],
    ['of a user that is not a UUID', withClaims({ sub: 'admin' })],
    ['without exp', withClaims({ exp: undefined })],
    ['without jti', withClaims({ jti: undefined })],
    ['of alg none, unsigned', unsigned({ alg: 'none' })],
    ['of alg None, unsigned', unsigned({ alg: 'None' })],
    ['of alg none, signed', withHeader({ alg: 'none' })],
    ['of alg HS256, unsigned', unsigned({})],
    ['signed with HS512', withHeader({ alg: 'HS512' }, 'sha512')],
    ['signed with an unknown key', withHeader({ kid: 'unknown' })],
    ['signed with a key whose name is not text', withHeader({ kid: ['__proto__'] })],
    ['signed with another secret', withSecret('another-secret-0123456789abcdefghijklmn')],
    ['signed with the empty secret', withSecret('')],
    [
      'signed before its claims were changed',
      (...token) => changeClaims(signJwt(...token), { sub: randomUUID() }),
    ],
    [
      'without a signature',
      (...token) =>
        signJwt(...token)
          .split('.')
          .slice(0, 2)
          .join('.'),
    ],
    ['not a JWT', () => 'abc'],
    ['three dots', () => '...'],
    ['of a header that is null', (_header, claims) => signJwt(null, claims)],
  ])('is refused with 401 when it is %s', async (_name, forge) => {
    const { header, claims } = readJwt(ada.account.accessToken);
    // Signed again without a change, the token is valid: the change is the reason for the 401.
    expect((await anonymous.withToken(signJwt(header, claims)).get('/users/me')).status).toBe(200);

    const response = await anonymous.withToken(forge(header, claims)).get('/users/me');
    expectProblem(response, 401);
    expect(response.headers.get('www-authenticate')).toBe('Bearer error="invalid_token"');
  });

  it('is accepted up to 5 s after it expires, because clocks differ', async () => {
    const { header, claims } = readJwt(ada.account.accessToken);
    const ended = signJwt(header, { ...claims, exp: Math.floor(Date.now() / 1000) - 2 });
    expect((await anonymous.withToken(ended).get('/users/me')).status).toBe(200);
  });

  it('cannot bring its own key: jwk, jku and x5u are ignored', async () => {
    const { header, claims } = readJwt(ada.account.accessToken);
    const own = 'a-secret-of-the-attacker-0123456789abcdef';
    const jwk = { kty: 'oct', k: Buffer.from(own).toString('base64url') };
    const forged = { ...header, jwk, jku: `${service.url}/keys`, x5u: `${service.url}/keys` };
    expectProblem(await anonymous.withToken(signJwt(forged, claims, own)).get('/users/me'), 401);
  });

  it.each([
    ['no scheme', (token: string) => token],
    ['the scheme Basic', (token: string) => `Basic ${token}`],
    ['the scheme alone', () => 'Bearer'],
    ['an empty value', () => ''],
  ])('returns 401 for an Authorization header with %s', async (_name, header) => {
    expectProblem(await anonymous.get('/users/me', { authorization: header(ada.account.accessToken) }), 401);
  });

  it('is not read from the query or a cookie', async () => {
    const { accessToken } = ada.account;
    expectProblem(await anonymous.get(`/users/me?access_token=${accessToken}`), 401);
    expectProblem(await anonymous.get('/users/me', { cookie: `access_token=${accessToken}` }), 401);
  });

  it('is refused with 401 when its user no longer exists', async () => {
    const bob = await service.signUp();
    await service.database.query('DELETE FROM users WHERE id = $1', [bob.account.userId]);
    expectProblem(await bob.get('/users/me'), 401);
    expectProblem(await bob.patch('/users/me', { displayName: 'Bob' }), 401);
    expectProblem(await bob.post('/entries', { text: 'a', mood: 5 }), 401);
  });
});

// Programs, not a second application in this process: Passport keeps its strategies in a module of its own, where the
// last application to start replaces those of the others.
describe('a change of JWT_SECRET', () => {
  const NEW_SECRET = 'the-next-secret-for-tests-9876543210zyxwvut';

  it('keeps tokens valid while JWT_SECRET_PREVIOUS has the old one, and ends them when it does not', async () => {
    const { account } = await service.signUp();
    const DATABASE_URL = service.database.url;
    const rotated = Program.start({ DATABASE_URL, JWT_SECRET: NEW_SECRET, JWT_SECRET_PREVIOUS: TEST_SECRET });
    const forgetful = Program.start({ DATABASE_URL, JWT_SECRET: NEW_SECRET });
    try {
      const withPrevious = new ApiClient(await rotated.listening());
      const withoutPrevious = new ApiClient(await forgetful.listening());
      expect((await withPrevious.as(account).get('/users/me')).status).toBe(200);
      expectProblem(await withoutPrevious.as(account).get('/users/me'), 401);

      const { refreshToken } = account;
      const { body } = await withPrevious.post('/auth/refresh', { refreshToken });
      const { header, claims } = readJwt(body.accessToken);
      expect(body.accessToken).toBe(signJwt(header, claims, NEW_SECRET));
      expect((await withoutPrevious.withToken(body.accessToken).get('/users/me')).status).toBe(200);
    } finally {
      await Promise.all([rotated.stop(), forgetful.stop()]);
    }
  });
});
