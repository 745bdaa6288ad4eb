import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { Repository, type EntityManager, type ObjectLiteral } from 'typeorm';
import { Config } from '../../config/config.js';
import { Sql } from '../../database/sql.js';
import { ErasedSession } from './erased-session.entity.js';
import { Session } from './session.entity.js';

/** A client that lost the response may retry within this time without ending the session. */
const RETRY_GRACE_SECONDS = 10;

/** Absolute lifetime of a session. */
const LIFETIME_SECONDS = 365 * 86_400;

/** SQL: neither ended nor expired. */
const LIVE = 'ended_at IS NULL AND expires_at > now()';

/** Statements on the `sessions` table. The methods that end sessions return their ids. */
@Injectable()
export class SessionsRepository {
  constructor(
    @InjectRepository(Session) private readonly sessions: Repository<Session>,
    private readonly sql: Sql,
    private readonly config: Config,
  ) {}

  async insert(
    session: Pick<Session, 'id' | 'userId' | 'refreshTokenHash' | 'ip' | 'userAgent'>,
    manager: EntityManager = this.sessions.manager,
  ): Promise<void> {
    await manager.withRepository(this.sessions).insert({ ...session, expiresAt: () => this.expiry() });
  }

  /** Replaces the refresh token of a live session. @returns the user's id, or undefined if `hash` is not the stored one */
  async rotate(sessionId: string, hash: Buffer, nextHash: Buffer): Promise<string | undefined> {
    const rotated = await this.sessions
      .createQueryBuilder()
      .update()
      .set({
        previousRefreshTokenHash: hash,
        refreshTokenHash: nextHash,
        lastUsedAt: () => 'now()',
        expiresAt: () => `least(${this.expiry()}, created_at + make_interval(secs => ${LIFETIME_SECONDS}))`,
      })
      .where(`id = :sessionId AND refresh_token_hash = :hash AND ${LIVE}`, { sessionId, hash })
      .returning('user_id')
      .execute();
    const [row] = rotated.raw as { user_id: string }[];
    return row?.user_id;
  }

  /** The user's live sessions, last used first. */
  list(userId: string): Promise<Session[]> {
    return this.sessions
      .createQueryBuilder('session')
      .where(`session.user_id = :userId AND ${LIVE}`, { userId })
      .orderBy({ 'session.lastUsedAt': 'DESC', 'session.id': 'DESC' })
      .getMany();
  }

  async idsOf(userId: string, manager: EntityManager): Promise<string[]> {
    const sessions = await manager.find(Session, { select: { id: true }, where: { userId } });
    return sessions.map(({ id }) => id);
  }

  existsWithAddress(email: string, ip: string): Promise<boolean> {
    return this.sessions.existsBy({ user: { email }, ip });
  }

  end(sessionId: string, manager: EntityManager): Promise<string[]> {
    return this.endWhere('id = :sessionId AND ended_at IS NULL', { sessionId }, manager);
  }

  endOf(userId: string, sessionId: string, manager: EntityManager): Promise<string[]> {
    return this.endWhere(`id = :sessionId AND user_id = :userId AND ${LIVE}`, { sessionId, userId }, manager);
  }

  endAll(userId: string, manager: EntityManager): Promise<string[]> {
    return this.endWhere('user_id = :userId AND ended_at IS NULL', { userId }, manager);
  }

  endOthers(userId: string, currentId: string, manager: EntityManager): Promise<string[]> {
    const others = 'user_id = :userId AND id <> :currentId AND ended_at IS NULL';
    return this.endWhere(others, { userId, currentId }, manager);
  }

  /** Ends all but the `kept` last used ones. */
  endLeastRecentlyUsed(userId: string, kept: number, manager?: EntityManager): Promise<string[]> {
    return this.endWhere(
      // A locked one is being ended or used. Two logins that waited for each other's would deadlock.
      `id IN (SELECT id FROM sessions
               WHERE id IN (SELECT id FROM sessions WHERE user_id = :userId AND ${LIVE}
                             ORDER BY last_used_at DESC, id DESC OFFSET :kept)
                 FOR UPDATE SKIP LOCKED)`,
      { userId, kept },
      manager,
    );
  }

  /**
   * Ends the session of a used refresh token: the previous one after the grace, an older one at once. Tokens without a
   * MAC could be forged, so of those only the previous one counts.
   *
   * @returns the user's id, or undefined if the session was not ended
   */
  async endReused(
    sessionId: string,
    hash: Buffer,
    isAuthentic: boolean,
    manager: EntityManager,
  ): Promise<string | undefined> {
    const [ended] = await this.endRows(
      `id = :sessionId AND ${LIVE} AND refresh_token_hash <> :hash
       AND CASE WHEN previous_refresh_token_hash = :hash
                THEN last_used_at <= now() - make_interval(secs => ${RETRY_GRACE_SECONDS})
                ELSE :isAuthentic END`,
      { sessionId, hash, isAuthentic },
      manager,
    );
    return ended?.user_id;
  }

  /** Stores the ids of deleted sessions for other replicas. */
  async storeErased(ids: readonly string[], manager: EntityManager): Promise<void> {
    if (ids.length === 0) return;
    await manager
      .createQueryBuilder()
      .insert()
      .into(ErasedSession)
      // The current time, not that of the transaction: replicas find them however long the erasure took.
      .values(ids.map((id) => ({ id, erasedAt: () => 'clock_timestamp()' })))
      .execute();
  }

  async hasEnded(sessionId: string): Promise<boolean> {
    const { rowCount } = await this.sql.query(
      'session-live',
      'SELECT 1 FROM sessions WHERE id = $1 AND ended_at IS NULL',
      [sessionId],
    );
    return rowCount === 0;
  }

  /** The ids of the sessions that were ended or erased in the last `ms`. */
  async endedWithin(ms: number): Promise<string[]> {
    const { rows } = await this.sql.query<{ id: string }>(
      'sessions-ended',
      `SELECT id FROM sessions WHERE ended_at > now() - make_interval(secs => $1)
       UNION ALL SELECT id FROM erased_sessions WHERE erased_at > now() - make_interval(secs => $1)`,
      [ms / 1000],
    );
    return rows.map(({ id }) => id);
  }

  private async endWhere(
    condition: string,
    parameters: ObjectLiteral,
    manager?: EntityManager,
  ): Promise<string[]> {
    return (await this.endRows(condition, parameters, manager)).map(({ id }) => id);
  }

  private async endRows(
    condition: string,
    parameters: ObjectLiteral,
    manager: EntityManager = this.sessions.manager,
  ): Promise<{ id: string; user_id: string }[]> {
    const result = await manager
      .createQueryBuilder()
      .update(Session)
      .set({ endedAt: () => 'clock_timestamp()' })
      .where(condition, parameters)
      .returning('id, user_id')
      .execute();
    return result.raw as { id: string; user_id: string }[];
  }

  /** SQL, because expiry is compared with the database's clock. */
  private expiry(): string {
    return `now() + make_interval(secs => ${this.config.JWT_REFRESH_TTL})`;
  }
}
