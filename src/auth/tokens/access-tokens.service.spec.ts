import { JwtService } from '@nestjs/jwt';
import { describe, expect, it } from '@jest/globals';
import { loadConfig } from '../../config/config.js';
import { AccessTokensService } from './access-tokens.service.js';

const USER = '0195503c-7d7e-7b6c-9a4e-0f2f6d1c2b3a';
const SESSION = '0195503c-8000-7b6c-9a4e-0f2f6d1c2b3a';
const SECRET = 'a-secret-for-tests-0123456789abcdefghij';
const NEXT_SECRET = 'the-secret-after-it-0123456789abcdefghij';

const jwt = new JwtService();

function accessTokens(secret: string, previousSecret?: string): AccessTokensService {
  return new AccessTokensService(
    jwt,
    loadConfig({
      DATABASE_URL: 'postgres://localhost/entries',
      JWT_SECRET: secret,
      JWT_SECRET_PREVIOUS: previousSecret,
      JWT_ACCESS_TTL: '5m',
    }),
  );
}

function segment(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

describe('an access token', () => {
  it('is signed with HS256 and JWT_SECRET', async () => {
    const token = await accessTokens(SECRET).sign(USER, SESSION);
    expect(jwt.decode(token, { complete: true })).toMatchObject({ header: { alg: 'HS256', typ: 'JWT' } });
    await expect(jwt.verifyAsync(token, { secret: SECRET, algorithms: ['HS256'] })).resolves.toBeDefined();
    await expect(jwt.verifyAsync(token, { secret: NEXT_SECRET })).rejects.toThrow('invalid signature');
  });

  it('has the claims sub, sid, iss, aud, iat, exp and jti, and no other', async () => {
    const before = Math.floor(Date.now() / 1000);
    const claims = await jwt.verifyAsync<{ iat: number }>(await accessTokens(SECRET).sign(USER, SESSION), {
      secret: SECRET,
    });
    expect(claims).toEqual({
      sub: USER,
      sid: SESSION,
      iss: 'entries',
      aud: 'entries',
      iat: expect.any(Number),
      exp: claims.iat + 300,
      jti: expect.stringMatching(/^[0-9a-f-]{36}$/),
    });
    expect(claims.iat).toBeGreaterThanOrEqual(before);
  });

  it('has a new jti each time', async () => {
    const tokens = accessTokens(SECRET);
    const signed = await Promise.all(Array.from({ length: 20 }, () => tokens.sign(USER, SESSION)));
    expect(new Set(signed.map((token) => jwt.decode(token).jti)).size).toBe(20);
  });

  it('names its secret without revealing it', async () => {
    const token = await accessTokens(SECRET).sign(USER, SESSION);
    const { kid } = jwt.decode(token, { complete: true }).header;
    expect(kid).toMatch(/^[0-9a-f]{16}$/);
    expect(Buffer.from(SECRET).toString('hex')).not.toContain(kid);
  });
});

describe('secretFor', () => {
  it('returns JWT_SECRET for its tokens', async () => {
    const tokens = accessTokens(SECRET);
    expect(
      tokens
        .secretFor(await tokens.sign(USER, SESSION))
        ?.export()
        .toString(),
    ).toBe(SECRET);
  });

  it('returns JWT_SECRET_PREVIOUS for tokens that were signed with it', async () => {
    const old = await accessTokens(SECRET).sign(USER, SESSION);
    const tokens = accessTokens(NEXT_SECRET, SECRET);
    expect(tokens.secretFor(old)?.export().toString()).toBe(SECRET);
    expect(
      tokens
        .secretFor(await tokens.sign(USER, SESSION))
        ?.export()
        .toString(),
    ).toBe(NEXT_SECRET);
  });

  it('returns nothing for a secret that is no longer configured', async () => {
    const old = await accessTokens(SECRET).sign(USER, SESSION);
    expect(accessTokens(NEXT_SECRET).secretFor(old)).toBeUndefined();
  });

  it('returns nothing for a token with critical extensions (crit)', async () => {
    const tokens = accessTokens(SECRET);
    const [head = '', ...rest] = (await tokens.sign(USER, SESSION)).split('.');
    const header = JSON.parse(Buffer.from(head, 'base64url').toString()) as object;
    expect(
      tokens.secretFor([segment({ ...header, crit: ['b64'], b64: false }), ...rest].join('.')),
    ).toBeUndefined();
  });

  it('accepts a previous secret that equals the current one', async () => {
    const tokens = accessTokens(SECRET, SECRET);
    expect(
      tokens
        .secretFor(await tokens.sign(USER, SESSION))
        ?.export()
        .toString(),
    ).toBe(SECRET);
  });

  it.each([
    ['nothing', ''],
    ['no token', 'abc'],
    ['a header that is no JSON', `${Buffer.from('{').toString('base64url')}.a.b`],
    ['a header that is null', `${segment(null)}.a.b`],
    ['a token without kid', `${segment({ alg: 'HS256' })}.a.b`],
    ['alg none without kid', `${segment({ alg: 'none' })}.${segment({ sub: USER })}.`],
    ['a kid that is no text', `${segment({ alg: 'HS256', kid: 7 })}.a.b`],
    ['a kid that is a name of every object', `${segment({ alg: 'HS256', kid: 'constructor' })}.a.b`],
    ['a kid that is a path', `${segment({ alg: 'HS256', kid: '../../dev/null' })}.a.b`],
  ])('returns nothing for %s', (_what, token) => {
    expect(accessTokens(SECRET).secretFor(token)).toBeUndefined();
  });
});
