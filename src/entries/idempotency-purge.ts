import { Injectable, Logger } from '@nestjs/common';
import { BatchPurge } from '../database/batch-purge.js';
import { Idempotency } from './idempotency.js';

const EVERY_MS = 3_600_000;

/** Forgets the answers that are no longer given again. Of several replicas, each takes rows that no other has. */
@Injectable()
export class IdempotencyPurge extends BatchPurge {
  constructor(private readonly idempotency: Idempotency) {
    super(new Logger('Idempotency'), EVERY_MS);
  }

  protected override async purge(): Promise<void> {
    await this.inBatches((batch) => this.idempotency.purge(batch));
  }
}
