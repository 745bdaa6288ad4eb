import { Controller, Get, Header, Headers, Query, Res } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { hasValidator, weakEtagOf } from '../../http/conditional/etag.js';
import { CurrentUser, type Principal } from '../../http/current-user.decorator.js';
import { ApiProblems } from '../../http/problem/api-problems.decorator.js';
import {
  EntryStatsQuerySchema,
  EntryStatsSchema,
  type EntryStats,
  type EntryStatsQuery,
} from '../entries.schemas.js';
import { Unchanged, WEAK_ETAG } from '../unchanged.decorator.js';
import { StatsService, type Prepared } from './stats.service.js';

@ApiTags('Entries')
@ApiBearerAuth()
@Controller('entries/stats')
export class StatsController {
  constructor(private readonly stats: StatsService) {}

  @Get()
  @ApiOperation({
    operationId: 'getStats',
    summary: 'Get statistics by mood, category, tag and time',
    description:
      'Averages, counts and a series over time, of the entries between two times. 400 if the series would have more than 4000 items.',
  })
  @Unchanged()
  @ApiOkResponse({ standardSchema: EntryStatsSchema, headers: WEAK_ETAG })
  @ApiProblems(400, 401, 429, 503)
  async read(
    @CurrentUser() { userId }: Principal,
    @Query({ schema: EntryStatsQuerySchema }) query: EntryStatsQuery,
    @Headers('if-none-match') ifNoneMatch: string | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<EntryStats | undefined> {
    return sendUnlessKnown(await this.stats.prepare(userId, query), ifNoneMatch, reply);
  }

  @Get('chart.svg')
  @Header('content-type', 'image/svg+xml; charset=utf-8')
  @ApiOperation({
    operationId: 'getMoodChart',
    summary: 'Get a picture of the mood over time, with a calendar of the last year',
    description:
      'An SVG of at most 30 kB, in light or dark colours as the reader prefers, with a title, a description and a table of the months for screen readers.',
  })
  @Unchanged()
  @ApiOkResponse({
    description: 'An SVG',
    content: {
      'image/svg+xml': {
        schema: { type: 'string', example: '<svg xmlns="http://www.w3.org/2000/svg"></svg>' },
      },
    },
    headers: WEAK_ETAG,
  })
  @ApiProblems(400, 401, 429, 503)
  async readChart(
    @CurrentUser() { userId }: Principal,
    @Query({ schema: EntryStatsQuerySchema }) query: EntryStatsQuery,
    @Headers('if-none-match') ifNoneMatch: string | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string | undefined> {
    return sendUnlessKnown(await this.stats.prepareChart(userId, query), ifNoneMatch, reply);
  }
}

function sendUnlessKnown<T>(
  { validator, load }: Prepared<T>,
  ifNoneMatch: string | undefined,
  reply: FastifyReply,
): Promise<T> | undefined {
  reply.header('etag', weakEtagOf(validator));
  if (ifNoneMatch === undefined || !hasValidator(ifNoneMatch, validator)) return load();
  reply.code(304);
  return undefined;
}
