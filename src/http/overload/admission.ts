import { HttpException, HttpStatus } from '@nestjs/common';

export interface AdmissionLimits {
  /** Concurrent requests per user, in this process. */
  readonly perUser: number;
  /** Concurrent requests of all users, in this process. */
  readonly inAll: number;
  /** What is limited, such as `imports or exports`. */
  readonly what: string;
  readonly retryAfterSeconds: number;
}

/** Limits concurrent long requests, each of which may hold some MiB until the client has read the response. */
export class Admission {
  private readonly open = new Map<string, number>();
  private total = 0;

  constructor(private readonly limits: AdmissionLimits) {}

  /**
   * @returns a function that ends the admission and must be called once
   * @throws {HttpException} 429 at the limit of the user, 503 at the limit of the service; with `Retry-After`
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
