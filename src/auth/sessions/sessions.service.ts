import { Injectable, Logger, NotFoundException, UnauthorizedException } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { Repository, type EntityManager, type ObjectLiteral } from 'typeorm';
import { v7 as uuidv7 } from 'uuid';
import { Config } from '../../config/config.js';
import { EndedSessionsService } from './ended-sessions.service.js';
import { ErasedSession } from './erased-session.entity.js';
import { RefreshTokensService, type PresentedRefreshToken } from '../tokens/refresh-tokens.service.js';
import { Session } from './session.entity.js';
import { toSessionBody, type SessionBody } from './sessions.schemas.js';

/** A client that lost the response may retry within this time without ending the session. */
const RETRY_GRACE_SECONDS = 10;

/** Absolute lifetime of a session. */
const LIFETIME_SECONDS = 365 * 86_400;

/** A new session ends the least recently used one beyond this number. */
const SESSIONS_PER_USER = 100;

/** SQL: neither ended nor expired. */
const LIVE = 'ended_at IS NULL AND expires_at > now()';

export interface Client {
  readonly ip: string;
  readonly userAgent: string | undefined;
}

export interface IssuedSession {
  readonly userId: string;
  readonly sessionId: string;
  readonly refreshToken: string;
}

/** Sessions as rows; refresh tokens rotate with every use (RFC 9700 §4.14.2). */
@Injectable()
export class SessionsService {
  private readonly logger = new Logger('Sessions');

  constructor(
    @InjectRepository(Session) private readonly sessions: Repository<Session>,
    private readonly ended: EndedSessionsService,
    private readonly refreshTokens: RefreshTokensService,
    private readonly config: Config,
  ) {}

  async start(
    userId: string,
    client: Client,
    manager: EntityManager = this.sessions.manager,
  ): Promise<IssuedSession> {
    const { token, sessionId, hash } = this.refreshTokens.issue(uuidv7());
    await manager.withRepository(this.sessions).insert({
      id: sessionId,
      userId,
      refreshTokenHash: hash,
      ip: client.ip.slice(0, 45),
      userAgent: client.userAgent?.slice(0, 512) ?? null,
      expiresAt: () => this.expiry(),
    });
    await this.endWhere(
      `id IN (SELECT id FROM sessions WHERE user_id = :userId AND ${LIVE}
               ORDER BY last_used_at DESC, id DESC OFFSET ${SESSIONS_PER_USER})`,
      { userId },
      manager,
    );
    return { userId, sessionId, refreshToken: token };
  }

  /**
   * Exchanges a refresh token for a new one. Of two concurrent uses, one succeeds.
   *
   * @throws {UnauthorizedException} for an unknown, expired or used token; a used one ends its session, except for the
   *   previous one within 10 s
   */
  async refresh(refreshToken: string): Promise<IssuedSession> {
    const presented = this.refreshTokens.read(refreshToken);
    if (!presented) throw refused();
    const next = this.refreshTokens.issue(presented.sessionId);
    const spent = await this.sessions
      .createQueryBuilder()
      .update()
      .set({
        previousRefreshTokenHash: presented.hash,
        refreshTokenHash: next.hash,
        lastUsedAt: () => 'now()',
        expiresAt: () => `least(${this.expiry()}, created_at + make_interval(secs => ${LIFETIME_SECONDS}))`,
      })
      .where(`id = :sessionId AND refresh_token_hash = :hash AND ${LIVE}`, {
        sessionId: presented.sessionId,
        hash: presented.hash,
      })
      .returning('user_id')
      .execute();
    const [row] = spent.raw as { user_id: string }[];
    if (row) return { userId: row.user_id, sessionId: presented.sessionId, refreshToken: next.token };
    await this.punishReuse(presented);
    throw refused();
  }

  /** The user's live sessions, last used first. */
  async list(userId: string, currentId: string): Promise<SessionBody[]> {
    const sessions = await this.sessions
      .createQueryBuilder('session')
      .where(`session.user_id = :userId AND ${LIVE}`, { userId })
      .orderBy({ 'session.lastUsedAt': 'DESC', 'session.id': 'DESC' })
      .getMany();
    return sessions.map((session) => toSessionBody(session, currentId));
  }

