import { createHash, createHmac } from 'node:crypto';
import { BadRequestException, Injectable } from '@nestjs/common';
import { Config } from '../../config/config.js';

/**
 * Tokens of links in mails: an HMAC-SHA256 of the mail's id, so every attempt to send a mail has the same link, and the
 * database has no secret: of the token it stores the SHA-256.
 */
@Injectable()
export class AccountTokensService {
  private readonly key: Buffer;

  constructor(private readonly config: Config) {
    this.key = createHmac('sha256', config.JWT_SECRET).update('account token').digest();
  }

  tokenOf(mailId: string): string {
    return createHmac('sha256', this.key).update(mailId).digest('base64url');
  }

  hashOf(token: string): Buffer {
    return createHash('sha256').update(token).digest();
  }

  /** A page of the front end. The fragment reaches neither servers nor their logs, nor other sites by a Referer. */
  linkTo(page: string, token: string): string {
    return `${this.config.PUBLIC_URL}/${page}#token=${token}`;
  }
}

export function invalidToken(): BadRequestException {
  return new BadRequestException('The token is unknown, used or expired; ask for a new link');
}
