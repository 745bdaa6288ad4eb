import { IMPORT_FORMATS, type ImportFormatName } from './formats/formats.js';
import { ImportFileError, type EntryRecord, type ImportFormat, type ReadOptions } from './formats/format.js';
import { zipMembers, type ZipMember } from './zip.js';

/** A format is recognized by the first line of a file. Bytes that are read for it, at least and at most. */
const HEAD_AT_LEAST = 64;
const HEAD_AT_MOST = 1024;
const LINE = /\S[^\n]*\n/;

export interface ImportFile {
  readonly format: ImportFormat;
  readonly records: AsyncIterable<EntryRecord[]>;
}

export interface FileSigns {
  /** What the sender says; otherwise the content shows it. */
  readonly format?: ImportFormatName | undefined;
  /** Media type, for a file whose content shows nothing. */
  readonly mediaType?: string | undefined;
}

/**
 * Recognizes the format of a file, from its content, and reads it. UTF-16 and zips are unpacked on the way.
 *
 * @throws {ImportFileError} if it is of no format that we know
 */
export async function openImportFile(
  chunks: AsyncIterable<Buffer>,
  { format: given, mediaType }: FileSigns,
  options: ReadOptions,
): Promise<ImportFile> {
  const named = IMPORT_FORMATS.find(({ name }) => name === given);
  const source = chunks[Symbol.asyncIterator]();
  const { head, file } = await peek(source);
  try {
    return await openFile(head, file, named, mediaType, options);
  } catch (error) {
    // Nobody else does: a generator that was not begun has no end either.
    await source.return?.();
    throw error;
  }
}

async function openFile(
  head: Buffer,
  file: AsyncIterable<Buffer>,
  named: ImportFormat | undefined,
  mediaType: string | undefined,
  options: ReadOptions,
): Promise<ImportFile> {
  if (ZIP.some((start) => head.subarray(0, start.length).equals(start))) return openZip(file, named, options);
  const encoding = encodingOf(head);
  const text = new TextDecoder(encoding).decode(head);
  const format =
    named ??
    IMPORT_FORMATS.find(({ recognizes }) => recognizes(text)) ??
    (mediaType !== undefined
      ? IMPORT_FORMATS.find((candidate: ImportFormat) => candidate.mediaType === mediaType)
      : undefined);
  if (!format) throw new ImportFileError(`The file is of no format that we know: ${KNOWN}`);
  return { format, records: format.read(encoding === 'utf-8' ? file : toUtf8(file, encoding), options) };
}

/** A zip begins with its first file or, if it has none, with its end. */
const ZIP = ['PK\x03\x04', 'PK\x05\x06'].map((start) => Buffer.from(start, 'latin1'));

const KNOWN = 'NDJSON, CSV, a Daylio CSV or backup, or a Day One JSON or zip';

async function openZip(
  file: AsyncIterable<Buffer>,
  named: ImportFormat | undefined,
  options: ReadOptions,
): Promise<ImportFile> {
  const formats = named ? [named] : IMPORT_FORMATS;
  const formatOf = (name: string) => formats.find((format: ImportFormat) => format.inZip?.test(name));
  const members = zipMembers(file, (name) => formatOf(name) !== undefined);
  const first = await members.next();
  const format = first.done ? undefined : formatOf(first.value.name);
  if (first.done || !format)
    throw new ImportFileError('The zip has neither a Day One journal nor a Daylio backup');
  const records = async function* () {
    let before = 0;
    try {
      for (let member: IteratorResult<ZipMember, void> = first; !member.done; member = await members.next()) {
        const { name, chunks } = member.value;
        if (formatOf(name) !== format) continue;
        const fileName = name.replace(/^.*\//, '').replace(/\.\w+$/, '');
        let last = before;
        for await (const records of format.read(chunks, { ...options, fileName })) {
          yield records.map((record) => ({ ...record, number: before + record.number }));
          last += records.length;
        }
        // Journals of one zip are counted through.
        before = last;
      }
    } finally {
      await members.return();
    }
  };
  return { format, records: records() };
}

async function peek(
  source: AsyncIterator<Buffer>,
): Promise<{ readonly head: Buffer; readonly file: AsyncIterable<Buffer> }> {
  let head = Buffer.alloc(0);
  const isEnough = () =>
    head.length >= HEAD_AT_MOST || (head.length >= HEAD_AT_LEAST && LINE.test(head.toString('latin1')));
  while (!isEnough()) {
    const next = await source.next();
    if (next.done) break;
    head = Buffer.concat([head, next.value]);
  }
  const file = async function* () {
    try {
      if (head.length > 0) yield head;
      for (let next = await source.next(); !next.done; next = await source.next()) yield next.value;
    } finally {
      await source.return?.();
    }
  };
  return { head: head.subarray(0, HEAD_AT_MOST), file: file() };
}

type Encoding = 'utf-8' | 'utf-16le' | 'utf-16be';

/** By its byte-order mark, or by the zero byte that every ASCII character has in UTF-16. */
function encodingOf(head: Buffer): Encoding {
  const [first, second] = head;
  if ((first === 0xff && second === 0xfe) || (first !== 0 && second === 0)) return 'utf-16le';
  if ((first === 0xfe && second === 0xff) || (first === 0 && second !== 0)) return 'utf-16be';
  return 'utf-8';
}

/** Half a character is U+FFFD. */
async function* toUtf8(file: AsyncIterable<Buffer>, encoding: Encoding): AsyncGenerator<Buffer> {
  const decoder = new TextDecoder(encoding);
  for await (const chunk of file) yield Buffer.from(decoder.decode(chunk, { stream: true }));
  yield Buffer.from(decoder.decode());
}
