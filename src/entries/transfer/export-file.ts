import type { Entry } from '../entry-row.js';
import { BYTE_ORDER_MARK, CSV_HEADER, csvLine } from './formats/entry-csv.js';
import { MarkdownZip } from './markdown-zip.js';
import type { ExportOrder } from './transfer.repository.js';
import type { ExportFormat } from './transfer.schemas.js';

/** A file that grows by a batch of entries at a time. */
export interface ExportFile {
  /** Of the entries that it is given. */
  readonly order: ExportOrder;
  /** @returns what follows in the file */
  add(entries: readonly Entry[]): string | Promise<Uint8Array>;
  end(): string | Uint8Array;
}

/** @param timezone of the days in Markdown */
export function openExportFile(format: ExportFormat, timezone: string): ExportFile {
  switch (format) {
    case 'ndjson':
      return { order: 'createdAt', add: (entries) => entries.map(jsonLine).join(''), end: () => '' };
    case 'csv':
      return csvFile();
    case 'markdown':
      return new MarkdownZip(timezone);
  }
}

function csvFile(): ExportFile {
  let head = BYTE_ORDER_MARK + CSV_HEADER;
  return {
    order: 'createdAt',
    add: (entries) => {
      const text = head + entries.map(csvLine).join('');
      head = '';
      return text;
    },
    end: () => '',
  };
}

function jsonLine(entry: Entry): string {
  return `${JSON.stringify(entry)}\n`;
}
