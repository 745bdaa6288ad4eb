import { Injectable, Logger } from '@nestjs/common';
import { HealthIndicatorService } from '@nestjs/terminus';
import pTimeout from 'p-timeout';
import { RedisConnection } from '../cache/redis-connection.js';
import { MigrationStatus } from '../database/migration-status.js';
import { OpenRequests } from '../http/connections/open-requests.js';

/** ms. Docker and Kubernetes wait a few seconds for a probe. */
const TIMEOUT_MS = 2000;

@Injectable()
export class HealthIndicators {
  private readonly logger = new Logger('Health');
  /** Names that were down at the last probe. */
  private readonly down = new Set<string>();
  private pendingQuery: ReturnType<HealthIndicators['queryDatabase']> | undefined;

  constructor(
    private readonly indicator: HealthIndicatorService,
    private readonly migrationStatus: MigrationStatus,
    private readonly redis: RedisConnection,
    private readonly requests: OpenRequests,
  ) {}

  shutdown() {
    if (!this.requests.draining) return {};
    return this.indicator.check('shutdown').down('shutting down');
  }

  /** One query for both; concurrent probes share it. */
  databaseAndMigrations() {
    this.pendingQuery ??= this.queryDatabase().finally(() => (this.pendingQuery = undefined));
    return this.pendingQuery;
  }

  private async queryDatabase() {
    const database = this.indicator.check('database');
    const migrations = this.indicator.check('migrations');
    try {
      const pending = await pTimeout(this.migrationStatus.pending(), { milliseconds: TIMEOUT_MS });
      this.logUp('database');
      if (pending.length === 0) {
        this.logUp('migrations');
        return { ...database.up(), ...migrations.up({ pending: 0 }) };
      }
      this.logDown('migrations', `pending: ${pending.join(', ')}`);
      return { ...database.up(), ...migrations.down({ pending: pending.length }) };
    } catch (error) {
      // The reason names hosts and ports, so it is only logged.
      this.logDown('database', 'does not answer', error);
      return { ...database.down('does not answer'), ...migrations.down('the database does not answer') };
    }
  }

  /** Never down: the app works without its cache. */
  async cache() {
    const session = this.indicator.check('cache');
    if (!this.redis.configured) return session.up({ store: 'memory' });
    if (await this.redis.ping()) return session.up({ store: 'redis' });
    return session.up({ store: 'memory', degraded: true });
  }

  /** Logs only changes. */
  private logDown(indicator: string, why: string, error?: unknown): void {
    if (this.down.has(indicator)) return;
    this.down.add(indicator);
    this.logger.warn(`not ready: ${indicator} ${why}`, ...(error === undefined ? [] : [error]));
  }

  private logUp(indicator: string): void {
    if (this.down.delete(indicator)) this.logger.log(`ready again: ${indicator}`);
  }
}
