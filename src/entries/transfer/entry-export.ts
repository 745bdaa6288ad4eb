import { Injectable } from '@nestjs/common';
import type { CursorPosition } from '../../http/paging/cursor.js';
import { BYTE_ORDER_MARK, CSV_HEADER, csvLine } from './formats/entry-csv.js';
import type { Entry } from '../entry-row.js';
import { EntryTransferQueries } from './entry-transfer.queries.js';
import type { EntryFilters } from '../entry.schemas.js';
import type { Format } from './entry-transfer.schemas.js';
import { atOnce } from './transfer-admission.js';

/** What one statement should bring: with it, an export needs a few MiB, whatever it holds. */
const BATCH_CHARACTERS = 64 * 1024;
const FIRST_BATCH_ROWS = 100;
const MAX_BATCH_ROWS = 250;

@Injectable()
export class EntryExport {
  constructor(private readonly entries: EntryTransferQueries) {}

  /**
   * The entries of a user but for those in the trash, by when they were created, batch by batch: nothing is read that
   * nobody asks for, and between two batches nothing is held, neither a connection nor a snapshot. An entry that is
   * there all the time comes exactly once, as it is when its batch is read.
   */
  async *run(
    userId: string,
    filters: EntryFilters,
    format: Format,
    turn = atOnce,
  ): AsyncGenerator<ExportBatch, void> {
    const selection = { userId, filters, trash: false };
    let after: CursorPosition | undefined;
    let limit = FIRST_BATCH_ROWS;
    let head = format === 'csv' ? BYTE_ORDER_MARK + CSV_HEADER : '';
    for (;;) {
      const asked = limit;
      const entries = await turn(() => this.entries.next(selection, after, asked));
      const text = head + entries.map(format === 'csv' ? csvLine : jsonLine).join('');
      head = '';
      yield { text, rows: entries.length };
      const last = entries.at(-1);
      if (last === undefined || entries.length < asked) return;
      after = { id: last.id, key: last.createdAt };
      const rowLength = text.length / entries.length;
      limit = Math.max(1, Math.min(MAX_BATCH_ROWS, asked * 4, Math.floor(BATCH_CHARACTERS / rowLength)));
    }
  }
}

export interface ExportBatch {
  readonly text: string;
  readonly rows: number;
}

function jsonLine(entry: Entry): string {
  return `${JSON.stringify(entry)}\n`;
}
