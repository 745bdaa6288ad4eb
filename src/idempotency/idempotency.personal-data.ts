import { Injectable, type OnModuleInit } from '@nestjs/common';
import { PersonalDataService, type PersonalData } from '../users/personal-data.service.js';
import { IdempotencyRepository } from './idempotency.repository.js';

/** Responses in memory. That of a bulk request has up to 1000 entries. */
const EXPORT_BATCH = 5;

/** Stored responses. Their texts outlive the entries. */
@Injectable()
export class IdempotencyPersonalData implements PersonalData, OnModuleInit {
  readonly section = 'idempotencyKeys';

  constructor(
    private readonly responses: IdempotencyRepository,
    private readonly personalData: PersonalDataService,
  ) {}

  onModuleInit(): void {
    this.personalData.register(this);
  }

  async *export(userId: string): AsyncGenerator<string> {
    let after = '';
    for (let rows = EXPORT_BATCH; rows === EXPORT_BATCH;) {
      const batch = await this.responses.list(userId, after, EXPORT_BATCH);
      for (const response of batch) {
        after = response.key;
        yield JSON.stringify({ ...response, body: JSON.parse(response.body) as unknown });
      }
      rows = batch.length;
    }
  }
}
