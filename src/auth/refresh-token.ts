import { createHash, randomBytes } from 'node:crypto';
import { parse as uuidParse, stringify as uuidStringify } from 'uuid';

const ID_BYTES = 16;
const SECRET_BYTES = 32;

export interface RefreshToken {
  readonly sessionId: string;
  /** SHA-256 of the token: what is stored. The secret is random, so a fast hash is enough. */
  readonly hash: Buffer;
}

/**
 * base64url of the session's id and 256 random bits. The id makes a spent token of any age recognisable as its
 * session's, although only the newest two hashes are kept.
 */
export function issueRefreshToken(sessionId: string): RefreshToken & { readonly token: string } {
  const token = Buffer.concat([uuidParse(sessionId), randomBytes(SECRET_BYTES)]).toString('base64url');
  return { token, sessionId, hash: hashOf(token) };
}

/** Undefined for what cannot be a token of ours. */
export function readRefreshToken(token: string): RefreshToken | undefined {
  const bytes = Buffer.from(token, 'base64url');
  if (bytes.length !== ID_BYTES + SECRET_BYTES || bytes.toString('base64url') !== token) return undefined;
  try {
    return { sessionId: uuidStringify(bytes.subarray(0, ID_BYTES)), hash: hashOf(token) };
  } catch {
    return undefined;
  }
}

function hashOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
