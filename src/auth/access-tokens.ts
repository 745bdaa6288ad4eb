import { createHash, createSecretKey, randomUUID, type KeyObject } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { JwtService } from '@nestjs/jwt';
import { Config } from '../config/config.js';

export const ISSUER = 'entries';
export const AUDIENCE = 'entries';

/** Claims of an access token: RFC 7519 §4.1, and `sid` for the session. */
export interface AccessClaims {
  readonly sub: string;
  readonly sid: string;
  readonly jti: string;
  /** Seconds since the epoch, as is `exp`. */
  readonly iat: number;
  readonly exp: number;
}

@Injectable()
export class AccessTokens {
  /** As key objects: from a string, jsonwebtoken tries to make a public key first, which takes 0.4 ms a request. */
  private readonly keys: ReadonlyMap<string, KeyObject>;
  private readonly key: KeyObject;
  private readonly keyId: string;

  constructor(
    private readonly jwt: JwtService,
    private readonly config: Config,
  ) {
    const { secret, previousSecret } = config.jwt;
    this.keyId = keyIdOf(secret);
    this.key = createSecretKey(secret, 'utf8');
    this.keys = new Map(
      [previousSecret, secret]
        .filter((key) => key !== undefined)
        .map((key) => [keyIdOf(key), createSecretKey(key, 'utf8')]),
    );
  }

  sign(userId: string, sessionId: string): Promise<string> {
    return this.jwt.signAsync(
      { sid: sessionId },
      {
        // The types know of no key object here; jsonwebtoken does.
        secret: this.key as unknown as Buffer,
        algorithm: 'HS256',
        keyid: this.keyId,
        subject: userId,
        issuer: ISSUER,
        audience: AUDIENCE,
        jwtid: randomUUID(),
        expiresIn: this.config.jwt.accessTtlSeconds,
      },
    );
  }

  /** The secret that the token's `kid` names: the current one, the previous one, or none. */
  secretFor(token: string): KeyObject | undefined {
    try {
      const header = JSON.parse(Buffer.from(token.split('.', 1)[0] ?? '', 'base64url').toString()) as {
        kid?: unknown;
        crit?: unknown;
      };
      // RFC 7515 §4.1.11: extensions that must be understood, and jsonwebtoken does not look whether they are.
      if (header.crit !== undefined) return undefined;
      return typeof header.kid === 'string' ? this.keys.get(header.kid) : undefined;
    } catch {
      return undefined;
    }
  }
}

/** Names a secret without telling it: 64 bits of its SHA-256. */
function keyIdOf(secret: string): string {
  return createHash('sha256').update(secret).digest('hex').slice(0, 16);
}
