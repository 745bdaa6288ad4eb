import { Injectable, UnauthorizedException } from '@nestjs/common';
import { PassportStrategy } from '@nestjs/passport';
import { ExtractJwt, Strategy } from 'passport-jwt';
import * as z from 'zod';
import { Config } from '../../config/config.js';
import type { Principal } from '../../http/current-user.decorator.js';
import { AccessTokensService, AUDIENCE, CLOCK_TOLERANCE_SECONDS, ISSUER } from './access-tokens.service.js';

/** Claims and validity of a verified token, seconds since the epoch. */
export interface VerifiedToken extends Principal {
  readonly validFrom: number;
  readonly validUntil: number;
}

/** RFC 7519 §4.1, and `sid` for the session. Times in seconds since the epoch. */
const ClaimsSchema = z.object({
  sub: z.uuid(),
  sid: z.uuid(),
  jti: z.string(),
  iat: z.number(),
  exp: z.number(),
});

@Injectable()
export class JwtStrategy extends PassportStrategy(Strategy, 'jwt') {
  constructor(
    accessTokens: AccessTokensService,
    private readonly config: Config,
  ) {
    super({
      jwtFromRequest: ExtractJwt.fromAuthHeaderAsBearerToken(),
      secretOrKeyProvider: (
        _request: unknown,
        token: string,
        done: (error: Error | null, secret?: Buffer) => void,
      ) => {
        const secret = accessTokens.secretFor(token);
        if (secret === undefined) done(new Error('unknown key'));
        // jsonwebtoken accepts a key object; the types do not.
        else done(null, secret as unknown as Buffer);
      },
      // RFC 8725 §3.1: the token must not choose the algorithm.
      algorithms: ['HS256'],
      issuer: ISSUER,
      audience: AUDIENCE,
      // Deprecated in the types, but the only way to set a clock tolerance.
      // eslint-disable-next-line @typescript-eslint/no-deprecated
      jsonWebTokenOptions: {
        clockTolerance: CLOCK_TOLERANCE_SECONDS,
        // Counted from `iat`, so that a shorter JWT_ACCESS_TTL applies to issued tokens too.
        maxAge: config.JWT_ACCESS_TTL,
      },
    });
  }

  validate(claims: unknown): VerifiedToken {
    const { success, data } = ClaimsSchema.safeParse(claims);
    if (!success) throw new UnauthorizedException('The access token is missing a claim');
    const { sub, sid, iat, exp } = data;
    if (iat > Date.now() / 1000 + CLOCK_TOLERANCE_SECONDS) {
      throw new UnauthorizedException('The access token was issued in the future');
    }
    return {
      userId: sub,
      sessionId: sid,
      validFrom: iat - CLOCK_TOLERANCE_SECONDS,
      validUntil: Math.min(exp, iat + this.config.JWT_ACCESS_TTL) + CLOCK_TOLERANCE_SECONDS,
    };
  }
}
