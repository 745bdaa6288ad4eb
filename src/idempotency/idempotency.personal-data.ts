import { Injectable, type OnModuleInit } from '@nestjs/common';
import { Sql } from '../database/sql.js';
import { PersonalDataService, type PersonalData } from '../users/personal-data.service.js';

/** Responses in memory. That of a bulk request has up to 1000 entries. */
const EXPORT_BATCH = 5;

interface KeptAnswer {
  readonly key: string;
  readonly createdAt: Date;
  readonly status: number;
  readonly body: string;
}

/** Stored responses. Their texts outlive the entries. */
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
      const { rows: batch } = await this.sql.query<KeptAnswer>(
        'idempotency-personal-export',
        `SELECT key, created_at AS "createdAt", status, body FROM idempotency_keys
          WHERE user_id = $1 AND key > $2 ORDER BY key LIMIT $3`,
        [userId, after, EXPORT_BATCH],
      );
      for (const answer of batch) {
        after = answer.key;
        yield JSON.stringify({ ...answer, body: JSON.parse(answer.body) as unknown });
      }
      rows = batch.length;
    }
  }
}
