import { createHash } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { issueRefreshToken, readRefreshToken } from './refresh-token.js';

const SESSION = '0195503c-7d7e-7b6c-9a4e-0f2f6d1c2b3a';

describe('issueRefreshToken', () => {
  it('makes a token that is read back as its session and hash', () => {
    const { token, sessionId, hash } = issueRefreshToken(SESSION);
    expect(sessionId).toBe(SESSION);
    expect(readRefreshToken(token)).toEqual({ sessionId, hash });
  });

  it('stores SHA-256 of the whole token, never the token', () => {
    const { token, hash } = issueRefreshToken(SESSION);
    expect(hash).toEqual(createHash('sha256').update(token).digest());
  });

  it('puts 256 random bits behind the id', () => {
    const secrets = Array.from({ length: 50 }, () =>
      Buffer.from(issueRefreshToken(SESSION).token, 'base64url').subarray(16),
    );
    expect(new Set(secrets.map((secret) => secret.length))).toEqual(new Set([32]));
    expect(new Set(secrets.map((secret) => secret.toString('hex'))).size).toBe(50);
    const bitsEverSet = Array.from({ length: 32 }, (_, at) =>
      secrets.reduce((bits, secret) => bits | secret[at]!, 0),
    );
    expect(new Set(bitsEverSet)).toEqual(new Set([0xff]));
  });

  it('needs no escaping in JSON or a URL', () => {
    expect(issueRefreshToken(SESSION).token).toMatch(/^[\w-]{64}$/);
  });
});

describe('readRefreshToken', () => {
  const { token, hash } = issueRefreshToken(SESSION);
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
    ['standard base64', Buffer.alloc(48, 0xfb).toString('base64')],
    [
      'an id that is no UUID',
      Buffer.concat([Buffer.alloc(16, 0x55), bytes.subarray(16)]).toString('base64url'),
    ],
  ])('takes %s for none of ours', (_what, forged) => {
    expect(readRefreshToken(forged)).toBeUndefined();
  });

  it('gives another hash to a token of which any part is changed', () => {
    for (let at = 0; at < token.length; at++) {
      const forged = token.slice(0, at) + (token[at] === 'A' ? 'B' : 'A') + token.slice(at + 1);
      expect(readRefreshToken(forged)?.hash).not.toEqual(hash);
    }
  });
});
