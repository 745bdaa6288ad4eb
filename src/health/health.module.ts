import { Module } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { HealthController } from './health.controller.js';
import { OpenRequests } from '../http/open-requests.js';
import { HealthIndicators } from './health-indicators.js';

@Module({
  // Terminus's own log line prints the whole report on each probe.
  imports: [TerminusModule.forRoot({ logger: false })],
  controllers: [HealthController],
  providers: [HealthIndicators, OpenRequests],
  exports: [OpenRequests],
})
export class HealthModule {}
