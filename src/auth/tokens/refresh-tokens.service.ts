import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { UUID } from 'uuidv7';
import { Config } from '../../config/config.js';

const ID_BYTES = 16;
const SECRET_BYTES = 32;
const MAC_BYTES = 16;

export interface RefreshToken {
  readonly sessionId: string;
  /** SHA-256 of the token, which is stored. The token is random, so a fast hash is enough. */
  readonly hash: Buffer;
}

export interface PresentedRefreshToken extends RefreshToken {
  /** Whether the MAC proves that it was issued here. False for tokens of releases up to 0.1, which have no MAC. */
  readonly isAuthentic: boolean;
}

/**
 * Refresh tokens: base64url of the session id, 256 random bits, and a MAC of both. Only the newest two hashes are
 * stored, so the MAC distinguishes older tokens, whose reuse ends the session, from forged ones.
 */
@Injectable()
export class RefreshTokensService {
  private readonly keys: readonly Buffer[];

  constructor(config: Config) {
    this.keys = [config.JWT_SECRET, config.JWT_SECRET_PREVIOUS]
      .filter((secret) => secret !== undefined)
      .map((secret) => createHmac('sha256', secret).update('refresh token').digest());
  }

  issue(sessionId: string): RefreshToken & { readonly token: string } {
    const content = Buffer.concat([UUID.parse(sessionId).bytes, randomBytes(SECRET_BYTES)]);
    const [key = Buffer.alloc(0)] = this.keys;
    const token = Buffer.concat([content, macOf(content, key)]).toString('base64url');
    return { token, sessionId, hash: hashOf(token) };
  }

  /** Undefined for malformed and forged tokens. */
  read(token: string): PresentedRefreshToken | undefined {
    const bytes = Buffer.from(token, 'base64url');
    if (bytes.toString('base64url') !== token) return undefined;
    const [content, mac] = [
      bytes.subarray(0, ID_BYTES + SECRET_BYTES),
      bytes.subarray(ID_BYTES + SECRET_BYTES),
    ];
    const hasMac = mac.length === MAC_BYTES;
    if (content.length !== ID_BYTES + SECRET_BYTES || (!hasMac && mac.length > 0)) return undefined;
    const isAuthentic = hasMac && this.keys.some((key) => timingSafeEqual(mac, macOf(content, key)));
    if (hasMac && !isAuthentic) return undefined;
    const sessionId = UUID.ofInner(content.subarray(0, ID_BYTES)).toString();
    return { sessionId, hash: hashOf(token), isAuthentic };
  }
}

function macOf(content: Buffer, key: Buffer): Buffer {
  return createHmac('sha256', key).update(content).digest().subarray(0, MAC_BYTES);
}

function hashOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
