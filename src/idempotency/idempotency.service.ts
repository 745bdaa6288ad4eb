import { createHash } from 'node:crypto';
import { ConflictException, Injectable, UnprocessableEntityException } from '@nestjs/common';
import { Sql, type Statements } from '../database/sql.js';
import { refuseErasedUser } from '../users/users.service.js';

/** How long a response is stored, hours. */
export const RETENTION_HOURS = 24;

/** First half of the advisory lock key: `idem` in ASCII. */
const LOCK_CLASS = 0x6964656d;

/** A response as it is stored, without the headers that depend on the request. */
export interface Answer {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface IdempotentAnswer extends Answer {
  readonly isReplayed: boolean;
}

export interface IdempotentRequest {
  readonly userId: string;
  /** Such as `POST /entries`. The same key on another route is a different request. */
  readonly route: string;
  readonly key: string | undefined;
  readonly body: unknown;
}

const STATEMENTS = {
  // Does not wait: while the lock is held, the first request with this key is in progress.
  lock: `SELECT pg_try_advisory_xact_lock(${LOCK_CLASS}, hashtext($1 || ' ' || $2)) AS locked`,
  find: `
    SELECT request_hash, status, headers, body FROM idempotency_keys
     WHERE user_id = $1 AND key = $2 AND created_at > now() - interval '${RETENTION_HOURS} hours'`,
  keep: `
    INSERT INTO idempotency_keys (user_id, key, request_hash, status, headers, body) VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (user_id, key) DO UPDATE
       SET request_hash = excluded.request_hash, status = excluded.status, headers = excluded.headers,
           body = excluded.body, created_at = now()`,
  purge: `
    DELETE FROM idempotency_keys WHERE (user_id, key) IN (
      SELECT user_id, key FROM idempotency_keys WHERE created_at <= now() - interval '${RETENTION_HOURS} hours'
       ORDER BY created_at LIMIT $1 FOR UPDATE SKIP LOCKED)`,
} as const;

/**
 * Idempotent requests: https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
 * One transaction does the work and stores the response.
 */
@Injectable()
export class IdempotencyService {
  constructor(private readonly sql: Sql) {}

  /**
   * @param work runs in a transaction if there is a key, and not at all if its response is stored
   * @throws {UnauthorizedException} if the user was erased meanwhile
   * @throws {ConflictException} while the first request with this key is in progress
   * @throws {UnprocessableEntityException} if the key was used for a different request
   */
  async run(
    { userId, route, key, body }: IdempotentRequest,
    work: (statements: Statements) => Promise<Answer>,
  ): Promise<IdempotentAnswer> {
    if (key === undefined) return { ...(await work(this.sql)), isReplayed: false };
    const hash = createHash('sha256')
      .update(`${route}\n${JSON.stringify(body)}`)
      .digest();
    return this.sql.transaction(async (statements) => {
      const { rows } = await statements.query<{ locked: boolean }>('idempotency-lock', STATEMENTS.lock, [
        userId,
        key,
      ]);
      if (!rows[0]?.locked)
        throw new ConflictException('The first request with this Idempotency-Key is still in progress');
      const kept = await statements.query<Answer & { request_hash: Buffer }>(
        'idempotency-find',
        STATEMENTS.find,
        [userId, key],
      );
      const [first] = kept.rows;
      if (first) {
        if (!first.request_hash.equals(hash)) {
          throw new UnprocessableEntityException('This Idempotency-Key was used for a different request');
        }
        return { status: first.status, headers: first.headers, body: first.body, isReplayed: true };
      }
      const answer = await work(statements);
      const { status, headers } = answer;
      await statements
        .query('idempotency-keep', STATEMENTS.keep, [userId, key, hash, status, headers, answer.body])
        .catch(refuseErasedUser);
      return { ...answer, isReplayed: false };
    });
  }

  /** Deletes at most `batch` expired rows. @returns the number of deleted rows */
  async purge(batch: number): Promise<number> {
    const { rowCount } = await this.sql.query('idempotency-purge', STATEMENTS.purge, [batch]);
    return rowCount ?? 0;
  }
}