  /** This replica refuses its access tokens at once, others within a second. */
  async end(sessionId: string): Promise<void> {
    this.markEnded(await this.endWhere('id = :sessionId AND ended_at IS NULL', { sessionId }));
  }

  /** @throws {NotFoundException} if the user has no live session with this id */
  async endOf(userId: string, sessionId: string): Promise<void> {
    const ended = await this.endWhere(`id = :sessionId AND user_id = :userId AND ${LIVE}`, {
      sessionId,
      userId,
    });
    this.markEnded(ended);
    if (ended.length === 0) throw new NotFoundException('No such session');
  }

  async endAll(userId: string): Promise<void> {
    this.markEnded(await this.endWhere('user_id = :userId AND ended_at IS NULL', { userId }));
  }

  /** Runs in a transaction. Call {@link markEnded} after its commit. @returns the ids of the ended sessions */
  endOthers(userId: string, currentId: string, manager: EntityManager): Promise<string[]> {
    return this.endWhere(
      'user_id = :userId AND id <> :currentId AND ended_at IS NULL',
      { userId, currentId },
      manager,
    );
  }

  /**
   * Runs `eraseUser` in a transaction, which also deletes the user's sessions, and stores their ids for other replicas.
   * Call {@link markEnded} after the commit.
   *
   * @returns the ids of the sessions
   */
  async eraseWith(userId: string, manager: EntityManager, eraseUser: () => Promise<void>): Promise<string[]> {
    const sessions = await manager.find(Session, { select: { id: true }, where: { userId } });
    await eraseUser();
    // Last, and with the current time, so that replicas find them however long the erasure took.
    const ids = sessions.map(({ id }) => id);
    if (ids.length === 0) return ids;
    await manager
      .createQueryBuilder()
      .insert()
      .into(ErasedSession)
      .values(ids.map((id) => ({ id, erasedAt: () => 'clock_timestamp()' })))
      .execute();
    return ids;
  }

  /** Whether a session of this account was started from this address. */
  async isKnownAddress(email: string, ip: string): Promise<boolean> {
    return this.sessions.existsBy({ user: { email }, ip });
  }

  /** Marks sessions as ended on this replica. Other replicas poll. */
  markEnded(endedIds: readonly string[]): void {
    for (const id of endedIds) this.ended.add(id);
  }

  /** @throws if the session cannot be read: a token alone is never trusted */
  async hasEnded(sessionId: string): Promise<boolean> {
    return this.ended.has(sessionId);
  }

  /**
   * Ends the session of a reused token, which was probably stolen. Tokens without a MAC could be forged, so they end a
   * session only if their hash is stored as the previous one.
   */
  private async punishReuse({ sessionId, hash, isAuthentic }: PresentedRefreshToken): Promise<void> {
    const ended = await this.endWhere(
      `id = :sessionId AND ${LIVE} AND refresh_token_hash <> :hash
       AND CASE WHEN previous_refresh_token_hash = :hash
                THEN last_used_at <= now() - make_interval(secs => ${RETRY_GRACE_SECONDS})
                ELSE :isAuthentic END`,
      { sessionId, hash, isAuthentic },
    );
    this.markEnded(ended);
    if (ended.length > 0)
      this.logger.warn(`a used refresh token was presented again: session ${sessionId} is ended`);
  }

  private async endWhere(
    condition: string,
    parameters: ObjectLiteral,
    manager: EntityManager = this.sessions.manager,
  ): Promise<string[]> {
    const result = await manager
      .createQueryBuilder()
      .update(Session)
      .set({ endedAt: () => 'clock_timestamp()' })
      .where(condition, parameters)
      .returning('id')
      .execute();
    return (result.raw as { id: string }[]).map(({ id }) => id);
  }

  /** SQL, because expiry is compared with the database's clock. */
  private expiry(): string {
    return `now() + make_interval(secs => ${this.config.JWT_REFRESH_TTL})`;
  }
}

function refused(): UnauthorizedException {
  return new UnauthorizedException('The refresh token is not valid');
}
