import { createHash } from 'node:crypto';
import { ConflictException, Injectable, UnprocessableEntityException } from '@nestjs/common';
import { Sql, type Statements } from '../database/sql.js';
import { refuseErasedUser } from '../users/users.service.js';
import { IdempotencyRepository, type StoredResponse } from './idempotency.repository.js';

export interface IdempotentResponse extends StoredResponse {
  readonly isReplayed: boolean;
}

export interface IdempotentRequest {
  readonly userId: string;
  /** Such as `POST /entries`. The same key on another route is a different request. */
  readonly route: string;
  readonly key: string | undefined;
  readonly body: unknown;
}

/**
 * Idempotent requests: https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
 * One transaction does the work and stores the response.
 */
@Injectable()
export class IdempotencyService {
  constructor(
    private readonly sql: Sql,
    private readonly responses: IdempotencyRepository,
  ) {}

  /**
   * @param work gets the statements of a transaction if there is a key, and does not run if its response is stored
   * @throws {UnauthorizedException} if the user was erased meanwhile
   * @throws {ConflictException} while the first request with this key is in progress
   * @throws {UnprocessableEntityException} if the key was used for a different request
   */
  async run(
    { userId, route, key, body }: IdempotentRequest,
    work: (statements?: Statements) => Promise<StoredResponse>,
  ): Promise<IdempotentResponse> {
    if (key === undefined) return { ...(await work()), isReplayed: false };
    const hash = createHash('sha256')
      .update(`${route}\n${JSON.stringify(body)}`)
      .digest();
    return this.sql.transaction(async (statements) => {
      if (!(await this.responses.lock(userId, key, statements))) {
        throw new ConflictException('The first request with this Idempotency-Key is still in progress');
      }
      const stored = await this.responses.find(userId, key, statements);
      if (stored) {
        const { requestHash, ...response } = stored;
        if (requestHash.equals(hash)) return { ...response, isReplayed: true };
        throw new UnprocessableEntityException('This Idempotency-Key was used for a different request');
      }
      const response = await work(statements);
      await this.responses.store(userId, key, hash, response, statements).catch(refuseErasedUser);
      return { ...response, isReplayed: false };
    });
  }
}
