import { csvTable, headerNames } from './csv-reader.js';
import { columnsOf, fieldsOf, KNOWN_COLUMNS } from './entry-csv.js';
import type { ImportFormat } from './format.js';

/** CSV with the columns of an export, in any order. */
export const csv = {
  name: 'csv',
  counts: 'line',
  mediaType: 'text/csv',
  recognizes: (head) => headerNames(head).some((name) => (KNOWN_COLUMNS as readonly string[]).includes(name)),
  read: (file, { maxEntryBytes, unknownColumns, times, ignore }) =>
    csvTable(
      file,
      maxEntryBytes,
      (cells) => columnsOf(cells, unknownColumns, ignore),
      (columns, cells) => ({ fields: times.resolve(fieldsOf(columns, cells)) }),
    ),
} as const satisfies ImportFormat;
