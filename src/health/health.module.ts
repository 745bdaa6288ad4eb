import { Module } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { OpenRequestsModule } from '../http/connections/open-requests.module.js';
import { RequestDrain } from '../http/connections/request-drain.js';
import { ObservabilityModule } from '../observability/observability.module.js';
import { HealthController } from './health.controller.js';
import { HealthIndicators } from './health-indicators.js';
import { MetricsController } from './metrics.controller.js';

@Module({
  // Terminus would log the whole report at each probe.
  imports: [TerminusModule.forRoot({ logger: false }), OpenRequestsModule, ObservabilityModule],
  controllers: [HealthController, MetricsController],
  providers: [HealthIndicators, RequestDrain],
})
export class HealthModule {}
