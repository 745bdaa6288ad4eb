import { Injectable } from '@nestjs/common';
import type { CursorPosition } from '../../http/paging/cursor.js';
import { BYTE_ORDER_MARK, CSV_HEADER, csvLine } from './formats/entry-csv.js';
import type { Entry } from '../entry-row.js';
import { TransferRepository } from './transfer.repository.js';
import type { EntryFilters } from '../entries.schemas.js';
import type { Format } from './transfer.schemas.js';
import { atOnce } from './transfer-admission.js';

/** Target size of a batch. It keeps an export at a few MiB of memory. */
const BATCH_CHARACTERS = 64 * 1024;
const FIRST_BATCH_ROWS = 100;
const MAX_BATCH_ROWS = 250;

@Injectable()
export class ExportService {
  constructor(private readonly entries: TransferRepository) {}

  /**
   * Yields entries outside the trash, ordered by creation time, in batches that are read on demand. No connection or
   * snapshot is held between batches. An entry that exists throughout the export appears exactly once.
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
      const requested = limit;
      const entries = await turn(() => this.entries.next(selection, after, requested));
      const text = head + entries.map(format === 'csv' ? csvLine : jsonLine).join('');
      head = '';
      yield { text, rows: entries.length };
      const last = entries.at(-1);
      if (last === undefined || entries.length < requested) return;
      after = { id: last.id, key: last.createdAt };
      const rowLength = text.length / entries.length;
      limit = Math.max(1, Math.min(MAX_BATCH_ROWS, requested * 4, Math.floor(BATCH_CHARACTERS / rowLength)));
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
