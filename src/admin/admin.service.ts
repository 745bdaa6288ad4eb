import { Injectable, NotFoundException } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, type EntityManager } from 'typeorm';
import * as z from 'zod';
import { ErasureService } from '../auth/account/erasure.service.js';
import { SecondFactorService } from '../auth/second-factor/second-factor.service.js';
import { SessionsService } from '../auth/sessions/sessions.service.js';
import { retryDeadlocks } from '../database/deadlock.js';
import { openCursor, sealCursor } from '../http/paging/cursor.js';
import type { SecurityEventType } from '../security-events/security-event.entity.js';
import { SecurityEventsService } from '../security-events/security-events.service.js';
import type { User } from '../users/user.entity.js';
import { refuseErasedUser, UsersService } from '../users/users.service.js';
import {
  toAdminUserBody,
  type AdminUserBody,
  type AdminUserList,
  type AdminUserListQuery,
  type AdminUserPatch,
} from './admin.schemas.js';

/** Who administers: a signed-in administrator, or the operator at the command line. */
export type Actor = { readonly adminId: string } | 'operator';

const PositionSchema = z.tuple([z.uuid()]);

/** The rules of administration. What is done to a user is one of the user's security events. */
@Injectable()
export class AdminService {
  constructor(
    @InjectDataSource() private readonly dataSource: DataSource,
    private readonly users: UsersService,
    private readonly sessions: SessionsService,
    private readonly secondFactor: SecondFactorService,
    private readonly securityEvents: SecurityEventsService,
    private readonly erasure: ErasureService,
  ) {}

  /** @throws {BadRequestException} for a cursor that does not belong to this list */
  async list({ q, limit, cursor }: AdminUserListQuery): Promise<AdminUserList> {
    const boundTo = ['users', q];
    const [before] = cursor === undefined ? [] : openCursor(cursor, PositionSchema, boundTo);
    // One more shows whether there is another page.
    const users = await this.users.search(q, limit + 1, before);
    const page = users.slice(0, limit).map(toAdminUserBody);
    const last = users.length > limit ? page.at(-1) : undefined;
    return { users: page, limit, nextCursor: last ? sealCursor([last.id], boundTo) : null };
  }

  /** @throws {NotFoundException} */
  async read(id: string): Promise<AdminUserBody> {
    return toAdminUserBody(await this.find(id));
  }

  /**
   * Disabling ends all sessions.
   *
   * @throws {NotFoundException}
   * @throws {ConflictException} if no administrator would be left
   */
  async update(id: string, { role, disabled }: AdminUserPatch, actor: Actor): Promise<AdminUserBody> {
    await this.change(id, async (user, manager) => {
      const isDemoted = role !== undefined && role !== 'admin';
      if (isDemoted || disabled) await this.users.refuseLastAdmin(user, manager);
      if (role !== undefined && role !== user.role) {
        await this.users.administer(id, { role }, manager);
        await this.record(id, isDemoted ? 'demoted' : 'promoted', actor, manager);
      }
      if (disabled !== undefined && disabled !== (user.disabledAt !== null)) {
        await this.users.administer(id, { disabledAt: disabled ? new Date() : null }, manager);
        await this.record(id, disabled ? 'disabled' : 'enabled', actor, manager);
      }
      return disabled ? this.sessions.endEvery(id, manager) : [];
    });
    return this.read(id);
  }

  /** @throws {NotFoundException} */
  async endSessions(id: string, actor: Actor): Promise<void> {
    await this.change(id, async (_user, manager) => {
      await this.record(id, 'sessions-ended', actor, manager);
      return this.sessions.endEvery(id, manager);
    });
  }

  /** The user gets a mail. @throws {NotFoundException} if there is no such user, or no second factor */
  async removeSecondFactor(id: string, actor: Actor): Promise<void> {
    await this.change(id, async (user, manager) => {
      await this.secondFactor.remove(user, manager);
      await this.record(id, 'second-factor-disabled', actor, manager);
      return [];
    });
  }

  /**
   * @throws {NotFoundException}
   * @throws {ConflictException} for the last administrator
   */
  async erase(id: string): Promise<void> {
    await this.erasure.erase(await this.find(id));
  }

  /**
   * @param change returns the ids of the sessions that it ends
   * @throws {UnauthorizedException} if the administrator was erased meanwhile
   */
  private async change(
    id: string,
    change: (user: User, manager: EntityManager) => Promise<string[]>,
  ): Promise<void> {
    const ended = await retryDeadlocks(() =>
      this.dataSource.transaction(async (manager) =>
        change((await this.users.lock(id, manager)) ?? notFound(), manager),
      ),
    ).catch(refuseErasedUser);
    this.sessions.markEnded(ended);
  }

  private record(id: string, type: SecurityEventType, actor: Actor, manager: EntityManager): Promise<void> {
    return this.securityEvents.record(manager, {
      userId: id,
      type,
      ...(actor === 'operator'
        ? { details: { by: 'operator' } }
        : { actorId: actor.adminId, details: { by: 'administrator' } }),
    });
  }

  private async find(id: string): Promise<User> {
    return (await this.users.find(id)) ?? notFound();
  }
}

function notFound(): never {
  throw new NotFoundException('No such user');
}
