import { createHash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { Injectable, UnprocessableEntityException } from '@nestjs/common';
import { retryDeadlocks } from '../../database/deadlock.js';
import { refuseErasedUser } from '../../users/users.service.js';
import { CsvHeaderError } from './formats/entry-csv.js';
import { recordReader, type EntryRecord } from './entry-records.js';
import { EntryTransferQueries, type NewEntry } from './entry-transfer.queries.js';
import {
  EntryImportSchema,
  type EntryImportFields,
  type Format,
  type ImportReport,
} from './entry-transfer.schemas.js';
import { atOnce, type Turn } from './transfer-admission.js';

/** What one statement writes, at most. */
const BATCH_ROWS = 500;
const BATCH_CHARACTERS = 128 * 1024;

const MAX_ERRORS = 100;
/** Of one line. */
const MAX_MESSAGES = 10;

/** Of one import, batches that PostgreSQL writes at once: each keeps one core busy, and waits for the other at the end. */
const WRITERS = 2;

/** Records that are checked before others get their turn of the event loop: a few ms. */
const RECORDS_AT_A_TIME = 250;

export interface ImportOptions {
  readonly maxLineBytes: number;
  readonly turn?: Turn;
  /** Called after each batch. */
  readonly onProgress?: (report: Readonly<ImportReport>) => void;
}

@Injectable()
export class EntryImport {
  constructor(private readonly entries: EntryTransferQueries) {}

  /**
   * Writes what a file holds, batch by batch, each whole or not at all. Sent again, a file adds what is missing: an
   * entry is told by its id, and one without an id by its content.
   *
   * @param chunks of the file; no more is asked for than is written
   * @throws {UnprocessableEntityException} for CSV whose header cannot be understood; nothing was written then
   * @throws {UnauthorizedException} where the user was erased meanwhile
   */
  async run(
    userId: string,
    format: Format,
    chunks: AsyncIterable<Buffer>,
    { maxLineBytes, turn = atOnce, onProgress }: ImportOptions,
  ): Promise<ImportReport> {
    const report: ImportReport = { imported: 0, skipped: 0, failed: 0, errors: [] };
    const reader = recordReader(format, maxLineBytes);
    let batch: NewEntry[] = [];
    let characters = 0;
    /** Batches under way, the oldest first: some are written while the next is read. */
    const writing: { readonly ids: ReadonlySet<string>; readonly done: Promise<void> }[] = [];

    const flush = async () => {
      const rows = batch;
      batch = [];
      characters = 0;
      // Of two lines with one id it is the first that counts.
      const isUnderWay = ({ id }: NewEntry) => writing.some(({ ids }) => ids.has(id));
      while (writing.length === WRITERS || rows.some(isUnderWay)) {
        await writing[0]?.done;
        writing.shift();
      }
      const done = this.write(userId, rows, turn).then((imported) => {
        report.imported += imported;
        report.skipped += rows.length - imported;
        onProgress?.(report);
      });
      // It is awaited later, and may fail before.
      done.catch(() => {});
      writing.push({ ids: new Set(rows.map(({ id }) => id)), done });
    };
    const take = async (records: readonly EntryRecord[]) => {
      for (const [index, record] of records.entries()) {
        if (index % RECORDS_AT_A_TIME === RECORDS_AT_A_TIME - 1) await setImmediate();
        const row = rowOf(userId, record, report);
        if (!row) continue;
        batch.push(row);
        characters += row.text.length;
        if (batch.length === BATCH_ROWS || characters >= BATCH_CHARACTERS) await flush();
      }
    };

    try {
      for await (const chunk of chunks) await take(reader.push(chunk));
      await take(reader.end());
      if (batch.length > 0) await flush();
      await Promise.all(writing.map(({ done }) => done));
    } catch (error) {
      if (error instanceof CsvHeaderError) throw new UnprocessableEntityException(error.message);
      throw error;
    } finally {
      // Also when the client has gone: what has been sent to PostgreSQL is not left alone.
      await Promise.allSettled(writing.map(({ done }) => done));
    }
    return report;
  }

  /** @returns how many of the rows are new */
  private async write(userId: string, rows: readonly NewEntry[], turn: Turn): Promise<number> {
    const imported = await this.insert(userId, rows, turn);
    if (imported === rows.length) return imported;
    const ids = rows.map(({ id }) => id);
    const held = await turn(() => this.entries.held(userId, ids));
    // An id that another user has is taken for what it is to this one: a name in a file, and not an entry.
    const elsewhere = rows.filter(({ id }) => !held.has(id));
    if (elsewhere.length === 0) return imported;
    const renamed = elsewhere.map((row) => ({ ...row, id: derivedId(userId, 'id', row.id) }));
    return imported + (await this.insert(userId, renamed, turn));
  }

  private insert(userId: string, rows: readonly NewEntry[], turn: Turn): Promise<number> {
    // It can be sent again: it skips what is there.
    return retryDeadlocks(() => turn(() => this.entries.insertMissing(userId, rows))).catch(refuseErasedUser);
  }
}

/** A record that can be written; undefined for one that cannot, which the report is told. */
function rowOf(
  userId: string,
  { line, fields, fault }: EntryRecord,
  report: ImportReport,
): NewEntry | undefined {
  if (fault === undefined) {
    const parsed = EntryImportSchema.safeParse(fields);
    if (parsed.success) return { ...parsed.data, id: parsed.data.id ?? contentId(userId, line, parsed.data) };
    if (report.errors.length < MAX_ERRORS)
      report.errors.push({ line, message: messageOf(parsed.error.issues) });
  } else if (report.errors.length < MAX_ERRORS) {
    report.errors.push({ line, message: fault });
  }
  report.failed += 1;
  return undefined;
}

interface Issue {
  readonly path: readonly PropertyKey[];
  readonly message: string;
  readonly keys?: readonly string[];
}

function messageOf(issues: readonly Issue[]): string {
  const messages = issues.flatMap(({ path, message, keys }) =>
    keys
      ? keys.slice(0, MAX_MESSAGES).map((key) => `${key.slice(0, 50)}: is an unknown field`)
      : [path.length > 0 ? `${path.map(String).join('.')}: ${message}` : message],
  );
  return [...new Set(messages)].slice(0, MAX_MESSAGES).join('; ');
}

/**
 * The id of an entry that came without one. The same content at the same instant is the same entry, wherever in a file it
 * stands. Without an instant, the line has to tell it from another of the same content.
 */
function contentId(userId: string, line: number, fields: EntryImportFields): string {
  const { text, mood, category, tags, occurredAt } = fields;
  return derivedId(userId, 'content', text, mood, category, tags, occurredAt ?? line);
}

/** A UUIDv8 (RFC 9562 §5.8), always the same from the same parts. */
function derivedId(...parts: readonly unknown[]): string {
  const bytes = createHash('sha256').update(JSON.stringify(parts)).digest().subarray(0, 16);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x80, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}
