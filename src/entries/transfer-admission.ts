import { HttpException, HttpStatus, Injectable, ServiceUnavailableException } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { Config } from '../config/config.js';

/** Imports and exports under way at once: each may hold a few MiB. */
const MAX_OPEN = 50;
const MAX_OPEN_PER_USER = 2;

/** s */
const RETRY_AFTER_SECONDS = 5;

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
  private readonly open = new Map<string, number>();
  private total = 0;
  private readonly maxStatements: number;
  private statements = 0;
  private readonly waiting: (() => void)[] = [];

  constructor(config: Config) {
    this.maxStatements = Math.max(1, Math.floor(config.database.poolSize / 2));
  }

  /** @throws {HttpException} 429 where the user has too many under way, 503 where the service has; with `Retry-After` */
  admit(userId: string, reply: FastifyReply): Transfer {
    const own = this.open.get(userId) ?? 0;
    if (own >= MAX_OPEN_PER_USER || this.total >= MAX_OPEN) {
      reply.header('retry-after', RETRY_AFTER_SECONDS);
      if (own < MAX_OPEN_PER_USER)
        throw new ServiceUnavailableException('Too many imports and exports are under way');
      throw new HttpException(
        `You have ${MAX_OPEN_PER_USER} imports or exports under way; wait for one of them`,
        HttpStatus.TOO_MANY_REQUESTS,
      );
    }
    this.open.set(userId, own + 1);
    this.total += 1;
    return {
      turn: (statement) => this.turn(statement),
      close: () => this.leave(userId),
    };
  }

  private leave(userId: string): void {
    const left = (this.open.get(userId) ?? 0) - 1;
    if (left > 0) this.open.set(userId, left);
    else this.open.delete(userId);
    this.total -= 1;
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
