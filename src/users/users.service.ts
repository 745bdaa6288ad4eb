import { ConflictException, Injectable, UnauthorizedException } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { QueryFailedError, Repository, type EntityManager } from 'typeorm';
import { v7 as uuidv7 } from 'uuid';
import { User } from './user.entity.js';
import type { UserPatch } from './user.schemas.js';

const UNIQUE_VIOLATION = '23505';

@Injectable()
export class UsersService {
  constructor(@InjectRepository(User) private readonly users: Repository<User>) {}

  /** @throws {ConflictException} where the e-mail is taken; the unique constraint decides between two at once */
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
        throw new ConflictException('This e-mail address has an account already');
      }
      throw error;
    }
  }

  findByEmail(email: string): Promise<User | null> {
    return this.users.findOneBy({ email });
  }

  /** @throws {UnauthorizedException} for a user who is no more, whose token may still be good for minutes */
  async get(id: string): Promise<User> {
    const user = await this.users.findOneBy({ id });
    if (!user) throw new UnauthorizedException('The user of this token is no more');
    return user;
  }

  async update(id: string, patch: UserPatch): Promise<User> {
    if (Object.keys(patch).length > 0) await this.users.update({ id }, patch);
    return this.get(id);
  }
}
