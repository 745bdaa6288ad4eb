import * as z from 'zod';
import { CursorSchema, LimitSchema, NextCursorSchema } from '../http/paging/page.schemas.js';
import { NOT_BLANK, text } from '../http/validation/text.schema.js';
import { wholeNumber } from '../http/validation/whole-number.schema.js';
import { TimezoneSchema } from '../users/users.schemas.js';

const MAX_TAGS = 20;
const LABEL_MAX = 50;

/** Deepest row of page mode, because OFFSET reads the rows that it skips. Cursors have no limit. */
const MAX_OFFSET = 10_000;

export const EARLIEST = Date.parse('0001-01-01T00:00:00.000Z');
const LATEST = Date.parse('9999-12-31T23:59:59.999Z');

/** Trimmed, lower-case and in Unicode NFC, so that one word typed in two ways is one tag. */
function label(example: string) {
  return z.string().trim().toLowerCase().normalize('NFC').pipe(text(1, LABEL_MAX)).meta({
    description: 'trimmed and lower-cased',
    example,
    minLength: 1,
    maxLength: LABEL_MAX,
    pattern: NOT_BLANK,
  });
}

/** Any ISO 8601 instant, converted to UTC with milliseconds, the precision of `timestamptz(3)`. */
export const InstantSchema = z.iso
  .datetime({ offset: true, error: 'must be an ISO 8601 instant, such as 2026-03-01T08:30:00Z' })
  .transform((instant, context) => {
    // The form of an export: UTC with milliseconds, from the year 1. Parsing it again would be a fifth of an import here.
    if (instant.length === 24 && instant.endsWith('Z') && instant >= '0001') return instant;
    const time = Date.parse(instant);
    if (time >= EARLIEST && time <= LATEST) return new Date(time).toISOString();
    context.addIssue({ code: 'custom', message: 'must be in the years 1 to 9999' });
    return z.NEVER;
  });

/** A date stands for the beginning of its day in a time zone: see DateFilters. */
const DATE_OR_INSTANT =
  'must be an ISO 8601 instant, such as 2026-03-01T08:30:00Z, or a date, such as 2026-03-01';
const DateOrInstantSchema = z.union([z.iso.date(DATE_OR_INSTANT), InstantSchema], DATE_OR_INSTANT);

const EntryTextSchema = text(1, 10_000).meta({ example: 'Walked by the river.' });
const MoodSchema = z
  .int('must be a whole number from 1 to 10')
  .min(1, 'must be a whole number from 1 to 10')
  .max(10, 'must be a whole number from 1 to 10')
  .meta({ example: 7 });
const CategorySchema = label('health');
const TagsSchema = z
  .array(label('river'))
  .max(MAX_TAGS, `must have at most ${MAX_TAGS} tags`)
  .transform((tags) => [...new Set(tags)].sort());

const NEW_ENTRY_EXAMPLE = {
  text: 'Walked by the river.',
  mood: 7,
  category: 'health',
  tags: ['outdoors', 'river'],
  occurredAt: '2026-03-01T08:30:00.000Z',
};
export const ENTRY_EXAMPLE = {
  id: '01a5c0de-8c9d-7e1f-9a2b-6c7d8e9f0a1b',
  ...NEW_ENTRY_EXAMPLE,
  createdAt: '2026-03-01T08:32:10.000Z',
  updatedAt: '2026-03-01T08:32:10.000Z',
  version: 1,
};

export const EntrySchema = z
  .object({
    id: z.uuid(),
    text: z.string(),
    mood: z.int().min(1).max(10),
    category: z.string(),
    tags: z.array(z.string()).meta({ description: 'unique and sorted' }),
    occurredAt: z.iso.datetime({ precision: 3 }),
    createdAt: z.iso.datetime({ precision: 3 }),
    updatedAt: z.iso.datetime({ precision: 3 }),
    version: z.int().min(1).meta({ description: '1 at first, plus 1 with each change' }),
  })
  .meta({ id: 'Entry', description: 'an entry of the journal', example: ENTRY_EXAMPLE });

export const EntryCreateSchema = z
  .strictObject({
    text: EntryTextSchema,
    mood: MoodSchema,
    category: CategorySchema.default('general'),
    tags: TagsSchema.prefault([]),
    occurredAt: InstantSchema.optional().meta({ description: 'defaults to now' }),
  })
  .meta({ id: 'EntryCreate', description: 'a new entry', example: NEW_ENTRY_EXAMPLE });
export type EntryCreate = z.infer<typeof EntryCreateSchema>;

export const EntryPatchSchema = z
  .strictObject({
    text: EntryTextSchema,
    mood: MoodSchema,
    category: CategorySchema,
    tags: TagsSchema,
    occurredAt: InstantSchema,
  })
  .partial()
  .meta({ id: 'EntryPatch', description: 'omitted fields stay unchanged', example: { mood: 8 } });
export type EntryPatch = z.infer<typeof EntryPatchSchema>;

export const EntryIdSchema = z.uuid('must be a UUID').toLowerCase();

const SORTS = ['-occurredAt', 'occurredAt', '-createdAt', 'createdAt'] as const;
export type Sort = (typeof SORTS)[number];

