import { Body, Controller, Get, Header, Headers, HttpCode, Post, Query, Req, Res } from '@nestjs/common';
import { ApiBearerAuth, ApiCreatedResponse, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Config } from '../../config/config.js';
import { ApiProblems } from '../../http/problem/api-problems.decorator.js';
import { CurrentUser, type Principal } from '../../http/current-user.decorator.js';
import { OpenRequests } from '../../http/connections/open-requests.js';
import { Unqueued } from '../../http/overload/unqueued.decorator.js';
import { streamResponse } from '../../http/streaming/streamed-response.js';
import {
  ConnectionCutError,
  receiveBody,
  StreamedBody,
  type StreamedMediaType,
} from '../../http/streaming/streamed-body.js';
import { UsersService } from '../../users/users.service.js';
import { DateFilters } from '../date-filters.js';
import { ENTRY_EXAMPLE } from '../entries.schemas.js';
import { EntriesService } from '../entries.service.js';
import { ExportService, type ExportBatch } from './export.service.js';
import { ImportService } from './import.service.js';
import { ApiIdempotencyKey, idempotencyKeyOf, sendResponse } from '../../idempotency/idempotency.response.js';
import { IdempotencyService } from '../../idempotency/idempotency.service.js';
import {
  EntryBulkResultSchema,
  EntryBulkSchema,
  EntryExportQuerySchema,
  EntryImportQuerySchema,
  ImportReportSchema,
  type EntryBulk,
  type EntryExportQuery,
  type EntryImportQuery,
  type ExportFormat,
  type ImportReport,
} from './transfer.schemas.js';
import { TransferAdmission } from './transfer-admission.js';

const MEDIA_TYPES = {
  ndjson: 'application/x-ndjson',
  csv: 'text/csv',
  markdown: 'application/zip',
} as const satisfies Readonly<Record<ExportFormat, StreamedMediaType>>;

const EXPORT_FILES: Readonly<Record<ExportFormat, { contentType: string; extension: string }>> = {
  ndjson: { contentType: `${MEDIA_TYPES.ndjson}; charset=utf-8`, extension: 'ndjson' },
  csv: { contentType: `${MEDIA_TYPES.csv}; charset=utf-8`, extension: 'csv' },
  markdown: { contentType: MEDIA_TYPES.markdown, extension: 'zip' },
};

const IMPORT_MEDIA_TYPES = [
  MEDIA_TYPES.ndjson,
  MEDIA_TYPES.csv,
  'application/json',
  'application/zip',
  'application/octet-stream',
  'multipart/form-data',
] as const satisfies readonly StreamedMediaType[];

const IMPORT_BODY = {
  required: true,
  description: 'the file, or a form with one file; may be compressed (Content-Encoding: gzip)',
  content: {
    [MEDIA_TYPES.ndjson]: {
      schema: { type: 'string' },
      example: '{"text":"Walked by the river.","mood":7}\n',
    },
    [MEDIA_TYPES.csv]: { schema: { type: 'string' }, example: 'text,mood\r\nWalked by the river.,7\r\n' },
    'application/json': {
      schema: { type: 'object', description: 'an export of Day One' },
      example: {
        entries: [{ creationDate: '2026-03-01T08:30:00Z', text: 'Walked by the river.', tags: ['river'] }],
      },
    },
    'application/zip': { schema: { type: 'string', format: 'binary' } },
    'application/octet-stream': { schema: { type: 'string', format: 'binary' } },
    'multipart/form-data': {
      schema: {
        type: 'object',
        required: ['file'],
        properties: { file: { type: 'string', format: 'binary' } },
      },
    },
  } satisfies Record<(typeof IMPORT_MEDIA_TYPES)[number], unknown>,
};

@ApiTags('Entries')
@ApiBearerAuth()
@Controller('entries')
export class TransferController {
  constructor(
    private readonly entries: EntriesService,
    private readonly idempotency: IdempotencyService,
    private readonly exports: ExportService,
    private readonly imports: ImportService,
    private readonly users: UsersService,
    private readonly dates: DateFilters,
    private readonly admission: TransferAdmission,
    private readonly requests: OpenRequests,
    private readonly config: Config,
  ) {}

  @Post('bulk')
  @Header('content-type', 'application/json; charset=utf-8')
  @ApiOperation({
    operationId: 'createEntries',
    summary: 'Create up to 1000 entries, all or none',
    description: 'The usual body limit applies (413); use an import for more.',
  })
  @ApiCreatedResponse({ standardSchema: EntryBulkResultSchema })
  @ApiIdempotencyKey()
  @ApiProblems(400, 401, 409, 413, 415, 422, 429, 503)
  async createAll(
    @CurrentUser() { userId }: Principal,
    @Body({ schema: EntryBulkSchema }) body: EntryBulk,
    @Headers('idempotency-key') key: string | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    const request = { userId, route: 'POST /entries/bulk', key: idempotencyKeyOf(key), body: body.entries };
    const response = await this.idempotency.run(request, async (statements) => {
      const entries = await this.entries.createAll(userId, body.entries, statements);
      return { status: 201, headers: {}, body: JSON.stringify({ entries }) };
    });
    return sendResponse(response, reply);
  }

