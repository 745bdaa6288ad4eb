import { Injectable } from '@nestjs/common';
import pLimit from 'p-limit';
import { Config } from '../../config/config.js';
import { Admission } from '../../http/overload/admission.js';

/** Each may hold a few MiB. */
const LIMITS = { perUser: 2, inAll: 50, what: 'imports or exports', retryAfterSeconds: 5 };

export type Turn = <T>(statement: () => Promise<T>) => Promise<T>;
export const atOnce: Turn = (statement) => statement();

export interface Transfer {
  readonly turn: Turn;
  /** Must be called once, on success and on failure. */
  readonly close: () => void;
}

/**
 * Limits imports and exports. Their statements use at most half of the database's connections, so the rest is left for
 * others.
 */
@Injectable()
export class TransferAdmission {
  private readonly admission = new Admission(LIMITS);
  private readonly turn: Turn;

  constructor({ database }: Config) {
    this.turn = pLimit(Math.max(1, Math.floor(database.poolSize / 2)));
  }

  /** @throws what {@link Admission.admit} throws */
  admit(userId: string): Transfer {
    return { turn: this.turn, close: this.admission.admit(userId) };
  }
}