const mood = wholeNumber(1, 10).optional();

/** Filters of a list and an export. Cursors depend on their order. */
export const filters = {
  q: z.string().trim().pipe(text(1, 200)).optional().meta({
    description: 'words that must all occur in the text, ignoring case and accents; "a phrase"; -excluded',
    minLength: 1,
    maxLength: 200,
    pattern: NOT_BLANK,
  }),
  category: CategorySchema.optional(),
  tag: z
    .union([label('river'), z.array(label('river')).max(MAX_TAGS)], `must be given at most ${MAX_TAGS} times`)
    .transform((tags) => [...new Set([tags].flat())].sort())
    .optional()
    .meta({ description: 'repeatable; all tags must match' }),
  mood,
  moodMin: mood,
  moodMax: mood,
  from: DateOrInstantSchema.optional().meta({
    description: "occurredAt at or after; a date begins at midnight in the user's time zone",
  }),
  to: DateOrInstantSchema.optional().meta({ description: 'occurredAt before' }),
};

export const EntryListQuerySchema = z
  .strictObject({
    limit: LimitSchema,
    cursor: CursorSchema,
    page: wholeNumber(1, Number.MAX_SAFE_INTEGER, 'must be a whole number from 1')
      .optional()
      .meta({ description: `1-based; page × limit ≤ ${MAX_OFFSET}; not with cursor`, maximum: MAX_OFFSET }),
    sort: z.enum(SORTS, `must be ${SORTS.join(', ')}`).default('-occurredAt'),
    ...filters,
  })
  .refine(({ page, cursor }) => page === undefined || cursor === undefined, {
    path: ['page'],
    message: 'must not be used with cursor',
  })
  .refine(({ page, limit }) => page === undefined || page * limit <= MAX_OFFSET, {
    path: ['page'],
    message: `page × limit must be at most ${MAX_OFFSET}; use cursor for more`,
  });
export type EntryListQuery = z.infer<typeof EntryListQuerySchema>;
export type EntryFilters = Pick<EntryListQuery, keyof typeof filters>;

export const EntryListSchema = z
  .object({
    entries: z.array(EntrySchema),
    total: z.int().meta({ description: 'matching entries on all pages; with q, at most 1000' }),
    limit: z.int(),
    page: z.int().optional().meta({ description: 'only if it was requested' }),
    nextCursor: NextCursorSchema,
  })
  .meta({
    id: 'EntryList',
    description: 'a page of entries',
    example: { entries: [ENTRY_EXAMPLE], total: 1, limit: 20, nextCursor: null },
  });
export type EntryList = z.infer<typeof EntryListSchema>;

const BUCKETS = ['day', 'week', 'month'] as const;

export const EntryStatsQuerySchema = z.strictObject({
  from: DateOrInstantSchema.optional().meta({
    description: 'inclusive; defaults to the first entry; a date begins at midnight in the time zone',
  }),
  to: DateOrInstantSchema.optional().meta({
    description: 'exclusive; defaults to the last entry',
  }),
  bucket: z
    .enum(BUCKETS, `must be ${BUCKETS.join(', ')}`)
    .default('day')
    .meta({ description: 'interval of the series; weeks follow ISO 8601, Monday to Sunday' }),
  timezone: TimezoneSchema.optional().meta({
    description: "IANA time zone; defaults to the user's",
    example: 'Europe/Vienna',
  }),
});
export type EntryStatsQuery = z.infer<typeof EntryStatsQuerySchema>;

const count = z.int().min(0);
const averageMood = z
  .number()
  .nullable()
  .meta({ description: 'rounded to 2 decimals; null without entries' });

export const EntryStatsSchema = z
  .object({
    count,
    averageMood,
    moods: z
      .object(Object.fromEntries(Array.from({ length: 10 }, (_, index) => [String(index + 1), count])))
      .meta({ description: 'number of entries for each mood' }),
    byCategory: z
      .array(z.object({ category: z.string(), count }))
      .meta({ description: 'the 100 most frequent, in descending order' }),
    byTag: z
      .array(z.object({ tag: z.string(), count }))
      .meta({ description: 'the 20 most frequent, in descending order' }),
    series: z.array(z.object({ start: z.iso.date(), count, averageMood })).meta({
      description: 'one item per bucket, including empty ones; start is its first day in the time zone',
    }),
    streak: z.object({ current: count, longest: count }).meta({
      description:
        'consecutive days with an entry, over all entries; the current streak ends today or yesterday',
    }),
  })
  .meta({
    id: 'EntryStats',
    description: 'statistics of the entries between two times',
    example: {
      count: 2,
      averageMood: 6.5,
      moods: { 1: 0, 2: 0, 3: 0, 4: 0, 5: 0, 6: 1, 7: 1, 8: 0, 9: 0, 10: 0 },
      byCategory: [{ category: 'health', count: 2 }],
      byTag: [{ tag: 'river', count: 1 }],
      series: [{ start: '2026-03-01', count: 2, averageMood: 6.5 }],
      streak: { current: 1, longest: 1 },
    },
  });
export type EntryStats = z.infer<typeof EntryStatsSchema>;
