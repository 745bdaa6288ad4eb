import { Module } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { OpenRequestsModule } from '../http/open-requests.module.js';
import { HealthController } from './health.controller.js';
import { HealthIndicators } from './health-indicators.js';

@Module({
  // Terminus's own log line prints the whole report on each probe.
  imports: [TerminusModule.forRoot({ logger: false }), OpenRequestsModule],
  controllers: [HealthController],
  providers: [HealthIndicators],
})
export class HealthModule {}
