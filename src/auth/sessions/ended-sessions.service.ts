import { performance } from 'node:perf_hooks';
import { Injectable, Logger, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { Config } from '../../config/config.js';
import { SessionsRepository } from './sessions.repository.js';

/** Poll interval. An ended session is refused by all replicas within {@link TRUST_MS}. */
const POLL_MS = 400;

/** How long a poll result is trusted. After that, each session is read from the database. */
const TRUST_MS = 900;

/** How long an expired access token may still be accepted: clock tolerance and clock differences. */
const SKEW_SECONDS = 20;

/** The clock counts as set back if it lost more than this, ms. {@link SKEW_SECONDS} covers less. */
const SET_BACK_MS = 5000;

/**
 * Recently ended sessions in memory, so that checking a session costs a map lookup. Access tokens of sessions that
 * ended earlier have expired.
 */
@Injectable()
export class EndedSessionsService implements OnModuleInit, OnApplicationShutdown {
  private readonly logger = new Logger('Sessions');
  /** Session id → expiry of its last access token, monotonic ms. */
  private readonly ended = new Map<string, number>();
  /** How long an access token can outlive its session, ms. */
  readonly retentionMs: number;
  /** Monotonic: if the wall clock were set back, stale results would be trusted. */
  private lastPoll = -Infinity;
  /** Wall clock minus monotonic clock, ms. */
  private wallOffset = Date.now() - performance.now();
  /** After the clock was set back: until then, tokens of forgotten sessions may be valid again. */
  private distrustUntil = -Infinity;
  private timer: NodeJS.Timeout | undefined;
  private polling: Promise<void> | undefined;

  constructor(
    private readonly sessions: SessionsRepository,
    private readonly config: Config,
  ) {
    this.retentionMs = (config.JWT_ACCESS_TTL + SKEW_SECONDS) * 1000;
  }

  async onModuleInit(): Promise<void> {
    if (this.config.MIGRATIONS_RUN) await this.poll();
    this.schedule();
  }

  async onApplicationShutdown(): Promise<void> {
    clearTimeout(this.timer);
    this.timer = undefined;
    await this.polling;
  }

  /** Reads the database if the last poll is too old, and after the clock was set back. */
  async has(sessionId: string): Promise<boolean> {
    if (this.ended.has(sessionId)) return true;
    const now = performance.now();
    this.detectSetBack(now);
    if (now - this.lastPoll <= TRUST_MS && now > this.distrustUntil) return false;
    return this.sessions.hasEnded(sessionId);
  }

  /** Marks a session as ended on this replica without waiting for the poll. */
  add(sessionId: string): void {
    this.ended.set(sessionId, performance.now() + this.retentionMs);
  }

  private detectSetBack(now: number): void {
    const offset = Date.now() - now;
    const lost = this.wallOffset - offset;
    if (lost > SET_BACK_MS) {
      this.distrustUntil = Math.max(this.distrustUntil, now + lost + this.retentionMs);
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
      this.polling = this.poll()
        .catch((error: unknown) => this.logger.debug('cannot read ended sessions', error))
        .finally(() => {
          if (this.timer) this.schedule();
        });
    }, POLL_MS);
    this.timer.unref();
  }

  private async poll(): Promise<void> {
    const started = performance.now();
    // Reads all of them each time, because a row appears at commit, which may be long after `ended_at`.
    const ids = await this.sessions.endedWithin(this.retentionMs);
    for (const id of ids) if (!this.ended.has(id)) this.add(id);
    this.lastPoll = started;
    for (const [id, until] of this.ended) {
      if (until > started) break;
      this.ended.delete(id);
    }
  }
}
