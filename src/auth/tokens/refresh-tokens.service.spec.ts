import { createHash } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { loadConfig } from '../../config/config.js';
import { RefreshTokensService } from './refresh-tokens.service.js';

const SECRET = 'a-secret-for-tests-0123456789abcdefghij';
const NEXT_SECRET = 'the-secret-after-it-0123456789abcdefghij';

function refreshTokens(secret = SECRET, previousSecret?: string): RefreshTokensService {
  return new RefreshTokensService(
    loadConfig({
      DATABASE_URL: 'postgres://localhost/entries',
      JWT_SECRET: secret,
      JWT_SECRET_PREVIOUS: previousSecret,
    }),
  );
}
const tokens = refreshTokens();

const SESSION = '0195503c-7d7e-7b6c-9a4e-0f2f6d1c2b3a';

describe('issue', () => {
  it('issues a token that is read back as its session and hash', () => {
    const { token, sessionId, hash } = tokens.issue(SESSION);
    expect(sessionId).toBe(SESSION);
    expect(tokens.read(token)).toEqual({ sessionId, hash, isAuthentic: true });
  });

  it('stores SHA-256 of the whole token, never the token', () => {
    const { token, hash } = tokens.issue(SESSION);
    expect(hash).toEqual(createHash('sha256').update(token).digest());
  });

  it('adds 256 random bits to the id', () => {
    const secrets = Array.from({ length: 50 }, () =>
      Buffer.from(tokens.issue(SESSION).token, 'base64url').subarray(16, 48),
    );
    expect(new Set(secrets.map((secret) => secret.length))).toEqual(new Set([32]));
    expect(new Set(secrets.map((secret) => secret.toString('hex'))).size).toBe(50);
    const bitsEverSet = Array.from({ length: 32 }, (_, at) =>
      secrets.reduce((bits, secret) => bits | secret[at]!, 0),
    );
    expect(new Set(bitsEverSet)).toEqual(new Set([0xff]));
  });

  it('needs no escaping in JSON or a URL', () => {
    expect(tokens.issue(SESSION).token).toMatch(/^[\w-]{86}$/);
  });
});

describe('read', () => {
  const { token, hash } = tokens.issue(SESSION);
  const bytes = Buffer.from(token, 'base64url');

  it.each([
    ['nothing', ''],
    ['a word', 'refresh'],
    ['one character too few', token.slice(1)],
    ['one character too many', `${token}A`],
    ['padding', `${token}=`],
    ['white space around it', ` ${token} `],
    ['a line end', `${token}\n`],
    ['an access token', 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.AAAA'],
    ['another alphabet', bytes.toString('hex')],
    ['standard base64', Buffer.alloc(64, 0xfb).toString('base64')],
    [
      'the id of another session',
      Buffer.concat([Buffer.alloc(16, 0x55), bytes.subarray(16)]).toString('base64url'),
    ],
  ])('rejects %s', (_what, forged) => {
    expect(tokens.read(forged)).toBeUndefined();
  });

  it('rejects a token of which any byte is changed', () => {
    for (let at = 0; at < token.length; at++) {
      const forged = token.slice(0, at) + (token[at] === 'A' ? 'B' : 'A') + token.slice(at + 1);
      expect(tokens.read(forged)).toBeUndefined();
    }
  });

  it('rejects a token of another secret, and accepts one of the previous secret', () => {
    expect(refreshTokens(NEXT_SECRET).read(token)).toBeUndefined();
    expect(refreshTokens(NEXT_SECRET, SECRET).read(token)).toEqual({
      sessionId: SESSION,
      hash,
      isAuthentic: true,
    });
  });

  it('reads a token without a MAC (release 0.1) as not authentic', () => {
    const old = bytes.subarray(0, 48).toString('base64url');
    expect(tokens.read(old)).toMatchObject({ sessionId: SESSION, isAuthentic: false });
  });
});
