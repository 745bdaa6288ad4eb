import { Injectable, type OnModuleInit } from '@nestjs/common';
import { Sql } from '../database/sql.js';
import { PersonalDataService, type PersonalData } from '../users/personal-data.service.js';
import { iso } from './entry.queries.js';

/** Answers in memory at once: that to a bulk request has up to 1000 entries. */
const EXPORT_BATCH = 5;

/** The answers that are kept to be given again, whose texts outlive the entries that they tell of. */
@Injectable()
export class IdempotencyPersonalData implements PersonalData, OnModuleInit {
  readonly section = 'idempotencyKeys';

  constructor(
    private readonly sql: Sql,
    private readonly personalData: PersonalDataService,
  ) {}

  onModuleInit(): void {
    this.personalData.register(this);
  }

  async *export(userId: string): AsyncGenerator<string> {
    let after = '';
    for (let rows = EXPORT_BATCH; rows === EXPORT_BATCH;) {
      const batch = await this.sql.queryArrays<[json: string, key: string]>(
        'idempotency-personal-export',
        `SELECT row_to_json(k)::text, key
           FROM (SELECT key, ${iso('created_at')} AS "createdAt", status, body::json FROM idempotency_keys
                  WHERE user_id = $1 AND key > $2 ORDER BY key LIMIT $3) k`,
        [userId, after, EXPORT_BATCH],
      );
      for (const [json, key] of batch) {
        after = key;
        yield json;
      }
      rows = batch.length;
    }
  }
}
