import { z } from 'zod';
import { EntryCreateSchema, EntryIdSchema, EntrySchema, filters, InstantSchema } from '../entries.schemas.js';

const MAX_BULK = 1000;

/** Far below the overflow of a PostgreSQL integer. */
const MAX_VERSION = 1_000_000_000;

export const EntryBulkSchema = z
  .strictObject({
    entries: z
      .array(EntryCreateSchema)
      .min(1, `must have 1 to ${MAX_BULK} entries`)
      .max(MAX_BULK, `must have 1 to ${MAX_BULK} entries`),
  })
  .meta({ id: 'EntryBulk' });
export type EntryBulk = z.infer<typeof EntryBulkSchema>;

export const EntryBulkResultSchema = z
  .object({ entries: z.array(EntrySchema).meta({ description: 'in the order of the request' }) })
  .meta({ id: 'EntryBulkResult' });

export const FORMATS = ['ndjson', 'csv'] as const;
export type Format = (typeof FORMATS)[number];

export const EntryExportQuerySchema = z.strictObject({
  format: z
    .enum(FORMATS, `must be ${FORMATS.join(' or ')}`)
    .default('ndjson')
    .meta({ description: 'csv is for spreadsheets, ndjson for programs; both can be imported' }),
  ...filters,
});
export type EntryExportQuery = z.infer<typeof EntryExportQuerySchema>;

/** A line of an import: the fields of POST /entries and those that an export adds. */
export const EntryImportSchema = EntryCreateSchema.extend({
  id: EntryIdSchema.optional(),
  createdAt: InstantSchema.optional(),
  updatedAt: InstantSchema.optional(),
  version: z
    .int(`must be a whole number from 1 to ${MAX_VERSION}`)
    .min(1, `must be a whole number from 1 to ${MAX_VERSION}`)
    .max(MAX_VERSION, `must be a whole number from 1 to ${MAX_VERSION}`)
    .optional(),
});
export type EntryImportFields = z.infer<typeof EntryImportSchema>;

export const ImportReportSchema = z
  .object({
    imported: z.int().meta({ description: 'new entries' }),
    skipped: z.int().meta({ description: 'lines whose entry already exists, even in the trash' }),
    failed: z.int().meta({ description: 'invalid lines' }),
    errors: z
      .array(z.object({ line: z.int().meta({ description: '1-based' }), message: z.string() }))
      .meta({ description: 'reasons for the first 100' }),
  })
  .meta({ id: 'ImportReport' });
export type ImportReport = z.infer<typeof ImportReportSchema>;
