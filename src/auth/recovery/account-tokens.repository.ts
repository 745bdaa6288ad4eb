import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { Sql } from '../../database/sql.js';
import type { AccountToken, TokenPurpose } from './account-token.entity.js';

/** How long a link works, hours. */
const LIFETIME_HOURS = {
  'reset-password': 1,
  'operator-reset': 1,
  'verify-email': 24,
  'change-email': 24,
} as const;

/** Longer than a mail is tried, and its link works. */
const KEPT_HOURS = 72;

export interface Link {
  readonly userId: string;
  readonly purpose: TokenPurpose;
  /** Where the link was sent. */
  readonly email: string;
}

interface SentToken {
  readonly mailId: string;
  readonly hash: Buffer;
  readonly requestedAt: Date;
}

const LIVE = 'used_at IS NULL AND expires_at > now()';

const STATEMENTS = {
  // A mail that is sent again keeps its row, unless the link was used or a newer one replaced it. A request from what is now
  // the future was made before the database's clock was set back. The lock waits for a change of the address, so that the
  // old address gets no link after it. What RETURNING selects does not see the new row.
  issueReset: `
    INSERT INTO account_tokens AS stored (user_id, purpose, email, mail_id, token_hash, requested_at, expires_at)
    SELECT id, 'reset-password', email, $2, $3, $4, now() + interval '${LIFETIME_HOURS['reset-password']} hours'
      FROM users WHERE email = $1 FOR SHARE
        ON CONFLICT (user_id, purpose) DO UPDATE
       SET email = excluded.email, mail_id = excluded.mail_id, token_hash = excluded.token_hash,
           requested_at = excluded.requested_at, expires_at = excluded.expires_at, used_at = NULL
     WHERE CASE WHEN stored.mail_id = excluded.mail_id THEN stored.used_at IS NULL
                ELSE stored.requested_at <= excluded.requested_at OR stored.requested_at > now() + interval '1 second' END
    RETURNING user_id AS "userId", NOT EXISTS (
      SELECT 1 FROM account_tokens AS before
       WHERE before.user_id = stored.user_id AND before.purpose = stored.purpose AND before.mail_id = $2) AS "isFirst"`,
  find: `SELECT user_id AS "userId", purpose, email FROM account_tokens WHERE token_hash = $1 AND ${LIVE}`,
  issue: `
    UPDATE account_tokens
       SET token_hash = $4, expires_at = now() + interval '${LIFETIME_HOURS['verify-email']} hours'
     WHERE user_id = $1 AND purpose = $2 AND mail_id = $3 AND used_at IS NULL`,
  list: `
    SELECT purpose, email, requested_at AS "requestedAt", expires_at AS "expiresAt", used_at AS "usedAt"
      FROM account_tokens WHERE user_id = $1 ORDER BY purpose`,
  purge: `
    DELETE FROM account_tokens WHERE (user_id, purpose) IN (
      SELECT user_id, purpose FROM account_tokens WHERE requested_at < now() - interval '${KEPT_HOURS} hours'
       LIMIT $1 FOR UPDATE SKIP LOCKED)`,
} as const;

/** Statements on the `account_tokens` table. */
@Injectable()
export class AccountTokensRepository {
  constructor(private readonly sql: Sql) {}

  /**
   * @returns the user's id, and whether this is the first attempt that got so far; undefined if no account has the address,
   *   or if the link was used or replaced
   */
  async issueReset(email: string, { mailId, hash, requestedAt }: SentToken, manager: EntityManager) {
    const values = [email, mailId, hash, requestedAt];
    const [row] = await manager.query<{ userId: string; isFirst: boolean }[]>(STATEMENTS.issueReset, values);
    return row;
  }

  /** Replaces the previous link of this purpose. Without a hash, the token follows when the mail is delivered. */
  async request(
    { userId, purpose, email, mailId }: Pick<AccountToken, 'userId' | 'purpose' | 'email' | 'mailId'>,
    manager: EntityManager,
    hash?: Buffer,
  ): Promise<void> {
    await manager.query(
      `INSERT INTO account_tokens (user_id, purpose, email, mail_id, token_hash, expires_at)
       VALUES ($1, $2, $3, $4, $5, CASE WHEN $5::bytea IS NOT NULL THEN now() + make_interval(hours => $6) END)
           ON CONFLICT (user_id, purpose) DO UPDATE
          SET email = excluded.email, mail_id = excluded.mail_id, token_hash = excluded.token_hash,
              requested_at = now(), expires_at = excluded.expires_at, used_at = NULL`,
      [userId, purpose, email, mailId, hash ?? null, LIFETIME_HOURS[purpose]],
    );
  }

  /** Stores the token of a mail that is about to be sent. @returns false if the link was used, replaced or made void */
  async issue(
    { userId, purpose, mailId }: Pick<AccountToken, 'userId' | 'purpose' | 'mailId'>,
    hash: Buffer,
  ): Promise<boolean> {
    const values = [userId, purpose, mailId, hash];
    const { rowCount } = await this.sql.query('account-token-issue', STATEMENTS.issue, values);
    return rowCount === 1;
  }

  /** @returns the link of a token that is neither used nor expired */
  async find(hash: Buffer): Promise<Link | undefined> {
    const { rows } = await this.sql.query<Link>('account-token-find', STATEMENTS.find, [hash]);
    return rows[0];
  }

  /** Of two concurrent uses, one succeeds. @returns whether the token was neither used nor expired */
  async spend(hash: Buffer, manager: EntityManager): Promise<boolean> {
    const [, spent] = await manager.query<[unknown, number]>(
      `UPDATE account_tokens SET used_at = now() WHERE token_hash = $1 AND ${LIVE}`,
      [hash],
    );
    return spent === 1;
  }

  /** Makes the user's links of these purposes void, including those that are not sent yet. */
  async void(userId: string, purposes: readonly TokenPurpose[], manager: EntityManager): Promise<void> {
    await manager.query(
      'UPDATE account_tokens SET used_at = now() WHERE user_id = $1 AND purpose = ANY ($2) AND used_at IS NULL',
      [userId, purposes],
    );
  }

  async list(userId: string): Promise<Record<string, unknown>[]> {
    const { rows } = await this.sql.query('account-tokens-list', STATEMENTS.list, [userId]);
    return rows;
  }

  /** Deletes at most `batch` old rows. @returns the number of deleted rows */
  async purge(batch: number): Promise<number> {
    const { rowCount } = await this.sql.query('account-tokens-purge', STATEMENTS.purge, [batch]);
    return rowCount ?? 0;
  }
}
