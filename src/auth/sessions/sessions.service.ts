import { Injectable, Logger, NotFoundException, UnauthorizedException } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, type EntityManager } from 'typeorm';
import { retryDeadlocks } from '../../database/deadlock.js';
import { newRowId } from '../../database/row-id.js';
import type { Client } from '../../http/client.js';
import type { Principal } from '../../http/current-user.decorator.js';
import {
  SecurityEventsService,
  type NewSecurityEvent,
} from '../../security-events/security-events.service.js';
import { EndedSessionsService } from './ended-sessions.service.js';
import { RefreshTokensService, type PresentedRefreshToken } from '../tokens/refresh-tokens.service.js';
import { SessionsRepository } from './sessions.repository.js';
import { toSessionBody, type SessionBody } from './sessions.schemas.js';

/** A new session ends the least recently used one beyond this number. */
const SESSIONS_PER_USER = 100;

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
    @InjectDataSource() private readonly dataSource: DataSource,
    private readonly sessions: SessionsRepository,
    private readonly securityEvents: SecurityEventsService,
    private readonly ended: EndedSessionsService,
    private readonly refreshTokens: RefreshTokensService,
  ) {}

  /** @param manager of the surrounding transaction, if any */
  async start(userId: string, { ip, userAgent }: Client, manager?: EntityManager): Promise<IssuedSession> {
    const { token, sessionId, hash } = this.refreshTokens.issue(newRowId());
    await this.sessions.insert(
      {
        id: sessionId,
        userId,
        refreshTokenHash: hash,
        ip,
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
  async refresh(refreshToken: string, client: Client): Promise<IssuedSession> {
    const presented = this.refreshTokens.read(refreshToken);
    if (!presented) throw refused();
    const next = this.refreshTokens.issue(presented.sessionId);
    const userId = await this.sessions.rotate(presented.sessionId, presented.hash, next.hash);
    if (userId !== undefined) return { userId, sessionId: presented.sessionId, refreshToken: next.token };
    await this.punishReuse(presented, client);
    throw refused();
  }

  /** The user's live sessions, last used first. */
  async list(userId: string, currentId: string): Promise<SessionBody[]> {
    const sessions = await this.sessions.list(userId);
    return sessions.map((session) => toSessionBody(session, currentId));
  }

  /** This replica refuses its access tokens at once, others within a second. */
  async end({ userId, sessionId }: Principal, client: Client): Promise<void> {
    const event: NewSecurityEvent = { userId, type: 'session-ended', client, details: { sessionId } };
    await this.endAndRecord(event, (manager) => this.sessions.end(sessionId, manager));
  }

  /** @throws {NotFoundException} if the user has no live session with this id */
  async endOf(userId: string, sessionId: string, client: Client): Promise<void> {
    const event: NewSecurityEvent = { userId, type: 'session-ended', client, details: { sessionId } };
    const ended = await this.endAndRecord(event, (manager) =>
      this.sessions.endOf(userId, sessionId, manager),
    );
    if (ended.length === 0) throw new NotFoundException('No such session');
  }

  async endAll(userId: string, client: Client): Promise<void> {
    await this.endAndRecord({ userId, type: 'sessions-ended', client }, (manager) =>
      this.sessions.endAll(userId, manager),
    );
  }

  /** The same in a transaction that records the reason. Call {@link markEnded} after its commit. @returns the ids */
  endEvery(userId: string, manager: EntityManager): Promise<string[]> {
    return this.sessions.endAll(userId, manager);
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

  /** An erasure locks user and sessions in the other order, so the two can deadlock. */
  private async endAndRecord(
    event: NewSecurityEvent,
    end: (manager: EntityManager) => Promise<string[]>,
  ): Promise<string[]> {
    const ended = await retryDeadlocks(() =>
      this.dataSource.transaction(async (manager) => {
        const ids = await end(manager);
        if (ids.length > 0) await this.securityEvents.record(manager, event);
        return ids;
      }),
    );
    this.markEnded(ended);
    return ended;
  }

  /** The token was probably stolen. */
  private async punishReuse(
    { sessionId, hash, isAuthentic }: PresentedRefreshToken,
    client: Client,
  ): Promise<void> {
    const userId = await retryDeadlocks(() =>
      this.dataSource.transaction(async (manager) => {
        const owner = await this.sessions.endReused(sessionId, hash, isAuthentic, manager);
        if (owner !== undefined) {
          const event = { userId: owner, client, details: { sessionId } };
          await this.securityEvents.record(manager, { ...event, type: 'refresh-token-reused' });
        }
        return owner;
      }),
    );
    if (userId === undefined) return;
    this.markEnded([sessionId]);
    this.logger.warn(`a used refresh token was presented again: session ${sessionId} is ended`);
  }
}

function refused(): UnauthorizedException {
  return new UnauthorizedException('The refresh token is not valid');
}
