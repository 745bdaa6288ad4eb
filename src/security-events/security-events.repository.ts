import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { Repository, type EntityManager } from 'typeorm';
import { Sql } from '../database/sql.js';
import type { CursorPosition } from '../http/paging/cursor.js';
import { SecurityEvent } from './security-event.entity.js';

/** After this number within a day, further failures of an account are not stored. */
export const FAILURES_PER_DAY = 100;

const RETENTION_DAYS = 180;

const STATEMENTS = {
  /** What RETURNING selects does not see the new row. */
  insertSignIn: `
    INSERT INTO security_events (id, user_id, type, network, user_agent, details)
    VALUES ($1, $2::uuid, 'sign-in', $3::varchar, $4::varchar, $5)
    RETURNING EXISTS (
      SELECT 1 FROM security_events AS earlier
       WHERE earlier.user_id = $2 AND earlier.type IN ('registered', 'sign-in')
    ) AND NOT EXISTS (
      SELECT 1 FROM security_events AS earlier
       WHERE earlier.user_id = $2 AND earlier.type IN ('registered', 'sign-in')
         AND (earlier.network = $3 OR earlier.user_agent IS NOT DISTINCT FROM $4)
    ) AS "isUnknown"`,
  /** KEY SHARE waits for an erasure that is under way, instead of failing on the foreign key. */
  insertFailure: `
    INSERT INTO security_events (id, user_id, type, network, user_agent)
    SELECT $1, users.id, $2::varchar, $3, $4 FROM users
     WHERE users.email = $5
       AND (SELECT count(*) FROM security_events
             WHERE user_id = users.id AND type = $2::varchar AND created_at > now() - interval '1 day') < ${FAILURES_PER_DAY}
       FOR KEY SHARE OF users`,
  purge: `
    DELETE FROM security_events WHERE id IN (
      SELECT id FROM security_events WHERE created_at < now() - interval '${RETENTION_DAYS} days'
       ORDER BY created_at LIMIT $1 FOR UPDATE SKIP LOCKED)`,
} as const;

type NewRow = Omit<SecurityEvent, 'user' | 'actor' | 'createdAt'>;

/** Statements on the `security_events` table. */
@Injectable()
export class SecurityEventsRepository {
  constructor(
    @InjectRepository(SecurityEvent) private readonly events: Repository<SecurityEvent>,
    private readonly sql: Sql,
  ) {}

  async insert(event: NewRow, manager: EntityManager): Promise<void> {
    await manager.withRepository(this.events).insert(event);
  }

  /** @returns whether earlier sign-ins came from other networks and user agents alone */
  async insertSignIn(
    { id, userId, network, userAgent, details }: Omit<NewRow, 'type' | 'actorId'>,
    manager: EntityManager,
  ): Promise<boolean> {
    const values = [id, userId, network, userAgent, details];
    const [row] = await manager.query<{ isUnknown: boolean }[]>(STATEMENTS.insertSignIn, values);
    return row?.isUnknown === true;
  }

  async insertFailure(
    { id, type, network, userAgent }: Pick<SecurityEvent, 'id' | 'type' | 'network' | 'userAgent'>,
    email: string,
  ): Promise<void> {
    await this.sql.query('security-events-failure', STATEMENTS.insertFailure, [
      id,
      type,
      network,
      userAgent,
      email,
    ]);
  }

  /** Newest first. */
  list(userId: string, limit: number, after?: CursorPosition): Promise<SecurityEvent[]> {
    const query = this.events
      .createQueryBuilder('event')
      .where('event.user_id = :userId', { userId })
      .orderBy({ 'event.createdAt': 'DESC', 'event.id': 'DESC' })
      .limit(limit);
    if (after) query.andWhere('(event.created_at, event.id) < (:key, :id)', after);
    return query.getMany();
  }

  /** Deletes at most `batch` old events. @returns the number of deleted rows */
  async purge(batch: number): Promise<number> {
    const { rowCount } = await this.sql.query('security-events-purge', STATEMENTS.purge, [batch]);
    return rowCount ?? 0;
  }
}
