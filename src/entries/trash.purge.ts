import { Injectable, Logger } from '@nestjs/common';
import { BatchPurge } from '../jobs/batch-purge.js';
import { EntriesRepository } from './entries.repository.js';

const RETENTION_DAYS = 30;

const EVERY_MS = 3_600_000;

/** Permanently deletes entries after 30 days in the trash. One replica purges at a time. */
@Injectable()
export class TrashPurge extends BatchPurge {
  constructor(private readonly entries: EntriesRepository) {
    super(new Logger('Trash'), EVERY_MS);
  }

  protected override async purge(): Promise<void> {
    const purged = await this.inBatches((batch) => this.entries.purge(RETENTION_DAYS, batch));
    if (purged > 0)
      this.logger.log(`deleted ${purged} entries that were in the trash for ${RETENTION_DAYS} days`);
  }
}