  @Get('export')
  @Unqueued()
  @ApiOperation({
    operationId: 'exportEntries',
    summary: 'Export the entries that match the filters, without the trash',
    description:
      'Sorted by createdAt, Markdown by occurredAt: an entry whose occurredAt changes during a Markdown export can be ' +
      'missing or appear twice. If the export fails, the connection closes without the last chunk.',
  })
  @ApiOkResponse({
    content: {
      [MEDIA_TYPES.ndjson]: {
        schema: { type: 'string', description: 'one Entry per line' },
        example: `${JSON.stringify(ENTRY_EXAMPLE)}\n`,
      },
      [MEDIA_TYPES.csv]: {
        schema: {
          type: 'string',
          description:
            'RFC 4180, UTF-8 with a byte-order mark; text that looks like a formula starts with an apostrophe',
        },
        example: '\ufeffid,text,mood,category,tags,occurredAt,createdAt,updatedAt,version\r\n',
      },
      [MEDIA_TYPES.markdown]: {
        schema: {
          type: 'string',
          format: 'binary',
          description: 'one Markdown file per day with entries, such as 2026/2026-03-01.md',
        },
      },
    },
    headers: { 'Content-Disposition': { description: 'file name', schema: { type: 'string' } } },
  })
  @ApiProblems(400, 401, 429, 503)
  async export(
    @CurrentUser() { userId }: Principal,
    @Query({ schema: EntryExportQuerySchema }) { format, ...given }: EntryExportQuery,
    @Req() request: FastifyRequest,
    // No passthrough: Nest would wrap the stream and notice an abort only when the client reads on.
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const describe = () => {
      const today = new Date().toISOString().slice(0, 10);
      const { contentType, extension } = EXPORT_FILES[format];
      reply.header('content-type', contentType);
      reply.header('content-disposition', `attachment; filename="entries-${today}.${extension}"`);
      reply.header('cache-control', 'private, no-store');
    };
    if (request.method === 'HEAD') {
      describe();
      await reply.send();
      return;
    }
    const { timezone } = await this.users.get(userId);
    const { filters } = await this.dates.resolve(userId, given, timezone);
    const transfer = this.admission.admit(userId);
    const batches = this.exports.run(userId, filters, { format, timezone, turn: transfer.turn });
    let first: IteratorResult<ExportBatch, void>;
    try {
      // Read before the status is sent, so that an unavailable database is still a 503.
      first = await batches.next();
    } catch (error) {
      transfer.close();
      throw error;
    }
    describe();
    await reply.send(
      streamResponse(dataOf(first, batches), {
        abortSignal: this.requests.abortSignal,
        ended: transfer.close,
      }),
    );
  }

  @Post('import')
  @HttpCode(200)
  @StreamedBody(...IMPORT_MEDIA_TYPES)
  @ApiOperation({
    operationId: 'importEntries',
    summary: 'Import entries',
    description:
      'NDJSON or CSV as an export has them, a Daylio CSV or backup, or a Day One JSON or zip: the content shows which. ' +
      'The file may have any length; each entry must fit the body limit. Invalid entries are reported and skipped. ' +
      'Existing entries are skipped, so that an interrupted import can be retried, and a later export of the same ' +
      'diary adds what is new.',
    requestBody: IMPORT_BODY,
  })
  @ApiOkResponse({ standardSchema: ImportReportSchema })
  @ApiProblems(400, 401, 408, 415, 422, 429, 503)
  async import(
    @CurrentUser() { userId }: Principal,
    @Query({ schema: EntryImportQuerySchema }) query: EntryImportQuery,
    @Req() request: FastifyRequest,
  ): Promise<ImportReport | undefined> {
    const transfer = this.admission.admit(userId);
    try {
      const { mediaType, chunks } = receiveBody(request, this.requests.abortSignal);
      const { turn } = transfer;
      const maxEntryBytes = this.config.BODY_LIMIT_BYTES;
      const timezone = query.timezone ?? (await this.users.get(userId)).timezone;
      return await this.imports.run(userId, chunks, { ...query, timezone, mediaType, maxEntryBytes, turn });
    } catch (error) {
      if (error instanceof ConnectionCutError) return undefined;
      throw error;
    } finally {
      transfer.close();
    }
  }
}

async function* dataOf(
  first: IteratorResult<ExportBatch, void>,
  rest: AsyncGenerator<ExportBatch, void>,
): AsyncGenerator<string | Uint8Array> {
  for (let batch = first; !batch.done; batch = await rest.next()) yield batch.value.data;
}
