import { Injectable, Logger } from '@nestjs/common';
import { BatchPurge } from '../jobs/batch-purge.js';
import { IdempotencyRepository } from './idempotency.repository.js';

const EVERY_MS = 3_600_000;

/** Deletes expired responses. Replicas skip each other's rows. */
@Injectable()
export class IdempotencyPurge extends BatchPurge {
  constructor(private readonly responses: IdempotencyRepository) {
    super(new Logger('Idempotency'), EVERY_MS);
  }

  protected override async purge(): Promise<void> {
    await this.inBatches((batch) => this.responses.purge(batch));
  }
}
