import { setImmediate } from 'node:timers/promises';
import { UnprocessableEntityException } from '@nestjs/common';
import { Zip, ZipDeflate } from 'fflate';
import { Temporal } from 'temporal-polyfill';
import type { Entry } from '../entry-row.js';
import { markdownDay, markdownEntry } from './formats/entry-markdown.js';

/** Of a zip without the ZIP64 extension, which fflate does not write. */
const LIMITS = { files: 0xffff, bytes: 0xffffffff };

/** 64 KiB for the hash table of the compressor. By default, setting it up takes longer than compressing a short day. */
const DEFLATE = { mem: 4 } as const;

/** Compressed before yielding to the event loop: a few ms. */
const ENTRIES_AT_A_TIME = 10;

/** A zip with one Markdown file per day in a time zone, of which no more than a batch is in memory. */
export class MarkdownZip {
  readonly order = 'occurredAt';
  private readonly started = Date.now();
  private readonly zip = new Zip((_error, piece) => {
    this.pieces.push(piece);
    this.bytes += piece.length;
  });
  /** What {@link add} or {@link end} returns next. */
  private pieces: Uint8Array[] = [];
  private bytes = 0;
  private files = 0;
  private day: { readonly date: Temporal.PlainDate; readonly file: ZipDeflate } | undefined;

  constructor(
    private readonly timezone: string,
    private readonly limits = LIMITS,
  ) {}

  /** @throws {UnprocessableEntityException} if the zip becomes larger than the format allows */
  async add(entries: readonly Entry[]): Promise<Uint8Array> {
    for (const [index, entry] of entries.entries()) {
      if (index % ENTRIES_AT_A_TIME === ENTRIES_AT_A_TIME - 1) await setImmediate();
      const local = Temporal.Instant.from(entry.occurredAt).toZonedDateTimeISO(this.timezone);
      const time = local.toPlainTime().toString({ smallestUnit: 'minute' });
      const file = this.fileOf(local.toPlainDate());
      file.push(Buffer.from(markdownEntry(entry, time)), false);
      this.refuseMoreThan('bytes', Math.max(this.bytes, file.size));
    }
    return this.take();
  }

  end(): Uint8Array {
    this.endDay();
    this.zip.end();
    this.refuseMoreThan('bytes', this.bytes);
    return this.take();
  }

  private fileOf(date: Temporal.PlainDate): ZipDeflate {
    // Clocks that go back past midnight, or across the date line, do not reopen the file of the day before.
    if (this.day && Temporal.PlainDate.compare(date, this.day.date) <= 0) return this.day.file;
    this.endDay();
    this.files += 1;
    this.refuseMoreThan('files', this.files);
    const name = date.toString();
    const file = new ZipDeflate(`${name.slice(0, -'-03-01'.length)}/${name}.md`, DEFLATE);
    file.mtime = this.started;
    this.zip.add(file);
    file.push(Buffer.from(markdownDay(name)), false);
    this.day = { date, file };
    return file;
  }

  private endDay(): void {
    this.day?.file.push(new Uint8Array(0), true);
  }

  private take(): Uint8Array {
    const taken = Buffer.concat(this.pieces);
    this.pieces = [];
    return taken;
  }

  private refuseMoreThan(limit: keyof typeof LIMITS, size: number): void {
    if (size > this.limits[limit])
      throw new UnprocessableEntityException(
        'A zip has at most 65,535 days and 4 GiB: export as NDJSON or CSV, or fewer days',
      );
  }
}
