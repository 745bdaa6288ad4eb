import type { Logger, OnApplicationBootstrap, OnApplicationShutdown } from '@nestjs/common';

/** Rows deleted by one statement: few enough that nobody waits for it. */
const BATCH = 500;

/** Deletes every so often what has had its time, batch by batch. Stops between two batches. */
export abstract class BatchPurge implements OnApplicationBootstrap, OnApplicationShutdown {
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> | undefined;
  private stopping = false;

  constructor(
    protected readonly logger: Logger,
    private readonly everyMs: number,
  ) {}

  onApplicationBootstrap(): void {
    this.timer = setInterval(() => {
      this.running ??= this.run().finally(() => (this.running = undefined));
    }, this.everyMs).unref();
  }

  async onApplicationShutdown(): Promise<void> {
    this.stopping = true;
    clearInterval(this.timer);
    await this.running;
  }

  /** One round, until nothing is left to delete. What goes wrong is told, and tried again in the next. */
  async run(): Promise<void> {
    try {
      await this.purge();
    } catch (error) {
      this.logger.warn(`purge failed, next try in ${this.everyMs / 60_000} min`, error);
    }
  }

  protected abstract purge(): Promise<void>;

  /**
   * @param deleteRows deletes at most `batch` rows, and returns how many
   * @returns how many in all
   */
  protected async inBatches(deleteRows: (batch: number) => Promise<number>): Promise<number> {
    let deleted = 0;
    for (let rows = BATCH; rows === BATCH && !this.stopping; deleted += rows) rows = await deleteRows(BATCH);
    return deleted;
  }
}
