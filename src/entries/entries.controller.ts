import {
  Body,
  Controller,
  Delete,
  Get,
  Header,
  Headers,
  HttpCode,
  Param,
  Patch,
  Post,
  Query,
  Res,
} from '@nestjs/common';
import {
  ApiBearerAuth,
  ApiCreatedResponse,
  ApiHeader,
  ApiNoContentResponse,
  ApiOkResponse,
  ApiOperation,
  ApiResponse,
  ApiTags,
} from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { ApiProblems, BODY_PROBLEMS } from '../http/api-problems.decorator.js';
import { CurrentUser, type Principal } from '../http/current-user.decorator.js';
import { etagOf, noneMatchHolds, preconditionOf, versionsToMatch } from '../http/etag.js';
import { EntryStatsService } from './entry-stats.service.js';
import { EntriesService } from './entries.service.js';
import type { EntryDocument } from './entry.queries.js';
import { ApiIdempotencyKey, sendAnswer } from './idempotency.js';
import {
  EntryCreateSchema,
  EntryIdSchema,
  EntryListQuerySchema,
  EntryListSchema,
  EntryPatchSchema,
  EntrySchema,
  EntryStatsQuerySchema,
  EntryStatsSchema,
  type EntryCreate,
  type EntryListQuery,
  type EntryPatch,
  type EntryStatsQuery,
} from './entry.schemas.js';

/** The service answers in JSON that PostgreSQL made: a string, which would otherwise be sent as text. */
const JsonString = () => Header('content-type', 'application/json; charset=utf-8');

const ETAG = { ETag: { description: 'the version, in quotes', schema: { type: 'string' as const } } };
const IfMatch = () =>
  ApiHeader({
    name: 'If-Match',
    required: false,
    description: 'the ETag seen last: 412 when the entry has changed since',
  });
const IfNoneMatch = () =>
  ApiHeader({
    name: 'If-None-Match',
    required: false,
    description: 'ETags: 412 when the entry has one of them',
  });

@ApiTags('Entries')
@ApiBearerAuth()
@Controller('entries')
export class EntriesController {
  constructor(
    private readonly entries: EntriesService,
    private readonly stats: EntryStatsService,
  ) {}

  @Post()
  @JsonString()
  @ApiOperation({ summary: 'Write an entry' })
  @ApiCreatedResponse({
    standardSchema: EntrySchema,
    headers: {
      ...ETAG,
      Location: { description: 'the path of the entry', schema: { type: 'string' } },
    },
  })
  @ApiIdempotencyKey()
  @ApiProblems(400, 401, 409, 413, 415, 422, 429, 503)
  async create(
    @CurrentUser() { userId }: Principal,
    @Body({ schema: EntryCreateSchema }) body: EntryCreate,
    @Headers('idempotency-key') key: string | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    return sendAnswer(await this.entries.create(userId, body, key), reply);
  }

  @Get()
  @JsonString()
  @ApiOperation({ summary: 'List entries, page by page' })
  @ApiOkResponse({ standardSchema: EntryListSchema })
  @ApiProblems(400, 401, 429, 503)
  list(
    @CurrentUser() { userId }: Principal,
    @Query({ schema: EntryListQuerySchema }) query: EntryListQuery,
  ): Promise<string> {
    return this.entries.list(userId, query);
  }

  @Get('trash')
  @JsonString()
  @ApiOperation({ summary: 'List what is in the trash, where entries stay for 30 days' })
  @ApiOkResponse({ standardSchema: EntryListSchema })
  @ApiProblems(400, 401, 429, 503)
  listTrash(
    @CurrentUser() { userId }: Principal,
    @Query({ schema: EntryListQuerySchema }) query: EntryListQuery,
  ): Promise<string> {
    return this.entries.list(userId, query, true);
  }

  @Delete('trash/:id')
  @HttpCode(204)
  @ApiOperation({ summary: 'Delete what is in the trash, for good' })
  @ApiNoContentResponse()
  @ApiProblems(401, 404, ...BODY_PROBLEMS, 429, 503)
  deleteForGood(
    @CurrentUser() { userId }: Principal,
    @Param('id', { schema: EntryIdSchema }) id: string,
  ): Promise<void> {
    return this.entries.deleteForGood(userId, id);
  }

