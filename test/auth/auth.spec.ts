import { createHash, createHmac, randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { hash } from '@node-rs/argon2';
import { startApp, TEST_SECRET, type TestApp } from '../harness/app.js';
import { ApiClient, randomEmail } from '../harness/client.js';
import { expectProblem } from '../harness/problem.js';
import { Program } from '../harness/program.js';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const PASSWORD = 'correct horse battery';

/** A race is lost or won by chance: enough tries to see both orders. */
const RACES = 8;

let service: TestApp;
let anonymous: ApiClient;
beforeAll(async () => {
  service = await startApp({ ARGON2_MEMORY_KIB: '19456', ARGON2_TIME_COST: '2' });
  anonymous = service.anonymous;
});
afterAll(() => service.close());

const SIGNED_IN = {
  user: {
    id: expect.stringMatching(UUID),
    email: expect.any(String),
    displayName: null,
    timezone: 'UTC',
    createdAt: expect.stringMatching(INSTANT),
    updatedAt: expect.stringMatching(INSTANT),
  },
  accessToken: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/),
  tokenType: 'Bearer',
  expiresIn: 900,
  refreshToken: expect.stringMatching(/^[\w-]{43,}$/),
};

describe('POST /auth/register', () => {
  it('answers 201 with the user and a pair of tokens, and nothing else', async () => {
    const email = randomEmail();
    const { status, body } = await anonymous.post('/auth/register', { email, password: PASSWORD });
    expect(status).toBe(201);
    expect(body).toEqual({ ...SIGNED_IN, user: { ...SIGNED_IN.user, email } });
  });

  it('signs in: the access token is good at once', async () => {
    const ada = await service.signUp();
    expect((await ada.get('/users/me')).body.email).toBe(ada.account.email);
  });

  it('issues an HS256 token with the claims sub sid iss aud iat exp jti', async () => {
    const { account } = await service.signUp();
    const { header, claims } = read(account.accessToken);
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

  it('keeps the password as argon2id and the refresh token as its SHA-256', async () => {
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

  it('takes the password as it is, blanks and all', async () => {
    const { account } = await service.signUp({ password: '  blanks count  ' });
    const { email } = account;
    expect((await anonymous.post('/auth/login', { email, password: account.password })).status).toBe(200);
    expect((await anonymous.post('/auth/login', { email, password: 'blanks count' })).status).toBe(401);
  });

  it('answers 409 when the e-mail is taken, in whatever case', async () => {
    const { account } = await service.signUp();
    for (const email of [account.email, account.email.toUpperCase(), ` ${account.email} `]) {
      expectProblem(await anonymous.post('/auth/register', { email, password: PASSWORD }), 409);
    }
    expect(await countUsers(account.email)).toBe(1);
  });

  it('answers one of two registrations at the same instant with 201 and the other with 409', async () => {
    for (let race = 0; race < RACES; race++) {
      const email = randomEmail();
      const answers = await Promise.all([
        anonymous.post('/auth/register', { email, password: PASSWORD }),
        anonymous.post('/auth/register', { email: email.toUpperCase(), password: PASSWORD }),
      ]);
      const [won, lost] = answers.sort((a, b) => a.status - b.status);
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
  ])('takes a password of %s', async (_name, password) => {
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
  ])('answers 422 to %s', async (_name, body, path) => {
    expect(expectProblem(await anonymous.post('/auth/register', body), 422).paths).toEqual([path]);
  });

  it('names every fault at once', async () => {
    const answer = await anonymous.post('/auth/register', {
      email: 'nobody',
      password: 'short',
      role: 'admin',
    });
    expect([...expectProblem(answer, 422).paths].sort()).toEqual(['email', 'password', 'role']);
  });

  it('never sends a password back, not even in a refusal', async () => {
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

describe('POST /auth/login', () => {
  it('answers 200 with the user and a pair of tokens of a new session', async () => {
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
    expect(await sessionsOf(account.userId)).toHaveLength(2);
  });

  it('takes the e-mail in any case, with blanks around it', async () => {
    const { account } = await service.signUp();
    const email = ` ${account.email.toUpperCase()} `;
    expect((await anonymous.post('/auth/login', { email, password: account.password })).status).toBe(200);
  });

  it('answers 401 with one and the same body to an unknown e-mail and to a wrong password', async () => {
    const { account } = await service.signUp();
    const unknown = await anonymous.post('/auth/login', { email: randomEmail(), password: account.password });
    const wrong = await anonymous.post('/auth/login', { email: account.email, password: 'wrong password' });
    expectProblem(unknown, 401);
    expectProblem(wrong, 401);
    expect({ ...wrong.body, requestId: '' }).toEqual({ ...unknown.body, requestId: '' });
    expect(headerNames(wrong)).toEqual(headerNames(unknown));
  });

  it('answers 401 to the password in another case', async () => {
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
    ['an e-mail that is none', { email: 'somebody', password: PASSWORD }, ['email']],
    ['an e-mail that is an object', { email: { $ne: null }, password: PASSWORD }, ['email']],
    ['an unknown field', { email, password: PASSWORD, remember: true }, ['remember']],
    ['null', null, ['']],
    ['an array', [{ email, password: PASSWORD }], ['']],
    ['nothing', undefined, ['']],
  ])('answers 422 to %s', async (_name, body, paths) => {
    expect(expectProblem(await anonymous.post('/auth/login', body), 422).paths).toEqual(paths);
  });

  it('renews a hash that was made with less than what is configured, and leaves the rest of the user', async () => {
    const { account } = await service.signUp();
    const weak = await hash(account.password, { memoryCost: 1024, timeCost: 1, parallelism: 1 });
    await service.database.query('UPDATE users SET password_hash = $2 WHERE id = $1', [account.userId, weak]);
    const before = (await anonymous.as(account).get('/users/me')).body;
    // Several at once: whichever renews the hash, none is refused for it.
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

  it('leaves a weak hash as it is when the password is wrong', async () => {
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

  it('never sends a password back', async () => {
    const password = 'a-very-secret-password';
    const { account } = await service.signUp({ password });
    const right = await anonymous.post('/auth/login', { email: account.email, password });
    const wrong = await anonymous.post('/auth/login', { email: randomEmail(), password });
    for (const { text } of [right, wrong]) expect(text).not.toMatch(/a-very-secret|argon2/);
  });
});

describe('POST /auth/refresh', () => {
  const refresh = (refreshToken: unknown) => anonymous.post('/auth/refresh', { refreshToken });

  it('answers 200 with a new pair of the same session', async () => {
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

  it('goes on from token to token', async () => {
    let { refreshToken } = (await service.signUp()).account;
    for (let turn = 0; turn < 4; turn++) {
      const { status, body } = await refresh(refreshToken);
      expect(status).toBe(200);
      refreshToken = body.refreshToken;
    }
  });

  it('answers 401 to a spent token within 10 s, and the session lives', async () => {
    const { account } = await service.signUp();
    const next = (await refresh(account.refreshToken)).body;
    expectProblem(await refresh(account.refreshToken), 401);
    expect((await anonymous.withToken(next.accessToken).get('/users/me')).status).toBe(200);
    expect((await refresh(next.refreshToken)).status).toBe(200);
  });

  it('ends the session when a spent token is presented after 10 s', async () => {
    const { account } = await service.signUp();
    const next = (await refresh(account.refreshToken)).body;
    await backdate(account.accessToken, 'last_used_at', '11 seconds');
    expectProblem(await refresh(account.refreshToken), 401);
    expectProblem(await anonymous.withToken(next.accessToken).get('/users/me'), 401);
    expectProblem(await anonymous.withToken(account.accessToken).get('/users/me'), 401);
    expectProblem(await refresh(next.refreshToken), 401);
  });

  it('leaves the other sessions of the user alone when it ends one', async () => {
    const { account } = await service.signUp();
    const other = await anonymous.post('/auth/login', { email: account.email, password: account.password });
    await refresh(account.refreshToken);
    await backdate(account.accessToken, 'last_used_at', '11 seconds');
    expectProblem(await refresh(account.refreshToken), 401);
    expect((await anonymous.withToken(other.body.accessToken).get('/users/me')).status).toBe(200);
    expect((await refresh(other.body.refreshToken)).status).toBe(200);
  });

  it('ends the session when a token is presented whose successor is spent too, within 10 s or not', async () => {
    const { account } = await service.signUp();
    const second = (await refresh(account.refreshToken)).body;
    const third = (await refresh(second.refreshToken)).body;
    expectProblem(await refresh(account.refreshToken), 401);
    expectProblem(await refresh(third.refreshToken), 401);
    expectProblem(await anonymous.withToken(third.accessToken).get('/users/me'), 401);
  });

  it('lets one of two refreshes of one token at the same instant win, and the session lives', async () => {
    for (let race = 0; race < RACES; race++) {
      const { account } = await service.signUp();
      const answers = await Promise.all([refresh(account.refreshToken), refresh(account.refreshToken)]);
      const [won, lost] = answers.sort((a, b) => a.status - b.status);
      expect(won.status).toBe(200);
      expectProblem(lost, 401);
      expect((await refresh(won.body.refreshToken)).status).toBe(200);
    }
  });

  it('answers 401 when the session has expired', async () => {
    const { account } = await service.signUp();
    await backdate(account.accessToken, 'expires_at', '31 days');
    expectProblem(await refresh(account.refreshToken), 401);
  });

  it('prolongs the session with each use', async () => {
    const { account } = await service.signUp();
    await backdate(account.accessToken, 'expires_at', '29 days');
    await refresh(account.refreshToken);
    const [session] = await sessionsOf(account.userId);
    expect(session!.expires_at.getTime()).toBeGreaterThan(Date.now() + 29 * 86_400_000);
  });

  it.each([
    ['one of another form', 'abc'],
    ['one of the right form and no session', Buffer.alloc(48, 1).toString('base64url')],
    ['an access token', 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl'],
    ['one with a NUL', 'abc\u0000def'],
    ["an attempt at SQL's quotes", "' OR '1'='1"],
  ])('answers 401 to %s', async (_name, token) => {
    expectProblem(await refresh(token), 401);
  });

  it.each([
    ['without a MAC, as tokens of before', 48],
    ['with a MAC', 64],
  ])(
    'answers 401 to a token made up for a known session, %s, and the session lives',
    async (_form, length) => {
      const { account } = await service.signUp();
      const { sid } = read(account.accessToken).claims as { sid: string };
      const forged = Buffer.alloc(length, 7);
      forged.write(sid.replaceAll('-', ''), 'hex');
      expectProblem(await refresh(forged.toString('base64url')), 401);
      expect((await anonymous.withToken(account.accessToken).get('/users/me')).status).toBe(200);
      expect((await refresh(account.refreshToken)).status).toBe(200);
    },
  );

  it('takes a token of the release before, which has no MAC, and punishes its reuse', async () => {
    const { account } = await service.signUp();
    const { sid } = read(account.accessToken).claims as { sid: string };
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

  it('answers 401 to the same token with another last bit, and tells it from the real one', async () => {
    const { account } = await service.signUp();
    const last = account.refreshToken.at(-1)!;
    const changed = account.refreshToken.slice(0, -1) + (last === 'A' ? 'B' : 'A');
    expectProblem(await refresh(changed), 401);
  });

  it.each([
    ['an empty one', { refreshToken: '' }, ['refreshToken']],
    ['one of 513 characters', { refreshToken: 'x'.repeat(513) }, ['refreshToken']],
    ['a number', { refreshToken: 1 }, ['refreshToken']],
    ['none', {}, ['refreshToken']],
    ['an unknown field', { refreshToken: 'x', scope: 'all' }, ['scope']],
    ['null', null, ['']],
  ])('answers 422 to %s', async (_name, body, paths) => {
    expect(expectProblem(await anonymous.post('/auth/refresh', body), 422).paths).toEqual(paths);
  });
});

describe('POST /auth/logout', () => {
  it('answers 204 and ends the session at once, for both of its tokens', async () => {
    const ada = await service.signUp();
    const { status, text } = await ada.post('/auth/logout');
    expect({ status, text }).toEqual({ status: 204, text: '' });
    expectProblem(await ada.get('/users/me'), 401);
    expectProblem(await ada.post('/auth/logout'), 401);
    expectProblem(await anonymous.post('/auth/refresh', { refreshToken: ada.account.refreshToken }), 401);
  });

  it('ends the access tokens that the session had before its last refresh', async () => {
    const ada = await service.signUp();
    const { body } = await anonymous.post('/auth/refresh', { refreshToken: ada.account.refreshToken });
    await ada.withToken(body.accessToken).post('/auth/logout');
    expectProblem(await ada.get('/users/me'), 401);
  });

  it('leaves the other sessions of the user', async () => {
    const ada = await service.signUp();
    const { email, password } = ada.account;
    const other = await anonymous.post('/auth/login', { email, password });
    await ada.post('/auth/logout');
    expect((await ada.withToken(other.body.accessToken).get('/users/me')).status).toBe(200);
  });

  it('lets the user sign in again', async () => {
    const ada = await service.signUp();
    await ada.post('/auth/logout');
    const { email, password } = ada.account;
    expect((await anonymous.post('/auth/login', { email, password })).status).toBe(200);
  });
});

describe('a session that another replica ended', () => {
  it('is refused here too', async () => {
    const ada = await service.signUp();
    expect((await ada.get('/users/me')).status).toBe(200);
    await service.database.query('UPDATE sessions SET ended_at = now() WHERE user_id = $1', [
      ada.account.userId,
    ]);
    await until(async () => (await ada.get('/users/me')).status === 401);
  });
});

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

  it.each(PROTECTED)('is needed for %s %s', async (method, path) => {
    const answer = await anonymous.request(method, path);
    expectProblem(answer, 401);
    expect(answer.headers.get('www-authenticate')).toBe('Bearer');
  });

  let ada: ApiClient;
  beforeAll(async () => {
    ada = await service.signUp();
  });

  const NOW = Math.floor(Date.now() / 1000);
  const IN_AN_HOUR = NOW + 3600;
  type Forge = (header: Part, claims: Part) => string;
  it.each<[string, Forge]>([
    [
      'expired',
      (header, claims) => sign(header, { ...claims, iat: IN_AN_HOUR - 9000, exp: IN_AN_HOUR - 7200 }),
    ],
    [
      'expired by more than the 5 s that clocks may differ',
      (header, claims) => sign(header, { ...claims, exp: NOW - 7 }),
    ],
    [
      'older than JWT_ACCESS_TTL, whatever it says of its end',
      (header, claims) => sign(header, { ...claims, iat: NOW - 907, exp: IN_AN_HOUR }),
    ],
    ['issued in the future', (header, claims) => sign(header, { ...claims, iat: NOW + 60 })],
    ['without the time of its issue', (header, claims) => sign(header, { ...claims, iat: undefined })],
    ['whose end is text', (header, claims) => sign(header, { ...claims, exp: String(IN_AN_HOUR) })],
    ['whose issue is text', (header, claims) => sign(header, { ...claims, iat: String(NOW) })],
    ['not valid yet', (header, claims) => sign(header, { ...claims, nbf: IN_AN_HOUR })],
    ['of alg none, unsigned', (header, claims) => unsigned({ ...header, alg: 'none' }, claims)],
    ['of alg None, unsigned', (header, claims) => unsigned({ ...header, alg: 'None' }, claims)],
    ['of alg none, signed', (header, claims) => sign({ ...header, alg: 'none' }, claims)],
    ['of alg HS256, unsigned', (header, claims) => unsigned(header, claims)],
    [
      'signed by another secret',
      (header, claims) => sign(header, claims, 'another-secret-0123456789abcdefghijklmn'),
    ],
    ['signed by the empty secret', (header, claims) => sign(header, claims, '')],
    [
      'signed with HS512',
      (header, claims) => sign({ ...header, alg: 'HS512' }, claims, TEST_SECRET, 'sha512'),
    ],
    ['signed with an unknown key', (header, claims) => sign({ ...header, kid: 'unknown' }, claims)],
    [
      'signed with a key that is no name',
      (header, claims) => sign({ ...header, kid: ['__proto__'] }, claims),
    ],
    ['of another issuer', (header, claims) => sign(header, { ...claims, iss: 'somebody' })],
    ['of no issuer', (header, claims) => sign(header, { ...claims, iss: undefined })],
    ['for another audience', (header, claims) => sign(header, { ...claims, aud: 'somebody' })],
    ['for no audience', (header, claims) => sign(header, { ...claims, aud: undefined })],
    ['of no session', (header, claims) => sign(header, { ...claims, sid: undefined })],
    ['of a session that is no UUID', (header, claims) => sign(header, { ...claims, sid: "' OR true" })],
    ['of no user', (header, claims) => sign(header, { ...claims, sub: undefined })],
    ['of a user that is no UUID', (header, claims) => sign(header, { ...claims, sub: 'admin' })],
    ['that never expires', (header, claims) => sign(header, { ...claims, exp: undefined })],
    ['without an id', (header, claims) => sign(header, { ...claims, jti: undefined })],
    [
      'whose claims were changed',
      (header, claims) => changeClaims(sign(header, claims), { sub: randomUUID() }),
    ],
    ['without a signature', (header, claims) => sign(header, claims).split('.').slice(0, 2).join('.')],
    ['that is no JWT', () => 'abc'],
    ['that is three dots', () => '...'],
    ['whose header is null', (_header, claims) => sign(null, claims)],
  ])('answers 401 to one %s', async (_name, forge) => {
    const { header, claims } = read(ada.account.accessToken);
    // The same by the right secret is good: what is refused below is refused for its one difference.
    expect((await anonymous.withToken(sign(header, claims)).get('/users/me')).status).toBe(200);

    const answer = await anonymous.withToken(forge(header, claims)).get('/users/me');
    expectProblem(answer, 401);
    expect(answer.headers.get('www-authenticate')).toBe('Bearer error="invalid_token"');
  });

  it('is taken for 5 s past its end, by which clocks may differ', async () => {
    const { header, claims } = read(ada.account.accessToken);
    const ended = sign(header, { ...claims, exp: Math.floor(Date.now() / 1000) - 2 });
    expect((await anonymous.withToken(ended).get('/users/me')).status).toBe(200);
  });

  it('brings no key of its own: jwk, jku and x5u count for nothing', async () => {
    const { header, claims } = read(ada.account.accessToken);
    const own = 'a-secret-of-the-attacker-0123456789abcdef';
    const jwk = { kty: 'oct', k: Buffer.from(own).toString('base64url') };
    const forged = { ...header, jwk, jku: `${service.url}/keys`, x5u: `${service.url}/keys` };
    expectProblem(await anonymous.withToken(sign(forged, claims, own)).get('/users/me'), 401);
  });

  it.each([
    ['no scheme', (token: string) => token],
    ['the scheme Basic', (token: string) => `Basic ${token}`],
    ['the scheme alone', () => 'Bearer'],
    ['an empty value', () => ''],
  ])('answers 401 to an Authorization header with %s', async (_name, header) => {
    expectProblem(await anonymous.get('/users/me', { authorization: header(ada.account.accessToken) }), 401);
  });

  it('is not taken from the query or a cookie', async () => {
    const { accessToken } = ada.account;
    expectProblem(await anonymous.get(`/users/me?access_token=${accessToken}`), 401);
    expectProblem(await anonymous.get('/users/me', { cookie: `access_token=${accessToken}` }), 401);
  });

  it('answers 401 when its user no longer exists', async () => {
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

  it('leaves tokens good while JWT_SECRET_PREVIOUS names the old one, and ends them when it does not', async () => {
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
      const { header, claims } = read(body.accessToken);
      expect(body.accessToken).toBe(sign(header, claims, NEW_SECRET));
      expect((await withoutPrevious.withToken(body.accessToken).get('/users/me')).status).toBe(200);
    } finally {
      await Promise.all([rotated.stop(), forgetful.stop()]);
    }
  });
});

describe('JWT_ACCESS_TTL and JWT_REFRESH_TTL', () => {
  it('are the lives of access token and session', async () => {
    const DATABASE_URL = service.database.url;
    const program = Program.start({ DATABASE_URL, JWT_ACCESS_TTL: '2m', JWT_REFRESH_TTL: '1h' });
    try {
      const client = new ApiClient(await program.listening());
      const before = Date.now();
      const { body } = await client.post('/auth/register', { email: randomEmail(), password: PASSWORD });
      expect(body.expiresIn).toBe(120);
      const { claims } = read(body.accessToken);
      expect(Number(claims['exp']) - Number(claims['iat'])).toBe(120);
      const [session] = await sessionsOf(body.user.id);
      expect(session!.expires_at.getTime()).toBeGreaterThanOrEqual(before + 3_600_000);
      expect(session!.expires_at.getTime()).toBeLessThanOrEqual(Date.now() + 3_600_000);
    } finally {
      await program.stop();
    }
  });
});

type Part = Readonly<Record<string, unknown>>;

function read(token: string): { header: Part; claims: Part } {
  const [header, claims] = token
    .split('.')
    .slice(0, 2)
    .map((part) => JSON.parse(Buffer.from(part, 'base64url').toString()) as Part);
  return { header: header!, claims: claims! };
}

/** Signs by hand, as RFC 7515 has it, so that what is tested has no say in it. */
function sign(header: Part | null, claims: Part, secret = TEST_SECRET, hash = 'sha256'): string {
  const input = [header, claims]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.');
  return `${input}.${createHmac(hash, secret).update(input).digest('base64url')}`;
}

function unsigned(header: Part, claims: Part): string {
  return sign(header, claims).replace(/[^.]+$/, '');
}

function changeClaims(token: string, change: Part): string {
  const [header, claims, signature] = token.split('.');
  const changed = { ...(JSON.parse(Buffer.from(claims!, 'base64url').toString()) as Part), ...change };
  return [header, Buffer.from(JSON.stringify(changed)).toString('base64url'), signature].join('.');
}

function sessionIdOf(accessToken: string): string {
  return String(read(accessToken).claims['sid']);
}

function emailOfLength(length: number): string {
  const domain = `${'d'.repeat(60)}.`.repeat(3);
  return `${'a'.repeat(length - domain.length - '@org'.length)}@${domain}org`;
}

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

function headerNames({ headers }: { headers: Headers }): string[] {
  return [...headers.keys()].sort();
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error('it did not come to hold within 10 s');
    await sleep(20);
  }
}
