import { Controller, Get } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiServiceUnavailableResponse, ApiTags } from '@nestjs/swagger';
import { HealthCheck, HealthCheckService } from '@nestjs/terminus';
import * as z from 'zod';
import { Public } from '../http/public.decorator.js';
import { RateLimitExempt } from '../http/rate-limit/rate-limit-exempt.decorator.js';
import { HealthIndicators } from './health.indicators.js';

const IndicatorsSchema = z.record(z.string(), z.looseObject({ status: z.enum(['up', 'down']) }));
const ReadySchema = z
  .object({
    status: z.enum(['ok', 'error', 'shutting_down']),
    info: IndicatorsSchema.meta({ description: 'indicators that are up' }),
    error: IndicatorsSchema.meta({ description: 'indicators that are down' }),
    details: IndicatorsSchema.meta({ description: 'all indicators' }),
  })
  .meta({
    id: 'Ready',
    description: 'the state of the service and of what it needs',
    example: {
      status: 'ok',
      info: { database: { status: 'up' } },
      error: {},
      details: { database: { status: 'up' } },
    },
  });
const LiveSchema = z
  .object({ status: z.literal('ok') })
  .meta({ id: 'Live', description: 'the process answers', example: { status: 'ok' } });

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
  // Terminus imports @nestjs/swagger by name, which fails in the bundle.
  @HealthCheck({ noCache: true, swaggerDocumentation: false })
  @ApiOperation({
    operationId: 'getReadiness',
    summary: 'Readiness probe',
    description:
      '503 while the database or a required migration is unavailable, or the service shuts down. An unavailable cache does not count.',
  })
  @ApiOkResponse({ standardSchema: ReadySchema })
  @ApiServiceUnavailableResponse({ standardSchema: ReadySchema })
  ready() {
    return this.health.check([
      () => this.indicators.shutdown(),
      () => this.indicators.databaseAndMigrations(),
      () => this.indicators.cache(),
    ]);
  }

  @Get('live')
  @ApiOperation({
    operationId: 'getLiveness',
    summary: 'Liveness probe',
    description: '200 as long as the process answers. It does not ask the database.',
  })
  @ApiOkResponse({ standardSchema: LiveSchema })
  live(): z.infer<typeof LiveSchema> {
    return { status: 'ok' };
  }
}
