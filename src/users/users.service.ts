import { ConflictException, Injectable, UnauthorizedException } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { QueryFailedError, Repository, type EntityManager } from 'typeorm';
import { v7 as uuidv7 } from 'uuid';
import { User } from './user.entity.js';
import type { UserPatch } from './users.schemas.js';

const UNIQUE_VIOLATION = '23505';
const FOREIGN_KEY_VIOLATION = '23503';

@Injectable()
export class UsersService {
  constructor(@InjectRepository(User) private readonly users: Repository<User>) {}

  /** @throws {ConflictException} if the e-mail is taken; the unique constraint decides races */
  async create(
    fields: Pick<User, 'email' | 'passwordHash' | 'displayName'>,
    manager: EntityManager = this.users.manager,
  ): Promise<User> {
    const users = manager.withRepository(this.users);
    try {
      return await users.save(users.create({ ...fields, id: uuidv7(), timezone: 'UTC' }), {
        transaction: false,
      });
    } catch (error) {
      if (
        error instanceof QueryFailedError &&
        (error.driverError as { code?: string }).code === UNIQUE_VIOLATION
      ) {
        throw new ConflictException('An account with this e-mail address already exists');
      }
      throw error;
    }
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

  /**
   * Locks the user's row against a change of password and erasure until the transaction ends.
   *
   * @returns whether the hash is still `expected`
   */
  async lockPasswordHash(id: string, expected: string, manager: EntityManager): Promise<boolean> {
    const user = await manager.withRepository(this.users).findOne({
      select: { id: true },
      where: { id, passwordHash: expected },
      lock: { mode: 'pessimistic_read' },
    });
    return user !== null;
  }

  /**
   * Locks the user's row until the transaction ends, so that no new row can refer to it.
   *
   * @throws {UnauthorizedException} if the user no longer exists
   */
  async lock(id: string, manager: EntityManager): Promise<void> {
    const user = await manager
      .withRepository(this.users)
      .findOne({ select: { id: true }, where: { id }, lock: { mode: 'pessimistic_write' } });
    if (!user) throw userNoLongerExists();
  }

  /** Foreign keys cascade. */
  async erase(id: string, manager: EntityManager): Promise<void> {
    await manager.withRepository(this.users).delete({ id });
  }
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
