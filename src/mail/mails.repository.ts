import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { Sql } from '../database/sql.js';
import { Mail, type ClaimedMail } from './mail.entity.js';

/** A mail is tried for this long, hours. */
export const KEPT_HOURS = 24;

/** A claimed mail is left to its claimer for this long, s: longer than an attempt takes. Then its process must be dead. */
const LEASE_SECONDS = 120;

/** Pause after the first failed attempt, s. It doubles with each attempt, up to {@link LONGEST_PAUSE_SECONDS}. */
const FIRST_PAUSE_SECONDS = 5;
const LONGEST_PAUSE_SECONDS = 320;

/** The only row of a claim that found no due mail. */
interface Unclaimed {
  readonly id: null;
  readonly waiting: number;
}

const STATEMENTS = {
  // No attempt is ever planned later than the longest pause: if one is, the database's clock was set back.
  claim: `
    WITH due AS (
      SELECT id FROM mails
       WHERE (next_attempt_at <= now() OR next_attempt_at > now() + interval '${LONGEST_PAUSE_SECONDS + 60} seconds')
         AND created_at > now() - interval '${KEPT_HOURS} hours'
       ORDER BY next_attempt_at LIMIT $1 FOR UPDATE SKIP LOCKED),
    claimed AS (
      UPDATE mails SET attempts = attempts + 1, next_attempt_at = now() + interval '${LEASE_SECONDS} seconds'
        FROM due WHERE mails.id = due.id
      RETURNING mails.id, template, recipient, user_id AS "userId", data, attempts, created_at AS "createdAt")
    SELECT (SELECT count(*)::int FROM mails) AS waiting, claimed.*
      FROM (VALUES (1)) AS always LEFT JOIN claimed ON true`,
  postpone: `
    UPDATE mails
       SET next_attempt_at = now() + make_interval(secs =>
             least(${FIRST_PAUSE_SECONDS} * 2 ^ least(attempts - 1, 10), ${LONGEST_PAUSE_SECONDS}))
     WHERE id = $1`,
  remove: 'DELETE FROM mails WHERE id = $1',
  purge: `
    DELETE FROM mails WHERE id IN (
      SELECT id FROM mails WHERE created_at <= now() - interval '${KEPT_HOURS} hours' LIMIT $1 FOR UPDATE SKIP LOCKED)`,
  list: `
    SELECT id, template, recipient, data, created_at AS "createdAt" FROM mails WHERE user_id = $1 ORDER BY id`,
} as const;

/** Statements on the `mails` table. Times are the database's, so that a replica's clock does not matter. */
@Injectable()
export class MailsRepository {
  constructor(private readonly sql: Sql) {}

  async insert(
    mail: Pick<Mail, 'id' | 'template' | 'recipient' | 'userId' | 'data'>,
    manager: EntityManager,
  ) {
    await manager.insert(Mail, mail);
  }

  /** Takes at most `limit` due mails, which no other replica takes until the lease ends. `waiting` counts all mails. */
  async claim(limit: number): Promise<{ readonly mails: ClaimedMail[]; readonly waiting: number }> {
    const { rows } = await this.sql.query<(ClaimedMail & { waiting: number }) | Unclaimed>(
      'mails-claim',
      STATEMENTS.claim,
      [limit],
    );
    return { mails: rows.filter((row) => row.id !== null), waiting: rows[0]?.waiting ?? 0 };
  }

  async postpone(id: string): Promise<void> {
    await this.sql.query('mails-postpone', STATEMENTS.postpone, [id]);
  }

  async remove(id: string): Promise<void> {
    await this.sql.query('mails-remove', STATEMENTS.remove, [id]);
  }

  /** Mails of a user, and those to an address. */
  async erase(userId: string, recipient: string, manager: EntityManager): Promise<void> {
    await manager.query('DELETE FROM mails WHERE user_id = $1 OR recipient = $2', [userId, recipient]);
  }

  async list(userId: string): Promise<Pick<Mail, 'id' | 'template' | 'recipient' | 'data' | 'createdAt'>[]> {
    const { rows } = await this.sql.query<Mail>('mails-list', STATEMENTS.list, [userId]);
    return rows;
  }

  /** Deletes at most `batch` mails that were not delivered in time. @returns the number of deleted rows */
  async purge(batch: number): Promise<number> {
    const { rowCount } = await this.sql.query('mails-purge', STATEMENTS.purge, [batch]);
    return rowCount ?? 0;
  }
}
