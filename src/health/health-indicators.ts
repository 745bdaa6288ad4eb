import { Injectable } from '@nestjs/common';
import { HealthIndicatorService } from '@nestjs/terminus';
import { RedisConnection } from '../cache/redis-connection.js';
import { MigrationStatus } from '../database/migration-status.js';
import { Sql } from '../database/sql.js';
import { OpenRequests } from '../http/open-requests.js';

/** A probe that hangs is worse than one that says no: Docker and Kubernetes give theirs a few seconds. */
const TIMEOUT_MS = 2000;

@Injectable()
export class HealthIndicators {
  constructor(
    private readonly indicator: HealthIndicatorService,
    private readonly sql: Sql,
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
      await within(TIMEOUT_MS, this.sql.query('health', 'SELECT 1', []));
      return session.up();
    } catch {
      // The reason names hosts and ports: it goes to the log by the requests that fail, not to whoever probes.
      return session.down('does not answer');
    }
  }

  async migrations() {
    const session = this.indicator.check('migrations');
    try {
      const pending = await within(TIMEOUT_MS, this.migrationStatus.pending());
      return pending.length === 0 ? session.up({ pending: 0 }) : session.down({ pending: pending.length });
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
