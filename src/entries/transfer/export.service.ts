import { Injectable } from '@nestjs/common';
import type { CursorPosition } from '../../http/paging/cursor.js';
import type { Entry } from '../entry-row.js';
import type { EntryFilters } from '../entries.schemas.js';
import { openExportFile } from './export-file.js';
import { TransferRepository } from './transfer.repository.js';
import type { ExportFormat } from './transfer.schemas.js';
import { atOnce, type Turn } from './transfer-admission.js';

/** Target size of a batch. It keeps an export at a few MiB of memory. */
const BATCH_CHARACTERS = 64 * 1024;
const FIRST_BATCH_ROWS = 100;
const MAX_BATCH_ROWS = 250;

/** What an entry takes in a batch besides its text, about. */
const ENTRY_CHARACTERS = 250;

export interface ExportOptions {
  readonly format: ExportFormat;
  /** Of the days in Markdown. */
  readonly timezone: string;
  readonly turn?: Turn;
}

@Injectable()
export class ExportService {
  constructor(private readonly entries: TransferRepository) {}

  /**
   * Yields a file of the entries outside the trash, in batches that are read on demand. No connection or snapshot is
   * held between batches. In order of creation, an entry that exists throughout the export appears exactly once; in
   * order of time, which Markdown needs, only one whose time stays the same.
   */
  async *run(
    userId: string,
    filters: EntryFilters,
    { format, timezone, turn = atOnce }: ExportOptions,
  ): AsyncGenerator<ExportBatch, void> {
    const selection = { userId, filters, trash: false };
    const file = openExportFile(format, timezone);
    let after: CursorPosition | undefined;
    let limit = FIRST_BATCH_ROWS;
    for (;;) {
      const requested = limit;
      const entries = await turn(() => this.entries.next(selection, file.order, after, requested));
      yield { data: await file.add(entries), rows: entries.length };
      const last = entries.at(-1);
      if (last === undefined || entries.length < requested) break;
      after = { id: last.id, key: last[file.order] };
      const rows = Math.floor(BATCH_CHARACTERS / averageCharacters(entries));
      limit = Math.max(1, Math.min(MAX_BATCH_ROWS, requested * 4, rows));
    }
    yield { data: file.end(), rows: 0 };
  }
}

export interface ExportBatch {
  readonly data: string | Uint8Array;
  readonly rows: number;
}

function averageCharacters(entries: readonly Entry[]): number {
  return ENTRY_CHARACTERS + entries.reduce((sum, { text }) => sum + text.length, 0) / entries.length;
}
