import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { newRowId } from '../database/row-id.js';
import type { Client } from '../http/client.js';
import { networkOf } from '../http/client-network.js';
import { decodeCursor, encodeCursor } from '../http/paging/cursor.js';
import { SecurityEventsRepository } from './security-events.repository.js';
import type { SecurityEventDetails, SecurityEventType } from './security-event.entity.js';
import {
  toSecurityEventBody,
  type SecurityEventList,
  type SecurityEventListQuery,
} from './security-events.schemas.js';

export interface NewSecurityEvent {
  readonly userId: string;
  readonly type: SecurityEventType;
  /** The user's client. Not that of an administrator. */
  readonly client?: Client;
  /** The administrator who did it. */
  readonly actorId?: string;
  /** No secrets, and nothing about another user. */
  readonly details?: SecurityEventDetails;
}

/** The history of an account, for its owner. */
@Injectable()
export class SecurityEventsService implements OnApplicationShutdown {
  private readonly logger = new Logger('SecurityEvents');
  private readonly writing = new Set<Promise<void>>();

  constructor(private readonly events: SecurityEventsRepository) {}

  /** @param manager of the transaction of what happened */
  async record(manager: EntityManager, event: NewSecurityEvent): Promise<void> {
    const { userId, type, client, actorId = null, details = {} } = event;
    await this.events.insert(
      { id: newRowId(), userId, type, ...originOf(client), actorId, details },
      manager,
    );
  }

  /**
   * Records a sign-in in its transaction.
   *
   * @returns whether the user has signed in before, but neither from this network nor with this user agent
   */
  recordSignIn(
    manager: EntityManager,
    { userId, client, details = {} }: Omit<NewSecurityEvent, 'type' | 'actorId'>,
  ): Promise<boolean> {
    return this.events.insertSignIn({ id: newRowId(), userId, ...originOf(client), details }, manager);
  }

  /**
   * Records a failure of the account with this e-mail address, if there is one; at most 100 of a type in a day. Nobody
   * waits for it: the time of a failed sign-in must not tell whether the account exists.
   */
  recordFailure(
    email: string,
    type: 'sign-in-failed' | 'reauthentication-failed' | 'second-factor-failed',
    client: Client,
  ): void {
    const writing = this.events
      .insertFailure({ id: newRowId(), type, ...originOf(client) }, email)
      .catch((error: unknown) => this.logger.warn(`${type} is not recorded`, error))
      .finally(() => this.writing.delete(writing));
    this.writing.add(writing);
  }

  async onApplicationShutdown(): Promise<void> {
    await Promise.all(this.writing);
  }

  /** @throws {BadRequestException} for a cursor that does not belong to this list */
  async list(userId: string, { limit, cursor }: SecurityEventListQuery): Promise<SecurityEventList> {
    const boundTo = [userId, 'security-events'];
    const after = cursor === undefined ? undefined : decodeCursor(cursor, boundTo);
    // One more shows whether there is another page.
    const events = await this.events.list(userId, limit + 1, after);
    const page = events.slice(0, limit).map(toSecurityEventBody);
    const last = events.length > limit ? page.at(-1) : undefined;
    return {
      securityEvents: page,
      limit,
      nextCursor: last ? encodeCursor({ key: last.createdAt, id: last.id }, boundTo) : null,
    };
  }
}

function originOf(client: Client | undefined) {
  return {
    network: client ? networkOf(client.ip) : null,
    userAgent: client?.userAgent?.slice(0, 512) ?? null,
  };
}
