import { Injectable, Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { Idempotency } from './idempotency.js';

const EVERY_MS = 3_600_000;

/** Rows deleted by one statement: few enough that nobody waits for it. */
const BATCH = 500;

/** Forgets the answers that are no longer given again. Of several replicas, each takes rows that no other has. */
@Injectable()
export class IdempotencyPurge implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger('Idempotency');
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> | undefined;
  private stopping = false;

  constructor(private readonly idempotency: Idempotency) {}

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
      for (let rows = BATCH; rows === BATCH && !this.stopping;) rows = await this.idempotency.purge(BATCH);
    } catch (error) {
      this.logger.warn(`could not be purged, next try in ${EVERY_MS / 60_000} min: ${String(error)}`);
    } finally {
      this.running = undefined;
    }
  }
}
