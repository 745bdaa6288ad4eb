import { Injectable, Logger } from '@nestjs/common';
import { BatchPurge } from '../jobs/batch-purge.js';
import { EntryQueries } from './entry.queries.js';

/** How long an entry stays in the trash. */
const KEPT_DAYS = 30;

const EVERY_MS = 3_600_000;

/** Deletes permanently what has been in the trash for 30 days. Of several replicas, one does it at a time. */
@Injectable()
export class TrashPurge extends BatchPurge {
  constructor(private readonly entries: EntryQueries) {
    super(new Logger('Trash'), EVERY_MS);
  }

  protected override async purge(): Promise<void> {
    const purged = await this.inBatches((batch) => this.entries.purge(KEPT_DAYS, batch));
    if (purged > 0) this.logger.log(`deleted ${purged} entries that were in the trash for ${KEPT_DAYS} days`);
  }
}
