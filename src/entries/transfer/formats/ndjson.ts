import type { EntryRecord, ImportFormat } from './format.js';
import { linesOf } from './line-splitter.js';

/** Newline-delimited JSON, as an export has it. Empty lines are skipped. */
export const ndjson = {
  name: 'ndjson',
  counts: 'line',
  mediaType: 'application/x-ndjson',
  recognizes: (head) => head.trimStart().startsWith('{'),
  async *read(file, { maxEntryBytes, times }) {
    for await (const lines of linesOf(file, maxEntryBytes)) {
      const records: EntryRecord[] = [];
      for (const { number, text, fault } of lines) {
        if (fault !== undefined) records.push({ number, fields: undefined, fault });
        else if (text !== '' && text !== '\r') records.push(parse(number, text));
      }
      for (const { fields } of records) times.resolve(fields);
      yield records;
    }
  },
} as const satisfies ImportFormat;

function parse(number: number, text: string): EntryRecord {
  try {
    return { number, fields: JSON.parse(text) };
  } catch {
    return { number, fields: undefined, fault: 'is not valid JSON' };
  }
}
