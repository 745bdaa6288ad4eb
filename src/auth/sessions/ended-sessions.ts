import { performance } from 'node:perf_hooks';
import { Injectable, Logger, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { Config } from '../../config/config.js';
import { Sql } from '../../database/sql.js';

/** Between two looks at the table. An ended session is refused everywhere within {@link TRUST_MS}. */
const POLL_MS = 400;

/** How long what the last look saw is taken for the truth. Past it, a session is looked up by itself. */
const TRUST_MS = 900;

/** Beyond its life, how long an access token may still pass: the clock tolerance, and the clocks' differences. */
const SKEW_SECONDS = 20;

/** The clock was set back where it has lost more than this, ms: less is within what {@link SKEW_SECONDS} allows for. */
const SET_BACK_MS = 5000;

/**
 * Which sessions ended lately, known in memory so that checking a request's session costs a map lookup. Access
 * tokens of sessions that ended longer ago have expired.
 */
@Injectable()
export class EndedSessions implements OnModuleInit, OnApplicationShutdown {
  private readonly logger = new Logger('Sessions');
  /** Session id → when its last access token has expired, ms since the start of the process. */
  private readonly ended = new Map<string, number>();
  /** How long after its end a session's last access token may live, ms. */
  readonly memoryMs: number;
  /** Not of the wall clock, which may be set back: nothing would be looked up until it is where it was. */
  private lastLook = -Infinity;
  /** How far the wall clock, by which tokens expire, is before one that nobody sets, ms. */
  private wallOffset = Date.now() - performance.now();
  /** Until then tokens that had expired may be alive again, whose sessions are forgotten here. */
  private askUntil = -Infinity;
  private timer: NodeJS.Timeout | undefined;
  private looking: Promise<void> | undefined;

  constructor(
    private readonly sql: Sql,
    private readonly config: Config,
  ) {
    this.memoryMs = (config.jwt.accessTtlSeconds + SKEW_SECONDS) * 1000;
  }

  async onModuleInit(): Promise<void> {
    if (this.config.migrations.run) await this.look();
    this.schedule();
  }

  async onApplicationShutdown(): Promise<void> {
    clearTimeout(this.timer);
    this.timer = undefined;
    await this.looking;
  }

  /**
   * Whether the session has ended. Asks the database itself where the last look is too old to be trusted, and after the
   * clock was set back.
   */
  async has(sessionId: string): Promise<boolean> {
    if (this.ended.has(sessionId)) return true;
    const now = performance.now();
    this.noticeSetBack(now);
    if (now - this.lastLook <= TRUST_MS && now > this.askUntil) return false;
    const { rowCount } = await this.sql.query(
      'session-live',
      'SELECT 1 FROM sessions WHERE id = $1 AND ended_at IS NULL',
      [sessionId],
    );
    return rowCount === 0;
  }

  /** Makes a session that was ended here known here at once. */
  add(sessionId: string): void {
    this.ended.set(sessionId, performance.now() + this.memoryMs);
  }

  private noticeSetBack(now: number): void {
    const offset = Date.now() - now;
    const lost = this.wallOffset - offset;
    if (lost > SET_BACK_MS) {
      this.askUntil = Math.max(this.askUntil, now + lost + this.memoryMs);
      this.wallOffset = offset;
      this.logger.warn(
        `the clock was set back by ${Math.round(lost / 1000)} s: every session is checked in the database for now`,
      );
    } else if (lost < 0) {
      this.wallOffset = offset;
    }
  }

  private schedule(): void {
    this.timer = setTimeout(() => {
      this.looking = this.look()
        .catch((error: unknown) => this.logger.debug('cannot read ended sessions', error))
        .finally(() => {
          if (this.timer) this.schedule();
        });
    }, POLL_MS);
    this.timer.unref();
  }

  private async look(): Promise<void> {
    const started = performance.now();
    // All of them each time: a row appears with the commit of its transaction, which may come long after `ended_at`.
    const { rows } = await this.sql.query<{ id: string }>(
      'sessions-ended',
      `SELECT id FROM sessions WHERE ended_at > now() - make_interval(secs => $1)
       UNION ALL SELECT id FROM erased_sessions WHERE erased_at > now() - make_interval(secs => $1)`,
      [this.memoryMs / 1000],
    );
    for (const { id } of rows) if (!this.ended.has(id)) this.add(id);
    this.lastLook = started;
    for (const [id, until] of this.ended) {
      if (until > started) break;
      this.ended.delete(id);
    }
  }
}
