import { Module } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { OpenRequestsModule } from '../http/connections/open-requests.module.js';
import { StartMigrations } from '../database/migration-status.js';
import { Sql } from '../database/sql.js';
import { Metrics } from '../observability/metrics.js';
import { HealthController } from './health.controller.js';
import { HealthIndicators } from './health.indicators.js';
import { MetricsController } from './metrics.controller.js';

@Module({
  // Terminus would log the whole report at each probe.
  imports: [TerminusModule.forRoot({ logger: false }), OpenRequestsModule],
  controllers: [HealthController, MetricsController],
  providers: [HealthIndicators],
})
export class HealthModule {
  constructor(metrics: Metrics, sql: Sql, started: StartMigrations) {
    metrics.gauges(
      'database_pool',
      'Connections of the pool (size, idle), and callers waiting',
      'state',
      () => ({ ...sql.connections() }),
    );
    metrics.gauge(
      'migrations_applied',
      'Migrations that this process applied at its start',
      () => started.applied,
    );
    metrics.gauge('migrations_duration_seconds', 'What that took, with all waiting', () => started.seconds);
    metrics.gauge(
      'migrations_lock_wait_seconds',
      'How long the migration lock was waited for',
      () => started.lockWaitSeconds,
    );
  }
}
