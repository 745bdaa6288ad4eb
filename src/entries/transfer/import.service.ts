import { createHash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { Injectable, UnprocessableEntityException } from '@nestjs/common';
import { retryDeadlocks } from '../../database/deadlock.js';
import { refuseErasedUser } from '../../users/users.service.js';
import { CsvHeaderError } from './formats/entry-csv.js';
import { recordReader, type EntryRecord } from './import-records.js';
import { TransferRepository, type NewEntry } from './transfer.repository.js';
import {
  EntryImportSchema,
  type EntryImportFields,
  type Format,
  type ImportReport,
} from './transfer.schemas.js';
import { atOnce, type Turn } from './transfer-admission.js';

/** Limits of one statement. */
const BATCH_ROWS = 500;
const BATCH_CHARACTERS = 128 * 1024;

const MAX_ERRORS = 100;
/** Messages for one line. */
const MAX_MESSAGES = 10;

/** Concurrent batches of one import. Each keeps one core of PostgreSQL busy. */
const WRITERS = 2;

/** Records validated before yielding to the event loop: a few ms. */
const RECORDS_AT_A_TIME = 250;

export interface ImportOptions {
  readonly maxLineBytes: number;
  readonly turn?: Turn;
  readonly onProgress?: (report: Readonly<ImportReport>) => void;
}

@Injectable()
export class ImportService {
  constructor(private readonly entries: TransferRepository) {}

  /**
   * Imports a file in atomic batches. Idempotent: entries are identified by id or, without an id, by content.
   *
   * @param chunks of the file, read no faster than they are written
   * @throws {UnprocessableEntityException} for an invalid CSV header, before anything is written
   * @throws {UnauthorizedException} if the user was erased meanwhile
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
    /** Batches in flight, oldest first. */
    const inFlight: { readonly ids: ReadonlySet<string>; readonly done: Promise<void> }[] = [];

    const flush = async () => {
      const rows = batch;
      batch = [];
      characters = 0;
      // The first of two lines with one id wins.
      const isInFlight = ({ id }: NewEntry) => inFlight.some(({ ids }) => ids.has(id));
      while (inFlight.length === WRITERS || rows.some(isInFlight)) {
        await inFlight[0]?.done;
        inFlight.shift();
      }
      const done = this.write(userId, rows, turn).then((imported) => {
        report.imported += imported;
        report.skipped += rows.length - imported;
        onProgress?.(report);
      });
      // Awaited later; until then a rejection must not count as unhandled.
      done.catch(() => {});
      inFlight.push({ ids: new Set(rows.map(({ id }) => id)), done });
    };
    const addRecords = async (records: readonly EntryRecord[]) => {
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
      for await (const chunk of chunks) await addRecords(reader.push(chunk));
      await addRecords(reader.end());
      if (batch.length > 0) await flush();
      await Promise.all(inFlight.map(({ done }) => done));
    } catch (error) {
      if (error instanceof CsvHeaderError) throw new UnprocessableEntityException(error.message);
      throw error;
    } finally {
      // Even if the client has disconnected, wait for the statements in flight.
      await Promise.allSettled(inFlight.map(({ done }) => done));
    }
    return report;
  }

  private async write(userId: string, rows: readonly NewEntry[], turn: Turn): Promise<number> {
    const imported = await this.insert(userId, rows, turn);
    if (imported === rows.length) return imported;
    const ids = rows.map(({ id }) => id);
    const own = await turn(() => this.entries.ownIds(userId, ids));
    // An id that belongs to another user's entry is replaced by an id derived from it.
    const foreign = rows.filter(({ id }) => !own.has(id));
    if (foreign.length === 0) return imported;
    const renamed = foreign.map((row) => ({ ...row, id: derivedId(userId, 'id', row.id) }));
    return imported + (await this.insert(userId, renamed, turn));
  }

  private insert(userId: string, rows: readonly NewEntry[], turn: Turn): Promise<number> {
    // Idempotent: existing rows are skipped.
    return retryDeadlocks(() => turn(() => this.entries.insertMissing(userId, rows))).catch(refuseErasedUser);
  }
}

/** Undefined for an invalid record, which is added to the report. */
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
 * Id of an entry without one. The same content at the same instant is the same entry. Without an instant, the line
 * number distinguishes entries of equal content.
 */
function contentId(userId: string, line: number, fields: EntryImportFields): string {
  const { text, mood, category, tags, occurredAt } = fields;
  return derivedId(userId, 'content', text, mood, category, tags, occurredAt ?? line);
}

/** A deterministic UUIDv8 (RFC 9562 §5.8). */
function derivedId(...parts: readonly unknown[]): string {
  const bytes = createHash('sha256').update(JSON.stringify(parts)).digest().subarray(0, 16);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x80, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}
