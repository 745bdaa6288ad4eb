import { Injectable, Logger } from '@nestjs/common';
import { ReadThroughCache } from '../cache/read-through-cache.js';
import { BatchPurge } from '../database/batch-purge.js';
import { EntryQueries } from './entry.queries.js';

/** How long an entry stays in the trash. */
const KEPT_DAYS = 30;

const EVERY_MS = 3_600_000;

/** Deletes for good what has been in the trash for 30 days. Of several replicas one does it at a time; another leaves it to that one. */
@Injectable()
export class TrashPurge extends BatchPurge {
  constructor(
    private readonly entries: EntryQueries,
    private readonly cache: ReadThroughCache,
  ) {
    super(new Logger('Trash'), EVERY_MS);
  }

  protected override async purge(): Promise<void> {
    const purged = await this.inBatches(async (batch) => {
      const owners = await this.entries.purge(KEPT_DAYS, batch);
      for (const owner of new Set(owners)) await this.cache.invalidate(owner);
      return owners.length;
    });
    if (purged > 0)
      this.logger.log(`${purged} entries had been in the trash for ${KEPT_DAYS} days and are deleted`);
  }
}
