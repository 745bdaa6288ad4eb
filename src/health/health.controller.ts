import { Controller, Get } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { HealthCheck, HealthCheckService } from '@nestjs/terminus';
import { z } from 'zod';
import { Public } from '../http/public.decorator.js';
import { RateLimitExempt } from '../http/rate-limit/rate-limit-exempt.decorator.js';
import { HealthIndicators } from './health-indicators.js';

const LiveSchema = z.object({ status: z.literal('ok') }).meta({ id: 'Live' });

@ApiTags('Operations')
@Controller('health')
@Public()
@RateLimitExempt()
export class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly indicators: HealthIndicators,
  ) {}

  @Get()
  @HealthCheck()
  @ApiOperation({ summary: 'Readiness: whether to send requests here' })
  ready() {
    return this.health.check([
      () => this.indicators.database(),
      () => this.indicators.migrations(),
      () => this.indicators.cache(),
    ]);
  }

  @Get('live')
  @ApiOperation({ summary: 'Liveness: whether the event loop turns' })
  @ApiOkResponse({ standardSchema: LiveSchema })
  live(): z.infer<typeof LiveSchema> {
    return { status: 'ok' };
  }
}
