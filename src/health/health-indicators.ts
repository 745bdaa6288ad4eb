import { Injectable, Logger } from '@nestjs/common';
import { HealthIndicatorService } from '@nestjs/terminus';
import { RedisConnection } from '../cache/redis-connection.js';
import { MigrationStatus } from '../database/migration-status.js';
import { ProbeConnection } from '../database/probe-connection.js';
import { OpenRequests } from '../http/open-requests.js';

/** A probe that hangs is worse than one that says no: Docker and Kubernetes give theirs a few seconds. */
const TIMEOUT_MS = 2000;

@Injectable()
export class HealthIndicators {
  private readonly logger = new Logger('Health');
  /** What was down when it was looked at last. */
  private readonly down = new Set<string>();

  constructor(
    private readonly indicator: HealthIndicatorService,
    private readonly connection: ProbeConnection,
    private readonly migrationStatus: MigrationStatus,
    private readonly redis: RedisConnection,
    private readonly requests: OpenRequests,
  ) {}

  /** Told only when it is down: that a service which serves does not end goes without saying. */
  shutdown() {
    if (!this.requests.ending) return {};
    return this.indicator.check('shutdown').down('takes no more requests');
  }

  async database() {
    const session = this.indicator.check('database');
    try {
      await within(TIMEOUT_MS, this.connection.query('health', 'SELECT 1', []));
      this.tellUp('database');
      return session.up();
    } catch (error) {
      // The reason names hosts and ports: it is not for whoever probes.
      this.tellDown('database', 'does not answer', error);
      return session.down('does not answer');
    }
  }

  async migrations() {
    const session = this.indicator.check('migrations');
    try {
      const pending = await within(TIMEOUT_MS, this.migrationStatus.pending());
      if (pending.length === 0) {
        this.tellUp('migrations');
        return session.up({ pending: 0 });
      }
      this.tellDown('migrations', `pending: ${pending.join(', ')}`);
      return session.down({ pending: pending.length });
    } catch {
      return session.down('the database does not answer');
    }
  }

  /** Never down: the service goes on without its cache. */
  async cache() {
    const session = this.indicator.check('cache');
    if (!this.redis.configured) return session.up({ store: 'memory' });
    if (await this.redis.ping()) return session.up({ store: 'redis' });
    return session.up({ store: 'memory', degraded: true });
  }

  /** Once, and not with each probe. */
  private tellDown(indicator: string, why: string, error?: unknown): void {
    if (this.down.has(indicator)) return;
    this.down.add(indicator);
    this.logger.warn(`not ready: ${indicator} ${why}`, ...(error === undefined ? [] : [error]));
  }

  private tellUp(indicator: string): void {
    if (this.down.delete(indicator)) this.logger.log(`ready again: ${indicator}`);
  }
}

async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([work, timeout]);
  } finally {
    clearTimeout(timer);
  }
}
