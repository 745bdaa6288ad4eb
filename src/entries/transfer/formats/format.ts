import type { LocalTimes } from '../local-times.js';
import type { MoodNames } from '../mood-names.js';

/** An entry in a file, not yet validated, or the reason why it cannot be read. */
export interface EntryRecord {
  /** 1-based: the first line of the record in a file of lines, otherwise the number of the entry. */
  readonly number: number;
  readonly fields: unknown;
  readonly fault?: string;
  /** What identifies the entry in its own app. Without it, the content does. */
  readonly identity?: readonly unknown[];
}

/** What a format may ask for, and what it reports to. */
export interface ReadOptions {
  /** Most bytes of one entry. */
  readonly maxEntryBytes: number;
  readonly unknownColumns: 'refuse' | 'ignore';
  readonly moods: MoodNames;
  readonly times: LocalTimes;
  /** Counts what an entry has and we do not, such as `photos`. */
  readonly ignore: (what: string, count?: number) => void;
  /** Name of the file without its extension; undefined if unknown. */
  readonly fileName?: string | undefined;
}

/** A kind of file that can be imported. To add one, implement this and add it to formats.ts. */
export interface ImportFormat {
  readonly name: string;
  /** What {@link EntryRecord.number} counts. */
  readonly counts: 'line' | 'entry';
  /** Media type of a file that has no other sign. */
  readonly mediaType?: string;
  /** Names of the files in a zip that this format reads. */
  readonly inZip?: RegExp;
  /** @param head the first characters of the file */
  recognizes(head: string): boolean;
  /**
   * Reads a file as it arrives, in memory for one chunk and one entry.
   *
   * @param file in UTF-8
   * @throws {ImportFileError} if no more of the file can be read
   */
  read(file: AsyncIterable<Buffer>, options: ReadOptions): AsyncIterable<EntryRecord[]>;
}

/** A file that cannot be imported. What was read before, in whole batches, is kept. */
export class ImportFileError extends Error {
  override readonly name = 'ImportFileError';
}