  @Get('stats')
  @JsonString()
  @ApiOperation({ summary: 'Count entries and moods, by category, by tag and over time' })
  @ApiOkResponse({ standardSchema: EntryStatsSchema })
  @ApiProblems(400, 401, 429, 503)
  readStats(
    @CurrentUser() { userId }: Principal,
    @Query({ schema: EntryStatsQuerySchema }) query: EntryStatsQuery,
  ): Promise<string> {
    return this.stats.read(userId, query);
  }

  @Get(':id')
  @JsonString()
  @ApiOperation({ summary: 'Read an entry' })
  @IfMatch()
  @ApiHeader({
    name: 'If-None-Match',
    required: false,
    description: 'the ETag seen last: 304 when it still stands',
  })
  @ApiOkResponse({ standardSchema: EntrySchema, headers: ETAG })
  @ApiResponse({ status: 304, description: 'The entry is as it was', headers: ETAG })
  @ApiProblems(400, 401, 404, 412, 429, 503)
  async read(
    @CurrentUser() { userId }: Principal,
    @Param('id', { schema: EntryIdSchema }) id: string,
    @Headers('if-match') ifMatch: string | undefined,
    @Headers('if-none-match') ifNoneMatch: string | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string | undefined> {
    const entry = await this.entries.read(userId, id, versionsToMatch(ifMatch));
    if (!noneMatchHolds(ifNoneMatch, entry.version)) return send(entry, reply);
    reply.code(304).header('etag', etagOf(entry.version)).removeHeader('content-type');
    return undefined;
  }

  @Patch(':id')
  @JsonString()
  @ApiOperation({ summary: 'Change an entry' })
  @IfMatch()
  @IfNoneMatch()
  @ApiOkResponse({ standardSchema: EntrySchema, headers: ETAG })
  @ApiProblems(400, 401, 404, 412, 413, 415, 422, 429, 503)
  async update(
    @CurrentUser() { userId }: Principal,
    @Param('id', { schema: EntryIdSchema }) id: string,
    @Body({ schema: EntryPatchSchema }) patch: EntryPatch,
    @Headers('if-match') ifMatch: string | undefined,
    @Headers('if-none-match') ifNoneMatch: string | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    return send(await this.entries.update(userId, id, patch, preconditionOf(ifMatch, ifNoneMatch)), reply);
  }

  @Delete(':id')
  @HttpCode(204)
  @ApiOperation({ summary: 'Put an entry into the trash' })
  @IfMatch()
  @IfNoneMatch()
  @ApiNoContentResponse()
  @ApiProblems(401, 404, 412, ...BODY_PROBLEMS, 429, 503)
  remove(
    @CurrentUser() { userId }: Principal,
    @Param('id', { schema: EntryIdSchema }) id: string,
    @Headers('if-match') ifMatch: string | undefined,
    @Headers('if-none-match') ifNoneMatch: string | undefined,
  ): Promise<void> {
    return this.entries.remove(userId, id, preconditionOf(ifMatch, ifNoneMatch));
  }

  @Post(':id/restore')
  @HttpCode(200)
  @JsonString()
  @ApiOperation({ summary: 'Take an entry out of the trash' })
  @IfMatch()
  @IfNoneMatch()
  @ApiOkResponse({ standardSchema: EntrySchema, headers: ETAG })
  @ApiProblems(401, 404, 412, ...BODY_PROBLEMS, 429, 503)
  async restore(
    @CurrentUser() { userId }: Principal,
    @Param('id', { schema: EntryIdSchema }) id: string,
    @Headers('if-match') ifMatch: string | undefined,
    @Headers('if-none-match') ifNoneMatch: string | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    return send(await this.entries.restore(userId, id, preconditionOf(ifMatch, ifNoneMatch)), reply);
  }
}

function send({ version, json }: EntryDocument, reply: FastifyReply): string {
  reply.header('etag', etagOf(version));
  return json;
}
