import * as z from 'zod';
import { TimezoneSchema } from '../../users/users.schemas.js';
import { IMPORT_FORMAT_NAMES } from './formats/formats.js';
import { parseMoods } from './mood-names.js';
import {
  ENTRY_EXAMPLE,
  EntryCreateSchema,
  EntryIdSchema,
  EntrySchema,
  filters,
  InstantSchema,
} from '../entries.schemas.js';

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
  .meta({
    id: 'EntryBulk',
    description: 'new entries',
    example: { entries: [{ text: 'Walked by the river.', mood: 7 }] },
  });
export type EntryBulk = z.infer<typeof EntryBulkSchema>;

export const EntryBulkResultSchema = z
  .object({ entries: z.array(EntrySchema).meta({ description: 'in the order of the request' }) })
  .meta({ id: 'EntryBulkResult', description: 'the new entries', example: { entries: [ENTRY_EXAMPLE] } });

export const EXPORT_FORMATS = ['ndjson', 'csv', 'markdown'] as const;
export type ExportFormat = (typeof EXPORT_FORMATS)[number];

export const EntryExportQuerySchema = z.strictObject({
  format: z
    .enum(EXPORT_FORMATS, `must be ${EXPORT_FORMATS.join(', ')}`)
    .default('ndjson')
    .meta({
      description:
        'csv is for spreadsheets, ndjson for programs; both can be imported. markdown is for people: a zip with one ' +
        "file per day in the user's time zone",
    }),
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

const MOOD_PAIR = '[^,]*[^\\s,][^,]*:\\s*(?:10|[1-9])\\s*';

export const EntryImportQuerySchema = z.strictObject({
  format: z
    .enum(IMPORT_FORMAT_NAMES, `must be ${IMPORT_FORMAT_NAMES.join(', ')}`)
    .optional()
    .meta({ description: 'by default, the content of the file shows it' }),
  timezone: TimezoneSchema.optional().meta({
    description: "IANA time zone of times without one; defaults to the user's",
    example: 'Europe/Vienna',
  }),
  moods: z
    .string()
    .max(5000, 'must have at most 5000 characters')
    .transform((given, context) => {
      const values = parseMoods(given);
      if (values) return values;
      context.addIssue({ code: 'custom', message: 'must be like rad:10,good:8, with moods from 1 to 10' });
      return z.NEVER;
    })
    .optional()
    .meta({
      description: "moods for the file's names; that of * is for every other name",
      example: 'great:9,*:5',
      pattern: `^${MOOD_PAIR}(?:,${MOOD_PAIR})*$`,
    }),
  unknownColumns: z
    .enum(['refuse', 'ignore'], 'must be refuse or ignore')
    .default('refuse')
    .meta({ description: 'columns of a CSV that entries do not have' }),
  dryRun: z
    .enum(['true', 'false'], 'must be true or false')
    .transform((value) => value === 'true')
    .default(false)
    .meta({ description: 'report, and write nothing' }),
});
export type EntryImportQuery = z.infer<typeof EntryImportQuerySchema>;

const countsByName = z.record(z.string(), z.int());

export const ImportReportSchema = z
  .object({
    format: z.enum(IMPORT_FORMAT_NAMES),
    imported: z.int().meta({ description: 'new entries' }),
    skipped: z.int().meta({ description: 'entries that already exist, even in the trash' }),
    failed: z.int().meta({ description: 'invalid entries' }),
    errors: z
      .array(
        z.object({
          line: z.int().optional().meta({ description: '1-based, in a file of lines' }),
          entry: z.int().optional().meta({ description: '1-based, in any other file' }),
          message: z.string(),
        }),
      )
      .meta({ description: 'reasons for the first 100' }),
    ignored: countsByName.meta({
      description: 'what the file has and an entry has not',
      example: { photos: 12 },
    }),
    unknownMoods: countsByName
      .optional()
      .meta({ description: 'names of moods without a value, with the number of their entries' }),
    adjustedTimes: z
      .object({
        skipped: z.int().meta({ description: 'times that a change of the clocks skips, moved on' }),
        repeated: z.int().meta({ description: 'times that occur twice, taken as the first' }),
      })
      .optional(),
  })
  .meta({
    id: 'ImportReport',
    description: 'what an import did',
    example: {
      format: 'ndjson',
      imported: 2,
      skipped: 1,
      failed: 1,
      errors: [{ line: 4, message: 'mood: must be a whole number from 1 to 10' }],
      ignored: {},
    },
  });
export type ImportReport = z.infer<typeof ImportReportSchema>;
