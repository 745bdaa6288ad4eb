import type { EntryRecord, ImportFormat } from './format.js';
import { ImportFileError } from './format.js';
import { csvRecords } from './csv-reader.js';
import { columnsOf, fieldsOf, KNOWN_COLUMNS, type Column } from './entry-csv.js';

/** CSV with the columns of an export, in any order. */
export const csv = {
  name: 'csv',
  counts: 'line',
  mediaType: 'text/csv',
  recognizes: (head) => {
    const [header = ''] = head.split(/\r?\n/, 1);
    const names = header.split(/[,;\t]/).map((name) => name.replace(/^"(.*)"$/, '$1').trim());
    return names.some((name) => (KNOWN_COLUMNS as readonly string[]).includes(name));
  },
  async *read(file, { maxEntryBytes, unknownColumns, times, ignore }) {
    let columns: readonly (Column | undefined)[] | undefined;
    for await (const rows of csvRecords(file, maxEntryBytes)) {
      const records: EntryRecord[] = [];
      for (const { line: number, cells, fault } of rows) {
        if (!columns) {
          if (fault !== undefined) throw new ImportFileError(`The header ${fault}`);
          columns = columnsOf(cells, unknownColumns, ignore);
          continue;
        }
        if (fault !== undefined) records.push({ number, fields: undefined, fault });
        else if (cells.length !== columns.length)
          records.push({
            number,
            fields: undefined,
            fault: `must have ${columns.length} cells, like the header`,
          });
        else records.push({ number, fields: times.resolve(fieldsOf(columns, cells)) });
      }
      yield records;
    }
    if (!columns) throw new ImportFileError('The file is empty');
  },
} as const satisfies ImportFormat;
