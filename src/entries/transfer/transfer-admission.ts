import { Injectable } from '@nestjs/common';
import { Config } from '../../config/config.js';
import { Admission } from '../../http/overload/admission.js';

/** Each may hold a few MiB. */
const LIMITS = { perUser: 2, inAll: 50, what: 'imports or exports', retryAfterSeconds: 5 };

/** Lets a statement run when it is its turn. */
export type Turn = <T>(statement: () => Promise<T>) => Promise<T>;
export const atOnce: Turn = (statement) => statement();

export interface Transfer {
  readonly turn: Turn;
  /** To be called once, however it ended. */
  readonly close: () => void;
}

/**
 * Lets imports and exports in, so that they leave room for everybody else: of the database's connections, their
 * statements have half at most.
 */
@Injectable()
export class TransferAdmission {
  private readonly admission = new Admission(LIMITS);
  private readonly maxStatements: number;
  private statements = 0;
  private readonly waiting: (() => void)[] = [];

  constructor(config: Config) {
    this.maxStatements = Math.max(1, Math.floor(config.database.poolSize / 2));
  }

  /** Throws as {@link Admission.admit} does. */
  admit(userId: string): Transfer {
    const close = this.admission.admit(userId);
    return { turn: (statement) => this.turn(statement), close };
  }

  private async turn<T>(statement: () => Promise<T>): Promise<T> {
    if (this.statements < this.maxStatements) this.statements += 1;
    else await new Promise<void>((resolve) => this.waiting.push(resolve));
    try {
      return await statement();
    } finally {
      // Handed on to the one who waits longest, or given back.
      const next = this.waiting.shift();
      if (next) next();
      else this.statements -= 1;
    }
  }
}
