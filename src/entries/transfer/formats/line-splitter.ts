import { isUtf8 } from 'node:buffer';

const NEWLINE = 10;
const BYTE_ORDER_MARK = '\ufeff';
const FIRST_CAPACITY = 1024;

/** A line without its line feed, or the reason why it is invalid. */
export interface Line {
  /** 1-based. */
  readonly number: number;
  readonly text: string;
  readonly fault?: string;
}

/** Splits a file into lines as it arrives, and buffers at most one line. */
export async function* linesOf(file: AsyncIterable<Buffer>, maxBytes: number): AsyncGenerator<Line[]> {
  const splitter = new LineSplitter(maxBytes);
  for await (const chunk of file) yield splitter.push(chunk);
  yield splitter.end();
}

class LineSplitter {
  /** Buffered beginning of an incomplete line. */
  private start = Buffer.alloc(0);
  private startLength = 0;
  /** The current line is too long; the rest of it is discarded. */
  private overflowing = false;
  private lines = 0;

  constructor(private readonly maxBytes: number) {}

  push(chunk: Buffer): Line[] {
    const end = chunk.lastIndexOf(NEWLINE);
    if (end === -1) {
      this.keep(chunk);
      return [];
    }
    const found: Line[] = [];
    let rest = chunk.subarray(0, end);
    if (this.overflowing || this.startLength > 0) {
      const first = rest.indexOf(NEWLINE);
      this.keep(first === -1 ? rest : rest.subarray(0, first));
      found.push(this.takeStart());
      rest = first === -1 ? Buffer.alloc(0) : rest.subarray(first + 1);
      if (first !== -1) found.push(...this.cut(rest));
    } else {
      found.push(...this.cut(rest));
    }
    this.keep(chunk.subarray(end + 1));
    return found;
  }

  /** The last line, if it does not end with a line feed. */
  end(): Line[] {
    return this.overflowing || this.startLength > 0 ? [this.takeStart()] : [];
  }

  /** Splits complete lines. Checking UTF-8 once for all of them is much cheaper than per line. */
  private cut(bytes: Buffer): Line[] {
    if (isUtf8(bytes)) {
      return bytes
        .toString('utf8')
        .split('\n')
        .map((text) =>
          text.length * 3 > this.maxBytes && this.tooLong(text)
            ? this.next('', this.long())
            : this.next(text),
        );
    }
    const found: Line[] = [];
    for (let from = 0; from <= bytes.length;) {
      const newline = bytes.indexOf(NEWLINE, from);
      const to = newline === -1 ? bytes.length : newline;
      found.push(this.decode(bytes.subarray(from, to)));
      from = to + 1;
    }
    return found;
  }

  private decode(bytes: Buffer): Line {
    if (bytes.length > this.maxBytes) return this.next('', this.long());
    return isUtf8(bytes) ? this.next(bytes.toString('utf8')) : this.next('', 'is not valid UTF-8');
  }

  private next(text: string, fault?: string): Line {
    this.lines += 1;
    const line = this.lines === 1 && text.startsWith(BYTE_ORDER_MARK) ? text.slice(1) : text;
    return { number: this.lines, text: line, ...(fault !== undefined && { fault }) };
  }

  private tooLong(text: string): boolean {
    return Buffer.byteLength(text) > this.maxBytes;
  }

  private long(): string {
    return `is longer than ${this.maxBytes} bytes`;
  }

  private keep(bytes: Buffer): void {
    if (this.overflowing || bytes.length === 0) return;
    const length = this.startLength + bytes.length;
    if (length > this.maxBytes) {
      this.overflowing = true;
      this.start = Buffer.alloc(0);
      this.startLength = 0;
      return;
    }
    if (length > this.start.length) {
      // Doubles, so that a line that arrives byte by byte is not copied for each byte.
      const larger = Buffer.allocUnsafe(
        Math.min(Math.max(length, this.start.length * 2, FIRST_CAPACITY), this.maxBytes),
      );
      this.start.copy(larger, 0, 0, this.startLength);
      this.start = larger;
    }
    bytes.copy(this.start, this.startLength);
    this.startLength = length;
  }

  private takeStart(): Line {
    const line = this.overflowing
      ? this.next('', this.long())
      : this.decode(this.start.subarray(0, this.startLength));
    this.overflowing = false;
    this.startLength = 0;
    return line;
  }
}
