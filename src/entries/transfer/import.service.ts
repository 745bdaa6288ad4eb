import { createHash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { Injectable, UnprocessableEntityException } from '@nestjs/common';
import { retryDeadlocks } from '../../database/deadlock.js';
import { refuseErasedUser } from '../../users/users.service.js';
import { ImportFileError, type EntryRecord, type ImportFormat } from './formats/format.js';
import { openImportFile, type FileSigns } from './import-file.js';
import { LocalTimes } from './local-times.js';
import { MoodNames } from './mood-names.js';
import { TransferRepository, type NewEntry } from './transfer.repository.js';
import { EntryImportSchema, type EntryImportFields, type ImportReport } from './transfer.schemas.js';
import { atOnce, type Turn } from './transfer-admission.js';

/** Limits of one statement. */
const BATCH_ROWS = 1000;
const BATCH_CHARACTERS = 256 * 1024;

const MAX_ERRORS = 100;
/** Messages for one line. */
const MAX_MESSAGES = 10;

/** Concurrent batches of one import. Each keeps one core of PostgreSQL busy. */
const WRITERS = 2;

/** Records validated before yielding to the event loop: a few ms. */
const RECORDS_AT_A_TIME = 250;

/** Most names in the report of what was ignored. */
const MAX_IGNORED = 100;

export interface ImportOptions extends FileSigns {
  /** Of times without one. */
  readonly timezone: string;
  /** By name in lower case; that of `*` is for every other name. */
  readonly moods?: ReadonlyMap<string, number> | undefined;
  readonly unknownColumns?: 'refuse' | 'ignore' | undefined;
  /** Report, and write nothing. */
  readonly dryRun?: boolean | undefined;
  readonly maxEntryBytes: number;
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
   * @throws {UnprocessableEntityException} if no more of the file can be read; whole batches before that are written
   * @throws {UnauthorizedException} if the user was erased meanwhile
   */
  async run(userId: string, chunks: AsyncIterable<Buffer>, options: ImportOptions): Promise<ImportReport> {
    const { maxEntryBytes, unknownColumns = 'refuse', turn = atOnce, onProgress } = options;
    const ignored = new Map<string, number>();
    const ignore = (what: string, count = 1) => {
      if (ignored.has(what) || ignored.size < MAX_IGNORED)
        ignored.set(what, (ignored.get(what) ?? 0) + count);
    };
    const times = new LocalTimes(options.timezone);
    const moods = new MoodNames(options.moods);
    const { format, records } = await openImportFile(chunks, options, {
      maxEntryBytes,
      unknownColumns,
      moods,
      times,
      ignore,
    }).catch(asUnprocessable);
    const report: ImportReport = {
      format: format.name as ImportReport['format'],
      imported: 0,
      skipped: 0,
      failed: 0,
      errors: [],
      ignored: {},
    };
    const write = options.dryRun ? this.pretendToWrite(userId, turn) : this.writeTo(userId, turn);
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
      const done = write(rows).then((imported) => {
        report.imported += imported;
        report.skipped += rows.length - imported;
        onProgress?.(report);
      });
      // Awaited later; until then a rejection must not count as unhandled.
      done.catch(() => {});
      inFlight.push({ ids: new Set(rows.map(({ id }) => id)), done });
    };
    const addRecords = async (some: readonly EntryRecord[]) => {
      for (const [index, record] of some.entries()) {
        if (index % RECORDS_AT_A_TIME === RECORDS_AT_A_TIME - 1) await setImmediate();
        const row = rowOf(userId, format, record, report);
        if (!row) continue;
        batch.push(row);
        characters += row.text.length;
        if (batch.length === BATCH_ROWS || characters >= BATCH_CHARACTERS) await flush();
      }
    };

    try {
      for await (const some of records) await addRecords(some);
      if (batch.length > 0) await flush();
      await Promise.all(inFlight.map(({ done }) => done));
    } catch (error) {
      asUnprocessable(error);
    } finally {
      // Even if the client has disconnected, wait for the statements in flight.
      await Promise.allSettled(inFlight.map(({ done }) => done));
    }
    const { unknownNames: unknownMoods } = moods;
    const { adjusted: adjustedTimes } = times;
    return {
      ...report,
      ignored: Object.fromEntries(ignored),
      ...(unknownMoods && { unknownMoods }),
      ...(adjustedTimes && { adjustedTimes }),
    };
  }

  /** @returns writes rows that do not exist yet, and counts them */
  private writeTo(userId: string, turn: Turn): Write {
    return async (rows) => {
      const imported = await this.insert(userId, rows, turn);
      if (imported === rows.length) return imported;
      const ids = rows.map(({ id }) => id);
      const owners = await turn(() => this.entries.owners(ids));
      // An id that belongs to another user's entry is replaced by an id derived from it.
      const foreign = rows.filter(({ id }) => owners.get(id) !== userId);
      if (foreign.length === 0) return imported;
      return imported + (await this.insert(userId, foreign.map(renamed(userId)), turn));
    };
  }

  /** @returns counts the rows that {@link writeTo} would write */
  private pretendToWrite(userId: string, turn: Turn): Write {
    // Of the rows before. Not their ids, which would take 80 MB for a million: this errs once in ten such files.
    const before = new Set<number>();
    return async (rows) => {
      const candidates = [...rows, ...rows.map(renamed(userId))].map(({ id }) => id);
      const owners = await turn(() => this.entries.owners(candidates));
      let missing = 0;
      for (const row of rows) {
        const owner = owners.get(row.id);
        const id = owner === undefined || owner === userId ? row.id : renamed(userId)(row).id;
        const key = Number.parseInt(id.replaceAll('-', '').slice(-13), 16);
        if (!owners.has(id) && !before.has(key)) missing += 1;
        before.add(key);
      }
      return missing;
    };
  }

  private insert(userId: string, rows: readonly NewEntry[], turn: Turn): Promise<number> {
    // Idempotent: existing rows are skipped.
    return retryDeadlocks(() => turn(() => this.entries.insertMissing(userId, rows))).catch(refuseErasedUser);
  }
}

/** Writes, or counts, the rows that do not exist yet. */
type Write = (rows: readonly NewEntry[]) => Promise<number>;

function renamed(userId: string): (row: NewEntry) => NewEntry {
  return (row) => ({ ...row, id: derivedId(userId, 'id', row.id) });
}

function asUnprocessable(error: unknown): never {
  throw error instanceof ImportFileError ? new UnprocessableEntityException(error.message) : error;
}

/** Undefined for an invalid record, which is added to the report. */
function rowOf(
  userId: string,
  { counts }: ImportFormat,
  { number, fields, fault, identity }: EntryRecord,
  report: ImportReport,
): NewEntry | undefined {
  const fail = (message: string) => {
    report.failed += 1;
    if (report.errors.length < MAX_ERRORS) report.errors.push({ [counts]: number, message });
  };
  if (fault !== undefined) {
    fail(fault);
    return;
  }
  const parsed = EntryImportSchema.safeParse(fields);
  if (!parsed.success) {
    fail(messageOf(parsed.error.issues));
    return;
  }
  const id =
    parsed.data.id ?? (identity ? derivedId(userId, ...identity) : contentId(userId, number, parsed.data));
  return { ...parsed.data, id };
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
