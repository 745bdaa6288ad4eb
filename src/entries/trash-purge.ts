import { Injectable, Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { ReadThroughCache } from '../cache/read-through-cache.js';
import { EntryQueries } from './entry.queries.js';

/** How long an entry stays in the trash. */
const KEPT_DAYS = 30;

const EVERY_MS = 3_600_000;

/** Rows deleted by one statement: few enough that nobody waits for it. */
const BATCH = 500;

/** Deletes for good what has been in the trash for 30 days. Of several replicas one does it at a time; another leaves it to that one. */
@Injectable()
export class TrashPurge implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger('Trash');
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> | undefined;
  private stopping = false;

  constructor(
    private readonly entries: EntryQueries,
    private readonly cache: ReadThroughCache,
  ) {}

  onApplicationBootstrap(): void {
    this.timer = setInterval(() => {
      this.running ??= this.run();
    }, EVERY_MS).unref();
  }

  async onApplicationShutdown(): Promise<void> {
    this.stopping = true;
    clearInterval(this.timer);
    await this.running;
  }

  /** One round: batch after batch until nothing is left to delete. */
  async run(): Promise<void> {
    try {
      let purged = 0;
      for (let rows = BATCH; rows === BATCH && !this.stopping; purged += rows) {
        const owners = await this.entries.purge(KEPT_DAYS, BATCH);
        for (const owner of new Set(owners)) await this.cache.invalidate(owner);
        rows = owners.length;
      }
      if (purged > 0)
        this.logger.log(`${purged} entries had been in the trash for ${KEPT_DAYS} days and are deleted`);
    } catch (error) {
      this.logger.warn(`could not be purged, next try in ${EVERY_MS / 60_000} min: ${String(error)}`);
    } finally {
      this.running = undefined;
    }
  }
}
