import { ServiceUnavailableException } from '@nestjs/common';
import pLimit from 'p-limit';

/** With one slot, the last one waits for about six seconds. */
const MAX_WAITING = 256;

/**
 * Limits how many passwords are hashed at once, and how many wait. A hash takes 19 MiB and a thread of Node's pool,
 * which files and DNS need too: without a limit, a flood of logins would take all of both. docs/security.md has the
 * measurements.
 */
export class HashSlots {
  private readonly limit: ReturnType<typeof pLimit>;

  /** @param count less than the threads of the pool */
  constructor(count: number) {
    this.limit = pLimit(count);
  }

  get state(): { readonly running: number; readonly waiting: number } {
    return { running: this.limit.activeCount, waiting: this.limit.pendingCount };
  }

  /** @throws {ServiceUnavailableException} if too many wait; p-limit itself has no bound */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.limit.pendingCount >= MAX_WAITING) {
      throw new ServiceUnavailableException('Too many sign-ins at the moment; try again shortly');
    }
    return this.limit(work);
  }
}
