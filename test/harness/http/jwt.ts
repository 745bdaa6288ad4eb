import { createHmac } from 'node:crypto';
import { TEST_SECRET } from '../test-secret.js';

export type JwtPart = Readonly<Record<string, unknown>>;

export function readJwt(token: string): { header: JwtPart; claims: JwtPart } {
  const [header, claims] = token
    .split('.')
    .slice(0, 2)
    .map((part) => JSON.parse(Buffer.from(part, 'base64url').toString()) as JwtPart);
  return { header: header!, claims: claims! };
}

export function sessionIdOf(accessToken: string): string {
  return String(readJwt(accessToken).claims['sid']);
}

/** Signs as RFC 7515 says, without the code under test. */
export function signJwt(
  header: JwtPart | null,
  claims: JwtPart,
  secret = TEST_SECRET,
  hash = 'sha256',
): string {
  const input = [header, claims]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.');
  return `${input}.${createHmac(hash, secret).update(input).digest('base64url')}`;
}

/** With an empty signature. */
export function unsignedJwt(header: JwtPart, claims: JwtPart): string {
  return signJwt(header, claims).replace(/[^.]+$/, '');
}

/** The same signature over other claims. */
export function changeClaims(token: string, change: JwtPart): string {
  const [header, claims, signature] = token.split('.');
  const changed = { ...(JSON.parse(Buffer.from(claims!, 'base64url').toString()) as JwtPart), ...change };
  return [header, Buffer.from(JSON.stringify(changed)).toString('base64url'), signature].join('.');
}
