import { Injectable, UnauthorizedException } from '@nestjs/common';
import { v7 as uuidv7 } from 'uuid';
import { ReadThroughCache } from '../cache/read-through-cache.js';
import { EntryTransferQueries } from './entry-transfer.queries.js';
import type { EntryCreate } from './entry.schemas.js';

const FOREIGN_KEY_VIOLATION = '23503';

@Injectable()
export class EntriesBulk {
  constructor(
    private readonly entries: EntryTransferQueries,
    private readonly cache: ReadThroughCache,
  ) {}

  /**
   * Writes all of the entries or, whatever goes wrong, none.
   *
   * @returns the answer's JSON: `EntryBulkResultSchema`
   * @throws {UnauthorizedException} where the user was erased while the request was under way
   */
  async create(userId: string, entries: readonly EntryCreate[]): Promise<string> {
    const rows = entries.map((fields) => ({ ...fields, id: uuidv7() }));
    let created: string[];
    try {
      created = await this.entries.insertAll(userId, rows);
    } catch (error) {
      if ((error as { code?: string }).code !== FOREIGN_KEY_VIOLATION) throw error;
      throw new UnauthorizedException('The user of this token is no more');
    }
    await this.cache.invalidate(userId);
    return `{"entries":[${created.join(',')}]}`;
  }
}
