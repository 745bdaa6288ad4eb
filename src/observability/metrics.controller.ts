import { Controller, Get, Header, NotFoundException } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import { Config } from '../config/config.js';
import { Public } from '../http/public.decorator.js';
import { RateLimitExempt } from '../http/rate-limit/rate-limit-exempt.decorator.js';
import { Metrics } from './metrics.js';

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
  @Header('content-type', 'text/plain; version=0.0.4; charset=utf-8')
  read(): Promise<string> {
    if (!this.config.metrics.enabled) throw new NotFoundException('Metrics are turned off');
    return this.metrics.registry.metrics();
  }
}
