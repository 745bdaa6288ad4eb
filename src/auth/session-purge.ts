import { Injectable, Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { Sql } from '../database/sql.js';
import { EndedSessions } from './ended-sessions.js';

const EVERY_MS = 60_000;

/** Rows deleted by one statement: few enough that nobody waits for it. */
const BATCH = 500;

/**
 * Removes sessions that are over: expired, or ended, so long ago that no access token of theirs lives. Of several
 * replicas, each takes rows that no other has.
 */
@Injectable()
export class SessionPurge implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger('Sessions');
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> | undefined;
  private stopping = false;

  constructor(
    private readonly sql: Sql,
    private readonly ended: EndedSessions,
  ) {}

  onApplicationBootstrap(): void {
    this.timer = setInterval(() => {
      this.running ??= this.run().finally(() => (this.running = undefined));
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
      await this.purge('sessions', 'expires_at < now() - $1::interval OR ended_at < now() - $1::interval');
      await this.purge('erased_sessions', 'erased_at < now() - $1::interval');
    } catch (error) {
      this.logger.warn(`could not be purged, next try in ${EVERY_MS / 1000} s: ${String(error)}`);
    }
  }

  private async purge(table: 'sessions' | 'erased_sessions', over: string): Promise<void> {
    const age = `${this.ended.memoryMs} milliseconds`;
    for (let rows: number | null = BATCH; rows === BATCH && !this.stopping;) {
      ({ rowCount: rows } = await this.sql.query(
        `${table}-purge`,
        `DELETE FROM ${table} WHERE id IN (
           SELECT id FROM ${table} WHERE ${over} LIMIT $2 FOR UPDATE SKIP LOCKED)`,
        [age, BATCH],
      ));
    }
  }
}
