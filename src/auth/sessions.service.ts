import { Injectable, Logger, UnauthorizedException } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { IsNull, Repository, type EntityManager } from 'typeorm';
import { v7 as uuidv7 } from 'uuid';
import { Config } from '../config/config.js';
import { EndedSessions } from './ended-sessions.js';
import { issueRefreshToken, readRefreshToken } from './refresh-token.js';
import { Session } from './session.entity.js';

/** A client that lost the answer tries again within this time, ms, and is not taken for a thief. */
const RETRY_GRACE_MS = 10_000;

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
    private readonly ended: EndedSessions,
    private readonly config: Config,
  ) {}

  async start(
    userId: string,
    client: Client,
    manager: EntityManager = this.sessions.manager,
  ): Promise<IssuedSession> {
    const { token, sessionId, hash } = issueRefreshToken(uuidv7());
    await manager.withRepository(this.sessions).insert({
      id: sessionId,
      userId,
      refreshTokenHash: hash,
      ip: client.ip.slice(0, 45),
      userAgent: client.userAgent?.slice(0, 512) ?? null,
      expiresAt: this.expiry(),
    });
    return { userId, sessionId, refreshToken: token };
  }

  /**
   * Spends a refresh token for a new one. Of two that spend the same one at once, the row decides which wins.
   *
   * @throws {UnauthorizedException} for one that is unknown, expired or spent; a spent one ends its session, but
   *   for the newest spent one within 10 s
   */
  async refresh(refreshToken: string): Promise<IssuedSession> {
    const presented = readRefreshToken(refreshToken);
    if (!presented) throw refused();
    const next = issueRefreshToken(presented.sessionId);
    const spent = await this.sessions
      .createQueryBuilder()
      .update()
      .set({
        previousRefreshTokenHash: presented.hash,
        refreshTokenHash: next.hash,
        lastUsedAt: () => 'now()',
        expiresAt: this.expiry(),
      })
      .where('id = :sessionId AND refresh_token_hash = :hash AND ended_at IS NULL AND expires_at > now()', {
        sessionId: presented.sessionId,
        hash: presented.hash,
      })
      .returning('user_id')
      .execute();
    const [row] = spent.raw as { user_id: string }[];
    if (row) return { userId: row.user_id, sessionId: presented.sessionId, refreshToken: next.token };
    await this.punishReuse(presented.sessionId, presented.hash);
    throw refused();
  }

  /** Ends a session; its access tokens are refused here at once and elsewhere within a second. */
  async end(sessionId: string): Promise<void> {
    await this.sessions.update({ id: sessionId, endedAt: IsNull() }, { endedAt: () => 'now()' });
    this.ended.add(sessionId);
  }

  /** @throws when the session cannot be looked up: a token is never taken on trust alone */
  async hasEnded(sessionId: string): Promise<boolean> {
    return this.ended.has(sessionId);
  }

  private async punishReuse(sessionId: string, hash: Buffer): Promise<void> {
    const session = await this.sessions.findOneBy({ id: sessionId, endedAt: IsNull() });
    if (!session || session.expiresAt.getTime() <= Date.now()) return;
    const isNewestSpent = session.previousRefreshTokenHash?.equals(hash) ?? false;
    if (isNewestSpent && Date.now() - session.lastUsedAt.getTime() <= RETRY_GRACE_MS) return;
    this.logger.warn(
      `a spent refresh token was presented: session ${sessionId} of user ${session.userId} is ended`,
    );
    await this.end(sessionId);
  }

  private expiry(): Date {
    return new Date(Date.now() + this.config.jwt.refreshTtlSeconds * 1000);
  }
}

function refused(): UnauthorizedException {
  return new UnauthorizedException('The refresh token is not valid');
}
