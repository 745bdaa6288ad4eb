import { types } from 'pg';
import type * as z from 'zod';
import type { EntrySchema } from './entries.schemas.js';

export type Entry = z.infer<typeof EntrySchema>;

export const ENTRY_COLUMNS = 'id, text, mood, category, tags, occurred_at, created_at, updated_at, version';

/** A row of {@link ENTRY_COLUMNS}, in PostgreSQL's text format. */
export type EntryRow = readonly [
  id: string,
  text: string,
  mood: string,
  category: string,
  tags: string,
  occurredAt: string,
  createdAt: string,
  updatedAt: string,
  version: string,
  ...more: unknown[],
];

export function toEntry(row: EntryRow): Entry {
  return {
    id: row[0],
    text: row[1],
    mood: Number(row[2]),
    category: row[3],
    tags: toTags(row[4]),
    occurredAt: toIso(row[5]),
    createdAt: toIso(row[6]),
    updatedAt: toIso(row[7]),
    version: Number(row[8]),
  };
}

/** `2026-03-01 08:30:00.5+00` → `2026-03-01T08:30:00.500Z`, five times as fast as with a Date. */
export function toIso(timestamp: string): string {
  if (!timestamp.endsWith('+00')) return (parseTimestamp(timestamp) as Date).toISOString();
  const fraction = timestamp.slice(20, -3).padEnd(3, '0');
  return `${timestamp.slice(0, 10)}T${timestamp.slice(11, 19)}.${fraction}Z`;
}

/** Parses `{a,"b c"}`, with a fast path: almost no tag needs quotes. */
function toTags(array: string): string[] {
  if (array === '{}') return [];
  if (array.includes('"')) return parseTextArray(array) as string[];
  return array.slice(1, -1).split(',');
}

const parserOf = types.getTypeParser as (oid: number) => (text: string) => unknown;
const parseTimestamp = parserOf(types.builtins.TIMESTAMPTZ);

/** The OID of `text[]` in pg_type.dat. */
const parseTextArray = parserOf(1009);
