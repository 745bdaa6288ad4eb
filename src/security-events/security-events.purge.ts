import { Injectable, Logger } from '@nestjs/common';
import { BatchPurge } from '../jobs/batch-purge.js';
import { SecurityEventsRepository } from './security-events.repository.js';

const EVERY_MS = 3_600_000;

/** Deletes events after 180 days. Replicas skip each other's rows. */
@Injectable()
export class SecurityEventsPurge extends BatchPurge {
  constructor(private readonly events: SecurityEventsRepository) {
    super(new Logger('SecurityEvents'), EVERY_MS);
  }

  protected override async purge(): Promise<void> {
    await this.inBatches((batch) => this.events.purge(batch));
  }
}
