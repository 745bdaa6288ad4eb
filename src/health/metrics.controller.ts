import { Controller, Get, Header, NotFoundException } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import { Config } from '../config/config.js';
import { Public } from '../http/public.decorator.js';
import { RateLimitExempt } from '../http/rate-limit/rate-limit-exempt.decorator.js';
import { Metrics, METRICS_MEDIA_TYPE } from '../observability/metrics.js';

@ApiExcludeController()
@Controller('metrics')
@Public()
@RateLimitExempt()
export class MetricsController {
  constructor(
    private readonly metrics: Metrics,
    private readonly config: Config,
  ) {}

  @Get()
  @Header('content-type', METRICS_MEDIA_TYPE)
  read(): Promise<string> {
    const { METRICS_ENABLED, METRICS_PORT } = this.config;
    if (!METRICS_ENABLED) throw new NotFoundException('Metrics are disabled');
    if (METRICS_PORT !== undefined) throw new NotFoundException('Metrics are served on METRICS_PORT');
    return this.metrics.registry.metrics();
  }
}
