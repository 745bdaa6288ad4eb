import { ConflictException, ForbiddenException, Injectable, UnauthorizedException } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { ILike, IsNull, LessThan, Not, QueryFailedError, Repository, type EntityManager } from 'typeorm';
import { newRowId } from '../database/row-id.js';
import { User } from './user.entity.js';
import type { UserPatch } from './users.schemas.js';

const UNIQUE_VIOLATION = '23505';
const FOREIGN_KEY_VIOLATION = '23503';

/** Key of the advisory lock of those who remove an administrator: `admins` in ASCII. */
const ADMINS_LOCK = 0x61646d696e73;

@Injectable()
export class UsersService {
  constructor(@InjectRepository(User) private readonly users: Repository<User>) {}

  /** @throws {ConflictException} if the e-mail is taken; the unique constraint decides races */
  async create(
    fields: Pick<User, 'email' | 'passwordHash' | 'displayName'>,
    manager: EntityManager = this.users.manager,
  ): Promise<User> {
    const users = manager.withRepository(this.users);
    const given = {
      ...fields,
      id: newRowId(),
      timezone: 'UTC',
      role: 'user',
      emailVerifiedAt: null,
      disabledAt: null,
    } as const;
    return users.save(users.create(given), { transaction: false }).catch(refuseTakenEmail);
  }

  findByEmail(email: string): Promise<User | null> {
    return this.users.findOneBy({ email });
  }

  find(id: string): Promise<User | null> {
    return this.users.findOneBy({ id });
  }

  /** @throws {UnauthorizedException} if the user no longer exists; an access token outlives its user by minutes */
  async get(id: string): Promise<User> {
    const user = await this.find(id);
    if (!user) throw userNoLongerExists();
    return user;
  }

  async update(id: string, patch: UserPatch): Promise<User> {
    if (Object.keys(patch).length > 0) await this.users.update({ id }, patch);
    return this.get(id);
  }

  /** Replaces the hash if it is still `expected`. @returns whether it did */
  async replacePasswordHash(
    id: string,
    expected: string,
    passwordHash: string,
    manager: EntityManager = this.users.manager,
  ): Promise<boolean> {
    const { affected } = await manager
      .withRepository(this.users)
      // Keeps updatedAt: nothing that clients see changes.
      .update({ id, passwordHash: expected }, { passwordHash, updatedAt: () => 'updated_at' });
    return affected === 1;
  }

  /** Replaces the hash, whatever it is. @returns false if the user no longer exists */
  async setPasswordHash(id: string, passwordHash: string, manager: EntityManager): Promise<boolean> {
    const { affected } = await manager
      .withRepository(this.users)
      .update({ id }, { passwordHash, updatedAt: () => 'updated_at' });
    return affected === 1;
  }

  /** The first verification counts. */
  async verifyEmail(id: string, manager: EntityManager): Promise<void> {
    await manager
      .withRepository(this.users)
      .update({ id, emailVerifiedAt: IsNull() }, { emailVerifiedAt: () => 'now()' });
  }

  /** Sets a verified address. @throws {ConflictException} if it is taken */
  async changeEmail(id: string, email: string, manager: EntityManager): Promise<void> {
    await manager
      .withRepository(this.users)
      .update({ id }, { email, emailVerifiedAt: () => 'now()' })
      .catch(refuseTakenEmail);
  }

  /**
   * Locks the user's row against other changes and erasure until the transaction ends.
   *
   * @returns null if the hash is no longer `expected`
   */
  lockPasswordHash(
    id: string,
    expected: string,
    manager: EntityManager,
  ): Promise<Pick<User, 'id' | 'disabledAt'> | null> {
    return manager.withRepository(this.users).findOne({
      select: { id: true, disabledAt: true },
      where: { id, passwordHash: expected },
      lock: { mode: 'pessimistic_read' },
    });
  }

  /** Locks the user's row until the transaction ends. Null if there is no such user. */
  lock(id: string, manager: EntityManager): Promise<User | null> {
    return manager.withRepository(this.users).findOne({ where: { id }, lock: { mode: 'for_no_key_update' } });
  }

  /** The same, and no new row can refer to the user. */
  lockForErasure(id: string, manager: EntityManager): Promise<User | null> {
    return manager.withRepository(this.users).findOne({ where: { id }, lock: { mode: 'pessimistic_write' } });
  }

  /**
   * Until the transaction ends, others wait here, so that of two concurrent requests the second sees what the first did.
   *
   * @param user locked
   * @throws {ConflictException} if the user is the last administrator who is not disabled
   */
  async refuseLastAdmin(user: User, manager: EntityManager): Promise<void> {
    if (user.role !== 'admin' || user.disabledAt) return;
    await manager.query('SELECT pg_advisory_xact_lock($1)', [ADMINS_LOCK]);
    const others = { id: Not(user.id), role: 'admin', disabledAt: IsNull() } as const;
    if (!(await manager.withRepository(this.users).existsBy(others)))
      throw new ConflictException('The last administrator cannot be demoted, disabled or erased');
  }

  /** Sets role and state of a user that is locked by {@link lock}. */
  async administer(
    id: string,
    changes: Partial<Pick<User, 'role' | 'disabledAt'>>,
    manager: EntityManager,
  ): Promise<void> {
    await manager.withRepository(this.users).update({ id }, changes);
  }

  /**
   * Newest first.
   *
   * @param q part of the e-mail address or the display name, ignoring case
   * @param before id of the last user of the page before
   */
  search(q: string | undefined, limit: number, before?: string): Promise<User[]> {
    const page = before === undefined ? {} : { id: LessThan(before) };
    const part = q === undefined ? undefined : ILike(`%${q.replaceAll(/[\\%_]/g, String.raw`\$&`)}%`);
    return this.users.find({
      where: part
        ? [
            { ...page, email: part },
            { ...page, displayName: part },
          ]
        : page,
      order: { id: 'DESC' },
      take: limit,
    });
  }

  /** Foreign keys cascade. */
  async erase(id: string, manager: EntityManager): Promise<void> {
    await manager.withRepository(this.users).delete({ id });
  }
}

function refuseTakenEmail(error: unknown): never {
  const { code } = (error instanceof QueryFailedError ? error.driverError : {}) as { code?: string };
  if (code === UNIQUE_VIOLATION)
    throw new ConflictException('An account with this e-mail address already exists');
  throw error;
}

/** Only for who proved to be the owner. */
export function accountDisabled(): ForbiddenException {
  return new ForbiddenException('The account is disabled');
}

export function userNoLongerExists(): UnauthorizedException {
  return new UnauthorizedException('User no longer exists');
}

/**
 * For a write of rows that belong to a user.
 *
 * @throws {UnauthorizedException} if the user was erased meanwhile; otherwise the error itself
 */
export function refuseErasedUser(error: unknown): never {
  throw (error as { code?: unknown }).code === FOREIGN_KEY_VIOLATION ? userNoLongerExists() : error;
}
