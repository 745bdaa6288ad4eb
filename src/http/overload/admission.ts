import { HttpException, HttpStatus } from '@nestjs/common';

export interface AdmissionLimits {
  /** Of one user, at the same time; in this process, as is all of this. */
  readonly perUser: number;
  /** Of all users. */
  readonly inAll: number;
  /** What is limited, such as `imports or exports`. */
  readonly what: string;
  readonly retryAfterSeconds: number;
}

/** Bounds how many long requests are open at once, each of which may hold some MiB until its client has read it. */
export class Admission {
  private readonly open = new Map<string, number>();
  private total = 0;

  constructor(private readonly limits: AdmissionLimits) {}

  /**
   * @returns ends it, and is to be called once
   * @throws {HttpException} 429 where the user has too many open, 503 where the service has; with `Retry-After`
   */
  admit(userId: string): () => void {
    const { perUser, inAll, what, retryAfterSeconds } = this.limits;
    const own = this.open.get(userId) ?? 0;
    if (own >= perUser) {
      const message = `At most ${perUser} ${what} at a time; wait until one is finished`;
      throw new HttpException({ message, retryAfterSeconds }, HttpStatus.TOO_MANY_REQUESTS);
    }
    if (this.total >= inAll) {
      const message = `Too many ${what} are running; try again shortly`;
      throw new HttpException({ message, retryAfterSeconds }, HttpStatus.SERVICE_UNAVAILABLE);
    }
    this.open.set(userId, own + 1);
    this.total += 1;
    return () => {
      const left = (this.open.get(userId) ?? 0) - 1;
      if (left > 0) this.open.set(userId, left);
      else this.open.delete(userId);
      this.total -= 1;
    };
  }
}
