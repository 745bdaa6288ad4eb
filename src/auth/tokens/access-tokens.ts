import { createHash, createSecretKey, randomUUID, type KeyObject } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { JwtService } from '@nestjs/jwt';
import { Config } from '../../config/config.js';

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

/** Seconds that the clocks of two replicas may differ. */
export const CLOCK_TOLERANCE_SECONDS = 5;

@Injectable()
export class AccessTokens {
  /**
   * By the first segment of the tokens that the key signs, which is always the same: what has any other header is not
   * ours, whatever algorithm, key or extension it names. As key objects: from a string, jsonwebtoken tries to make a
   * public key first.
   */
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
        .filter((each) => each !== undefined)
        .map((each) => [headerOf(keyIdOf(each)), createSecretKey(each, 'utf8')]),
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

  /** The secret that the token's header names: the current one, the previous one, or none. */
  secretFor(token: string): KeyObject | undefined {
    return this.keys.get(token.split('.', 1)[0] ?? '');
  }
}

/** The first segment of a token, as jsonwebtoken writes it (RFC 7515 §4.1). */
function headerOf(keyid: string): string {
  return Buffer.from(JSON.stringify({ alg: 'HS256', typ: 'JWT', kid: keyid })).toString('base64url');
}

/** Names a secret without telling it: 64 bits of its SHA-256. */
function keyIdOf(secret: string): string {
  return createHash('sha256').update(secret).digest('hex').slice(0, 16);
}
