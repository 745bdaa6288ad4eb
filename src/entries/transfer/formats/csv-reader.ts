import { ImportFileError, type EntryRecord } from './format.js';
import { linesOf, type Line } from './line-splitter.js';

/** Against a line of commas. */
const MOST_CELLS = 200;

const SEPARATORS = [',', ';', '\t'] as const;
type Separator = (typeof SEPARATORS)[number];

/** The cells of a CSV record, or the reason why it is invalid. */
interface CsvRecord {
  /** First line, 1-based: quoted cells may contain line breaks. */
  readonly line: number;
  readonly cells: readonly string[];
  readonly fault?: string;
}

/** Names in the header of a file that may be CSV, whatever separates them. */
export function headerNames(head: string): string[] {
  const [header = ''] = head.split(/\r?\n/, 1);
  return header.split(/[,;\t]/).map((name) => name.replace(/^"(.*)"$/, '$1').trim());
}

/**
 * Reads a CSV file with a header as it arrives.
 *
 * @param columnsOf reads the cells of the header
 * @param recordOf reads a row that has as many cells
 * @throws {ImportFileError} for an empty file or an invalid header
 */
export async function* csvTable<Columns extends readonly unknown[]>(
  file: AsyncIterable<Buffer>,
  maxLength: number,
  columnsOf: (cells: readonly string[]) => Columns,
  recordOf: (columns: Columns, cells: readonly string[]) => Partial<EntryRecord>,
): AsyncGenerator<EntryRecord[]> {
  let columns: Columns | undefined;
  for await (const rows of csvRecords(file, maxLength)) {
    const records: EntryRecord[] = [];
    for (const { line: number, cells, fault } of rows) {
      const fail = (reason: string) => records.push({ number, fields: undefined, fault: reason });
      if (!columns) {
        if (fault !== undefined) throw new ImportFileError(`The header ${fault}`);
        columns = columnsOf(cells);
      } else if (fault !== undefined) fail(fault);
      else if (cells.length !== columns.length) fail(`must have ${columns.length} cells, like the header`);
      else records.push({ number, fields: undefined, ...recordOf(columns, cells) });
    }
    yield records;
  }
  if (!columns) throw new ImportFileError('The file is empty');
}

/** Reads the records of a CSV file as it arrives, the header first. Its first line shows what separates the cells. */
async function* csvRecords(file: AsyncIterable<Buffer>, maxLength: number): AsyncGenerator<CsvRecord[]> {
  let reader: CsvReader | undefined;
  for await (const lines of linesOf(file, maxLength)) {
    const [first] = lines;
    if (!first) continue;
    reader ??= new CsvReader(maxLength, MOST_CELLS, separatorOf(first.text));
    const records: CsvRecord[] = [];
    for (const line of lines) {
      const record = reader.push(line);
      if (record) records.push(record);
    }
    yield records;
  }
  const unfinished = reader?.end();
  if (unfinished) yield [unfinished];
}

/** The most frequent one outside quotes: spreadsheets write semicolons where the comma is the decimal sign. */
function separatorOf(header: string): Separator {
  const bare = header.replace(/"[^"]*"/g, '');
  const count = (separator: Separator) => bare.split(separator).length;
  return SEPARATORS.toSorted((a, b) => count(b) - count(a))[0] ?? ',';
}

/**
 * Reads CSV (RFC 4180) with LF or CRLF. An invalid record does not affect the next line. `maxLength` characters and
 * `maxCells` cells bound the memory of a record, against open quotes and lines of commas.
 */
class CsvReader {
  private line = 0;
  private cells: string[] = [];
  private length = 0;
  /** Content so far of an open quoted cell. */
  private open: string | undefined;

  constructor(
    private readonly maxLength: number,
    private readonly maxCells: number,
    private readonly separator: Separator = ',',
  ) {}

  /** @returns the record that ends with this line; undefined in a quoted cell and for an empty line */
  push({ number, text, fault }: Line): CsvRecord | undefined {
    if (this.open === undefined) {
      this.line = number;
      this.cells = [];
      this.length = 0;
    }
    if (fault !== undefined) return this.faulty(fault);
    this.length += text.length;
    if (this.length > this.maxLength) return this.faulty(`is longer than ${this.maxLength} bytes`);
    const bare = text.endsWith('\r') ? text.slice(0, -1) : text;
    if (this.open === undefined) {
      if (bare === '') return undefined;
      if (!bare.includes('"')) return { line: number, cells: bare.split(this.separator, this.maxCells) };
    }
    return this.read(text);
  }

  /** The record that is unfinished at the end of the file. */
  end(): CsvRecord | undefined {
    return this.open === undefined ? undefined : this.faulty('has a quoted cell without a closing quote');
  }

  private read(text: string): CsvRecord | undefined {
    let at = 0;
    for (;;) {
      if (this.open !== undefined || text[at] === '"') {
        const after = this.readQuoted(text, this.open === undefined ? at + 1 : at);
        if (after === -1) return undefined;
        at = after;
      } else {
        const next = text.indexOf(this.separator, at);
        const end = next === -1 ? endOf(text) : next;
        const cell = text.slice(at, end);
        if (cell.includes('"')) return this.faulty('has a quote in an unquoted cell');
        this.add(cell);
        at = end;
      }
      if (at >= endOf(text)) return { line: this.line, cells: this.cells };
      if (text[at] !== this.separator) return this.faulty('has text after a closing quote');
      at += 1;
      if (at >= endOf(text)) {
        this.add('');
        return { line: this.line, cells: this.cells };
      }
    }
  }

  /** @returns the index after the cell, or -1 if the cell continues on the next line */
  private readQuoted(text: string, from: number): number {
    let cell = this.open ?? '';
    for (let at = from; ;) {
      const quote = text.indexOf('"', at);
      if (quote === -1) {
        this.open = `${cell}${text.slice(at)}\n`;
        return -1;
      }
      cell += text.slice(at, quote);
      if (text[quote + 1] !== '"') {
        this.add(cell);
        this.open = undefined;
        return quote + 1;
      }
      cell += '"';
      at = quote + 2;
    }
  }

  private add(cell: string): void {
    if (this.cells.length < this.maxCells) this.cells.push(cell);
  }

  private faulty(fault: string): CsvRecord {
    this.open = undefined;
    return { line: this.line, cells: [], fault };
  }
}

/** Without the CR of a CRLF. */
function endOf(text: string): number {
  return text.endsWith('\r') ? text.length - 1 : text.length;
}
