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
import { ApiProblems, BODY_PROBLEMS } from '../http/problem/api-problems.decorator.js';
import { CurrentUser, type Principal } from '../http/current-user.decorator.js';
import {
  etagOf,
  hasValidator,
  matchesIfNoneMatch,
  preconditionOf,
  versionsToMatch,
  weakEtagOf,
} from '../http/conditional/etag.js';
import { EntriesService } from './entries.service.js';
import type { Entry } from './entry-row.js';
import { ApiIdempotencyKey, idempotencyKeyOf, sendResponse } from '../idempotency/idempotency.response.js';
import { IdempotencyService } from '../idempotency/idempotency.service.js';
import {
  EntryCreateSchema,
  EntryIdSchema,
  EntryListQuerySchema,
  EntryListSchema,
  EntryPatchSchema,
  EntrySchema,
  type EntryCreate,
  type EntryList,
  type EntryListQuery,
  type EntryPatch,
} from './entries.schemas.js';
import { Unchanged, WEAK_ETAG } from './unchanged.decorator.js';

const ETAG = { ETag: { description: 'version in quotes', schema: { type: 'string' as const } } };
const IfMatch = () =>
  ApiHeader({
    name: 'If-Match',
    required: false,
    description: 'ETag of an earlier response: 412 if the entry has changed since',
  });
const IfNoneMatch = () =>
  ApiHeader({
    name: 'If-None-Match',
    required: false,
    description: 'ETags: 412 if the entry matches one of them',
  });

@ApiTags('Entries')
@ApiBearerAuth()
@Controller('entries')
export class EntriesController {
  constructor(
    private readonly entries: EntriesService,
    private readonly idempotency: IdempotencyService,
  ) {}

  @Post()
  @Header('content-type', 'application/json; charset=utf-8')
  @ApiOperation({
    operationId: 'createEntry',
    summary: 'Create an entry',
    description: 'With an Idempotency-Key, a retry creates nothing twice.',
  })
  @ApiCreatedResponse({
    standardSchema: EntrySchema,
    headers: {
      ...ETAG,
      Location: { description: 'path of the entry', schema: { type: 'string' } },
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
    const request = { userId, route: 'POST /entries', key: idempotencyKeyOf(key), body };
    const response = await this.idempotency.run(request, async (statements) => {
      const entry = await this.entries.create(userId, body, statements);
      const headers = { etag: etagOf(entry.version), location: `/entries/${entry.id}` };
      return { status: 201, headers, body: JSON.stringify(entry) };
    });
    return sendResponse(response, reply);
  }

  @Get()
  @ApiOperation({
    operationId: 'listEntries',
    summary: 'List entries',
    description:
      'All filters must match. Follow nextCursor until it is null; a cursor belongs to its filters and sort order.',
  })
  @Unchanged()
  @ApiOkResponse({ standardSchema: EntryListSchema, headers: WEAK_ETAG })
  @ApiProblems(400, 401, 429, 503)
  list(
    @CurrentUser() { userId }: Principal,
    @Query({ schema: EntryListQuerySchema }) query: EntryListQuery,
    @Headers('if-none-match') ifNoneMatch: string | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<EntryList | undefined> {
    return this.sendList(userId, query, false, ifNoneMatch, reply);
  }

  @Get('trash')
  @ApiOperation({
    operationId: 'listTrash',
    summary: 'List entries in the trash, which are deleted after 30 days',
    description: 'Takes the filters and sort orders of GET /entries.',
  })
  @Unchanged()
  @ApiOkResponse({ standardSchema: EntryListSchema, headers: WEAK_ETAG })
  @ApiProblems(400, 401, 429, 503)
  listTrash(
    @CurrentUser() { userId }: Principal,
    @Query({ schema: EntryListQuerySchema }) query: EntryListQuery,
    @Headers('if-none-match') ifNoneMatch: string | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<EntryList | undefined> {
    return this.sendList(userId, query, true, ifNoneMatch, reply);
  }

  @Delete('trash/:id')
  @HttpCode(204)
  @ApiOperation({
    operationId: 'deleteEntry',
    summary: 'Delete an entry in the trash permanently',
    description: '404 if the entry is not in the trash.',
  })
  @ApiNoContentResponse()
  @ApiProblems(401, 404, ...BODY_PROBLEMS, 429, 503)
  deletePermanently(
    @CurrentUser() { userId }: Principal,
    @Param('id', { schema: EntryIdSchema }) id: string,
  ): Promise<void> {
    return this.entries.deletePermanently(userId, id);
  }

  @Get(':id')
  @ApiOperation({
    operationId: 'getEntry',
    summary: 'Get an entry',
    description: '404 if it is in the trash, or of another user.',
  })
  @IfMatch()
  @ApiHeader({
    name: 'If-None-Match',
    required: false,
    description: 'ETag of an earlier response: 304 if the entry has not changed since',
  })
  @ApiOkResponse({ standardSchema: EntrySchema, headers: ETAG })
  @ApiResponse({ status: 304, description: 'Not modified', headers: ETAG })
  @ApiProblems(400, 401, 404, 412, 429, 503)
  async read(
    @CurrentUser() { userId }: Principal,
    @Param('id', { schema: EntryIdSchema }) id: string,
    @Headers('if-match') ifMatch: string | undefined,
    @Headers('if-none-match') ifNoneMatch: string | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Entry | undefined> {
    const entry = await this.entries.read(userId, id, versionsToMatch(ifMatch));
    if (!matchesIfNoneMatch(ifNoneMatch, entry.version)) return send(entry, reply);
    reply.code(304).header('etag', etagOf(entry.version));
    return undefined;
  }

  @Patch(':id')
  @ApiOperation({
    operationId: 'updateEntry',
    summary: 'Update an entry',
    description: 'Omitted fields stay unchanged. If-Match prevents lost updates.',
  })
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
  ): Promise<Entry> {
    return send(await this.entries.update(userId, id, patch, preconditionOf(ifMatch, ifNoneMatch)), reply);
  }

  @Delete(':id')
  @HttpCode(204)
  @ApiOperation({
    operationId: 'trashEntry',
    summary: 'Move an entry to the trash',
    description: 'It can be restored for 30 days.',
  })
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
  @ApiOperation({
    operationId: 'restoreEntry',
    summary: 'Restore an entry from the trash',
    description: '404 if the entry is not in the trash.',
  })
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
  ): Promise<Entry> {
    return send(await this.entries.restore(userId, id, preconditionOf(ifMatch, ifNoneMatch)), reply);
  }

  private async sendList(
    userId: string,
    query: EntryListQuery,
    trash: boolean,
    ifNoneMatch: string | undefined,
    reply: FastifyReply,
  ): Promise<EntryList | undefined> {
    const isKnown =
      ifNoneMatch === undefined ? undefined : (validator: string) => hasValidator(ifNoneMatch, validator);
    const { validator, list } = await this.entries.list(userId, query, { trash, isKnown });
    reply.header('etag', weakEtagOf(validator));
    if (!list) reply.code(304);
    return list;
  }
}

function send(entry: Entry, reply: FastifyReply): Entry {
  reply.header('etag', etagOf(entry.version));
  return entry;
}
