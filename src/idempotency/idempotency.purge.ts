import { Injectable, Logger } from '@nestjs/common';
import { BatchPurge } from '../jobs/batch-purge.js';
import { IdempotencyService } from './idempotency.service.js';

const EVERY_MS = 3_600_000;

/** Deletes expired responses. Replicas skip each other's rows. */
@Injectable()
export class IdempotencyPurge extends BatchPurge {
  constructor(private readonly idempotency: IdempotencyService) {
    super(new Logger('Idempotency'), EVERY_MS);
  }

  protected override async purge(): Promise<void> {
    await this.inBatches((batch) => this.idempotency.purge(batch));
  }
}
