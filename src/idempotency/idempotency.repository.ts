import { Injectable } from '@nestjs/common';
import { Sql, type Statements } from '../database/sql.js';

/** How long a response is stored, hours. */
export const RETENTION_HOURS = 24;

/** First half of the advisory lock key: `idem` in ASCII. */
const LOCK_CLASS = 0x6964656d;

/** A response without the headers that depend on the request. */
export interface StoredResponse {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface ResponseOfKey {
  readonly key: string;
  readonly createdAt: Date;
  readonly status: number;
  readonly body: string;
}

const STATEMENTS = {
  lock: `SELECT pg_try_advisory_xact_lock(${LOCK_CLASS}, hashtext($1 || ' ' || $2)) AS locked`,
  find: `
    SELECT request_hash AS "requestHash", status, headers, body FROM idempotency_keys
     WHERE user_id = $1 AND key = $2 AND created_at > now() - interval '${RETENTION_HOURS} hours'`,
  store: `
    INSERT INTO idempotency_keys (user_id, key, request_hash, status, headers, body) VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (user_id, key) DO UPDATE
       SET request_hash = excluded.request_hash, status = excluded.status, headers = excluded.headers,
           body = excluded.body, created_at = now()`,
  list: `
    SELECT key, created_at AS "createdAt", status, body FROM idempotency_keys
     WHERE user_id = $1 AND key > $2 ORDER BY key LIMIT $3`,
  purge: `
    DELETE FROM idempotency_keys WHERE (user_id, key) IN (
      SELECT user_id, key FROM idempotency_keys WHERE created_at <= now() - interval '${RETENTION_HOURS} hours'
       ORDER BY created_at LIMIT $1 FOR UPDATE SKIP LOCKED)`,
} as const;

/** Statements on the `idempotency_keys` table. */
@Injectable()
export class IdempotencyRepository {
  constructor(private readonly sql: Sql) {}

  /** Locks a key until the transaction ends. @returns false, without waiting, if another transaction has locked it */
  async lock(userId: string, key: string, statements: Statements): Promise<boolean> {
    const values = [userId, key];
    const { rows } = await statements.query<{ locked: boolean }>('idempotency-lock', STATEMENTS.lock, values);
    return rows[0]?.locked === true;
  }

  async find(userId: string, key: string, statements: Statements) {
    const { rows } = await statements.query<StoredResponse & { requestHash: Buffer }>(
      'idempotency-find',
      STATEMENTS.find,
      [userId, key],
    );
    return rows[0];
  }

  async store(
    userId: string,
    key: string,
    requestHash: Buffer,
    { status, headers, body }: StoredResponse,
    statements: Statements,
  ): Promise<void> {
    const values = [userId, key, requestHash, status, headers, body];
    await statements.query('idempotency-store', STATEMENTS.store, values);
  }

  /** At most `limit` stored responses of a user, whose keys come after `after`. */
  async list(userId: string, after: string, limit: number): Promise<ResponseOfKey[]> {
    const values = [userId, after, limit];
    const { rows } = await this.sql.query<ResponseOfKey>('idempotency-list', STATEMENTS.list, values);
    return rows;
  }

  /** Deletes at most `batch` expired rows. @returns the number of deleted rows */
  async purge(batch: number): Promise<number> {
    const { rowCount } = await this.sql.query('idempotency-purge', STATEMENTS.purge, [batch]);
    return rowCount ?? 0;
  }
}
