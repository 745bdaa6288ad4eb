import { Injectable, Logger, NotFoundException, UnauthorizedException } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { v7 as uuidv7 } from 'uuid';
import { EndedSessionsService } from './ended-sessions.service.js';
import { RefreshTokensService, type PresentedRefreshToken } from '../tokens/refresh-tokens.service.js';
import { SessionsRepository } from './sessions.repository.js';
import { toSessionBody, type SessionBody } from './sessions.schemas.js';

/** A new session ends the least recently used one beyond this number. */
const SESSIONS_PER_USER = 100;

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
    private readonly sessions: SessionsRepository,
    private readonly ended: EndedSessionsService,
    private readonly refreshTokens: RefreshTokensService,
  ) {}

  /** @param manager of the surrounding transaction, if any */
  async start(userId: string, { ip, userAgent }: Client, manager?: EntityManager): Promise<IssuedSession> {
    const { token, sessionId, hash } = this.refreshTokens.issue(uuidv7());
    await this.sessions.insert(
      {
        id: sessionId,
        userId,
        refreshTokenHash: hash,
        ip: ip.slice(0, 45),
        userAgent: userAgent?.slice(0, 512) ?? null,
      },
      manager,
    );
    await this.sessions.endLeastRecentlyUsed(userId, SESSIONS_PER_USER, manager);
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
    const userId = await this.sessions.rotate(presented.sessionId, presented.hash, next.hash);
    if (userId !== undefined) return { userId, sessionId: presented.sessionId, refreshToken: next.token };
    await this.punishReuse(presented);
    throw refused();
  }

  /** The user's live sessions, last used first. */
  async list(userId: string, currentId: string): Promise<SessionBody[]> {
    const sessions = await this.sessions.list(userId);
    return sessions.map((session) => toSessionBody(session, currentId));
  }

  /** This replica refuses its access tokens at once, others within a second. */
  async end(sessionId: string): Promise<void> {
    this.markEnded(await this.sessions.end(sessionId));
  }

  /** @throws {NotFoundException} if the user has no live session with this id */
  async endOf(userId: string, sessionId: string): Promise<void> {
    const ended = await this.sessions.endOf(userId, sessionId);
    this.markEnded(ended);
    if (ended.length === 0) throw new NotFoundException('No such session');
  }

  async endAll(userId: string): Promise<void> {
    this.markEnded(await this.sessions.endAll(userId));
  }

  /** Runs in a transaction. Call {@link markEnded} after its commit. @returns the ids of the ended sessions */
  endOthers(userId: string, currentId: string, manager: EntityManager): Promise<string[]> {
    return this.sessions.endOthers(userId, currentId, manager);
  }

  /**
   * Runs `eraseUser` in a transaction, which also deletes the user's sessions, and stores their ids for other replicas.
   * Call {@link markEnded} after the commit.
   *
   * @returns the ids of the sessions
   */
  async eraseWith(userId: string, manager: EntityManager, eraseUser: () => Promise<void>): Promise<string[]> {
    const ids = await this.sessions.idsOf(userId, manager);
    await eraseUser();
    // Last, so that replicas find them however long the erasure took.
    await this.sessions.storeErased(ids, manager);
    return ids;
  }

  /** Whether a session of this account was started from this address. */
  async isKnownAddress(email: string, ip: string): Promise<boolean> {
    return this.sessions.existsWithAddress(email, ip);
  }

  /** Marks sessions as ended on this replica. Other replicas poll. */
  markEnded(endedIds: readonly string[]): void {
    for (const id of endedIds) this.ended.add(id);
  }

  /** @throws if the session cannot be read: a token alone is never trusted */
  async hasEnded(sessionId: string): Promise<boolean> {
    return this.ended.has(sessionId);
  }

  /** The token was probably stolen. */
  private async punishReuse({ sessionId, hash, isAuthentic }: PresentedRefreshToken): Promise<void> {
    const ended = await this.sessions.endReused(sessionId, hash, isAuthentic);
    this.markEnded(ended);
    if (ended.length > 0)
      this.logger.warn(`a used refresh token was presented again: session ${sessionId} is ended`);
  }
}

function refused(): UnauthorizedException {
  return new UnauthorizedException('The refresh token is not valid');
}
