import { columnsOf, CsvHeaderError, fieldsOf, MAX_CELLS } from './formats/entry-csv.js';
import { CsvReader, type CsvRecord } from './formats/csv-reader.js';
import type { Format } from './transfer.schemas.js';
import { LineSplitter, type Line } from './formats/line-splitter.js';

/** An entry in a file, not yet validated, or the reason why it cannot be parsed. */
export interface EntryRecord {
  /** 1-based; the first line of a multi-line record. */
  readonly line: number;
  readonly fields: unknown;
  readonly fault?: string;
}

/** Parses a file in chunks and buffers at most one line. */
export interface RecordReader {
  /** @throws {CsvHeaderError} */
  push(chunk: Buffer): EntryRecord[];
  /** @throws {CsvHeaderError} */
  end(): EntryRecord[];
}

/** @param maxLineBytes limit of a line and of a multi-line CSV record */
export function recordReader(format: Format, maxLineBytes: number): RecordReader {
  return format === 'csv' ? new CsvRecords(maxLineBytes) : new JsonRecords(maxLineBytes);
}

/** Newline-delimited JSON. Empty lines are skipped. */
class JsonRecords implements RecordReader {
  private readonly lines: LineSplitter;

  constructor(maxLineBytes: number) {
    this.lines = new LineSplitter(maxLineBytes);
  }

  push(chunk: Buffer): EntryRecord[] {
    return this.read(this.lines.push(chunk));
  }

  end(): EntryRecord[] {
    return this.read(this.lines.end());
  }

  private read(lines: readonly Line[]): EntryRecord[] {
    const records: EntryRecord[] = [];
    for (const { number: line, text, fault } of lines) {
      if (fault !== undefined) records.push({ line, fields: undefined, fault });
      else if (text !== '' && text !== '\r') records.push(parse(line, text));
    }
    return records;
  }
}

class CsvRecords implements RecordReader {
  private readonly lines: LineSplitter;
  private readonly csv: CsvReader;
  private columns: ReturnType<typeof columnsOf> | undefined;

  constructor(maxLineBytes: number) {
    this.lines = new LineSplitter(maxLineBytes);
    this.csv = new CsvReader(maxLineBytes, MAX_CELLS);
  }

  push(chunk: Buffer): EntryRecord[] {
    return this.read(this.lines.push(chunk));
  }

  end(): EntryRecord[] {
    const records = this.read(this.lines.end());
    const unfinished = this.csv.end();
    if (unfinished) records.push(...this.understand(unfinished));
    if (!this.columns) throw new CsvHeaderError('The file is empty');
    return records;
  }

  private read(lines: readonly Line[]): EntryRecord[] {
    return lines.flatMap((line) => {
      const record = this.csv.push(line);
      return record ? this.understand(record) : [];
    });
  }

  private understand({ line, cells, fault }: CsvRecord): EntryRecord[] {
    if (!this.columns) {
      if (fault !== undefined) throw new CsvHeaderError(`The header ${fault}`);
      this.columns = columnsOf(cells);
      return [];
    }
    if (fault !== undefined) return [{ line, fields: undefined, fault }];
    const { length } = this.columns;
    if (cells.length !== length) {
      return [{ line, fields: undefined, fault: `must have ${length} cells, like the header` }];
    }
    return [{ line, fields: fieldsOf(this.columns, cells) }];
  }
}

function parse(line: number, text: string): EntryRecord {
  try {
    return { line, fields: JSON.parse(text) };
  } catch {
    return { line, fields: undefined, fault: 'is not valid JSON' };
  }
}
