import { Injectable } from '@nestjs/common';
import { v7 as uuidv7 } from 'uuid';
import { refuseErasedUser } from './erased-user.js';
import { EntryTransferQueries } from './transfer/entry-transfer.queries.js';
import { IdempotencyService, type IdempotentAnswer } from '../idempotency/idempotency.service.js';
import type { EntryCreate } from './entry.schemas.js';

@Injectable()
export class EntriesBulk {
  constructor(
    private readonly entries: EntryTransferQueries,
    private readonly idempotency: IdempotencyService,
  ) {}

  /**
   * Writes all of the entries or, whatever goes wrong, none.
   *
   * @param key the header `Idempotency-Key`: the same request with it is answered once, and then as before
   * @returns the answer: `EntryBulkResultSchema`
   * @throws {UnauthorizedException} where the user was erased while the request was under way
   * @throws what {@link IdempotencyService.run} does
   */
  create(userId: string, entries: readonly EntryCreate[], key?: string): Promise<IdempotentAnswer> {
    const request = { userId, route: 'POST /entries/bulk', key, body: entries };
    return this.idempotency
      .run(request, async (statements) => {
        const rows = entries.map((fields) => ({ ...fields, id: uuidv7() }));
        const created = await this.entries.insertAll(userId, rows, statements);
        return { status: 201, headers: {}, body: JSON.stringify({ entries: created }) };
      })
      .catch(refuseErasedUser);
  }
}
