import { createHash, createSecretKey, randomUUID, type KeyObject } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { JwtService } from '@nestjs/jwt';
import { SERVICE_NAME } from '../../config/release.js';
import { Config } from '../../config/config.js';

export const ISSUER = SERVICE_NAME;
export const AUDIENCE = SERVICE_NAME;

/** Allowed difference between the clocks of two replicas, s. */
export const CLOCK_TOLERANCE_SECONDS = 5;

@Injectable()
export class AccessTokensService {
  /**
   * Keys by the header segment of their tokens, which is constant. Tokens with any other header are refused, whatever
   * algorithm, key or extension it names. Key objects, because jsonwebtoken tries a string as a public key first.
   */
  private readonly keys: ReadonlyMap<string, KeyObject>;
  private readonly key: KeyObject;
  private readonly keyId: string;

  constructor(
    private readonly jwt: JwtService,
    private readonly config: Config,
  ) {
    const { JWT_SECRET: secret, JWT_SECRET_PREVIOUS: previousSecret } = config;
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
        // jsonwebtoken accepts a key object; the types do not.
        secret: this.key as unknown as Buffer,
        algorithm: 'HS256',
        keyid: this.keyId,
        subject: userId,
        issuer: ISSUER,
        audience: AUDIENCE,
        jwtid: randomUUID(),
        expiresIn: this.config.JWT_ACCESS_TTL,
      },
    );
  }

  /** The current or previous key, according to the token's header. */
  secretFor(token: string): KeyObject | undefined {
    return this.keys.get(token.split('.', 1)[0] ?? '');
  }
}

/** The first segment of a token, as jsonwebtoken writes it (RFC 7515 §4.1). */
function headerOf(keyid: string): string {
  return Buffer.from(JSON.stringify({ alg: 'HS256', typ: 'JWT', kid: keyid })).toString('base64url');
}

/** Key id: 64 bits of the secret's SHA-256. */
function keyIdOf(secret: string): string {
  return createHash('sha256').update(secret).digest('hex').slice(0, 16);
}
