import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { Passwords } from './auth/passwords/passwords.js';
import { CacheService } from './cache/cache.service.js';
import { StartMigrations } from './database/migration-status.js';
import { Sql } from './database/sql.js';
import { RateLimiter } from './http/rate-limit/rate-limiter.js';
import type { Metrics } from './observability/metrics.js';
import { requestContext } from './observability/request-context.js';

/** Connects what the modules tell of themselves to log and metrics: they know nothing of either. */
export function observeModules(app: NestFastifyApplication, metrics: Metrics | undefined): void {
  app.get(CacheService).observe = (outcome) => {
    metrics?.countCacheRead(outcome);
    const context = requestContext.getStore();
    if (context && outcome === 'hit') context.cacheHits = (context.cacheHits ?? 0) + 1;
  };
  if (!metrics) return;
  app.get(RateLimiter).observe = (limit) => metrics.countRefusal(limit);
  const sql = app.get(Sql);
  metrics.gauges(
    'database_pool',
    'Connections of the pool (size, idle), and callers waiting',
    'state',
    () => ({
      ...sql.connections(),
    }),
  );
  const passwords = app.get(Passwords, { strict: false });
  metrics.gauges(
    'password_hashes',
    'Hashes of passwords under way, and waiting for their turn',
    'state',
    () => ({
      ...passwords.queue,
    }),
  );
  const migrated = app.get(StartMigrations, { strict: false });
  metrics.gauge(
    'migrations_applied',
    'Migrations that this process applied at its start',
    () => migrated.applied,
  );
  metrics.gauge('migrations_duration_seconds', 'What that took, with all waiting', () => migrated.seconds);
  metrics.gauge(
    'migrations_lock_wait_seconds',
    'How long the migration lock was waited for',
    () => migrated.lockWaitSeconds,
  );
}
