import { Module, type DynamicModule } from '@nestjs/common';
import type { Logger } from 'pino';
import { PINO } from './logger.js';
import { Metrics } from './metrics.js';
import { MetricsServer } from './metrics-server.js';

@Module({ providers: [Metrics, MetricsServer], exports: [Metrics] })
export class ObservabilityModule {
  static forRoot(logger: Logger): DynamicModule {
    return {
      module: ObservabilityModule,
      global: true,
      providers: [{ provide: PINO, useValue: logger }],
      exports: [PINO],
    };
  }
}
