import type { Line } from './line-splitter.js';

/** A record of a CSV file: its cells, or why it is none. */
export interface CsvRecord {
  /** Where it begins, 1-based: a quoted cell may hold line breaks. */
  readonly line: number;
  readonly cells: readonly string[];
  readonly fault?: string;
}

/**
 * Reads CSV (RFC 4180) line by line, LF or CRLF. What does not keep to it is a fault of its record alone: the next line
 * begins a new one. A record has no more than `maxLength` characters and `maxCells` cells kept of it, so neither an open
 * quote nor a line of commas can fill the memory.
 */
export class CsvReader {
  private line = 0;
  private cells: string[] = [];
  private length = 0;
  /** The quoted cell that is open: what there is of it. */
  private open: string | undefined;

  constructor(
    private readonly maxLength: number,
    private readonly maxCells: number,
  ) {}

  /** @returns the record that this line ends; undefined inside of a quoted cell, and for an empty line between records */
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
      if (!bare.includes('"')) return { line: number, cells: bare.split(',', this.maxCells) };
    }
    return this.read(text);
  }

  /** The record that the end of the file leaves unfinished. */
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
        const comma = text.indexOf(',', at);
        const end = comma === -1 ? endOf(text) : comma;
        const cell = text.slice(at, end);
        if (cell.includes('"')) return this.faulty('has a quote in an unquoted cell');
        this.add(cell);
        at = end;
      }
      if (at >= endOf(text)) return { line: this.line, cells: this.cells };
      if (text[at] !== ',') return this.faulty('has text after a closing quote');
      at += 1;
      if (at >= endOf(text)) {
        this.add('');
        return { line: this.line, cells: this.cells };
      }
    }
  }

  /** @returns where the cell has ended; -1 where this line does not end it */
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
