import { ServiceUnavailableException } from '@nestjs/common';

/** How many may wait: with one slot, some six seconds. */
const WAITING = 256;

/**
 * Lets so many pieces of work run at once, and so many more wait their turn. Hashing a password takes 19 MiB and a
 * thread of Node's pool, in which files and DNS wait too: without a bound, a flood of logins would take all of both.
 * docs/security.md has what it measured.
 */
export class HashSlots {
  private readonly waiting: (() => void)[] = [];
  private running = 0;

  /** @param count less than the pool has threads */
  constructor(private readonly count: number) {}

  get state(): { readonly running: number; readonly waiting: number } {
    return { running: this.running, waiting: this.waiting.length };
  }

  /** @throws {ServiceUnavailableException} at once, when too many wait already */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.running < this.count) this.running += 1;
    else await this.turn();
    try {
      return await work();
    } finally {
      // The slot goes from hand to hand: nobody who comes in between can take it from the one who waits.
      const next = this.waiting.shift();
      if (next) next();
      else this.running -= 1;
    }
  }

  private turn(): Promise<void> {
    if (this.waiting.length >= WAITING) {
      throw new ServiceUnavailableException('Too many sign in at this moment; try again shortly');
    }
    return new Promise((resolve) => this.waiting.push(resolve));
  }
}
