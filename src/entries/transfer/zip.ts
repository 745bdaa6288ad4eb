import { Unzip, UnzipInflate, UnzipPassThrough, type UnzipDecoder } from 'fflate';
import { ImportFileError } from './formats/format.js';

/** Limits against zip bombs: files, and bytes that come out per byte that goes in, once there are many of them. */
const MOST_FILES = 100_000;
const MOST_RATIO = 200;
const RATIO_COUNTS_FROM = 16 * 1024 * 1024;

const STORED = 0;
const DEFLATED = 8;
const METHODS: ReadonlySet<number> = new Set([STORED, DEFLATED]);

/** Begins the record at the end of a zip. */
const END = Buffer.from('PK\x05\x06', 'latin1');

/** Deflate makes at most a thousand times as much of it, at once. */
const SLICE_BYTES = 4096;

export interface ZipMember {
  readonly name: string;
  readonly chunks: AsyncIterable<Buffer>;
}

type Event = { readonly name: string } | { readonly data: Buffer } | 'end';

/**
 * Reads the files in a zip as it arrives. Each must be read before the next is asked for.
 *
 * @param wanted by name; other files are passed over, and not decompressed
 * @throws {ImportFileError} if the zip is damaged, ends early or is larger than its limits
 */
export async function* zipMembers(
  zip: AsyncIterable<Buffer>,
  wanted: (name: string) => boolean,
): AsyncGenerator<ZipMember, void> {
  const events = eventsOf(zip, wanted);
  try {
    for (;;) {
      const { value: event, done } = await events.next();
      if (done) return;
      if (typeof event !== 'object' || !('name' in event)) continue;
      const chunks = dataOf(events);
      yield { name: event.name, chunks };
      // What a reader has left unread.
      while (!(await chunks.next()).done);
    }
  } finally {
    // A reader that gives up closes the source with it.
    await events.return();
  }
}

async function* dataOf(events: AsyncGenerator<Event, void>): AsyncGenerator<Buffer> {
  for (;;) {
    const { value: event, done } = await events.next();
    if (done || event === 'end') return;
    if ('data' in event) yield event.data;
  }
}

async function* eventsOf(
  zip: AsyncIterable<Buffer>,
  wanted: (name: string) => boolean,
): AsyncGenerator<Event, void> {
  let events: Event[] = [];
  let files = 0;
  let [bytesIn, bytesOut] = [0, 0];
  let open: string | undefined;
  let hasEnd = false;
  let last = Buffer.alloc(0);
  const unzip = new Unzip((file) => {
    files += 1;
    if (files > MOST_FILES) throw new ImportFileError(`The zip has more than ${MOST_FILES} files`);
    if (!wanted(file.name)) {
      // One that is passed over may be compressed in any way.
      if (!METHODS.has(file.compression))
        unzip.register(decoderOf(UnzipPassThrough, file.compression, () => false));
      file.ondata = () => {};
    } else {
      if (!METHODS.has(file.compression))
        throw new ImportFileError(`${file.name} is compressed with a method other than Deflate`);
      open = file.name;
      events.push({ name: file.name });
      file.ondata = (error, data, final) => {
        // Its type says that it is always one.
        if (error instanceof Error) throw error;
        bytesOut += data.length;
        if (bytesOut > RATIO_COUNTS_FROM && bytesOut > bytesIn * MOST_RATIO)
          throw new ImportFileError(`The zip unpacks to more than ${MOST_RATIO} times its size`);
        if (data.length > 0) events.push({ data: Buffer.from(data.buffer, data.byteOffset, data.length) });
        if (!final) return;
        events.push('end');
        open = undefined;
      };
    }
    file.start();
  });
  unzip.register(decoderOf(UnzipPassThrough, STORED, wanted));
  unzip.register(decoderOf(UnzipInflate, DEFLATED, wanted));
  const push = (bytes: Uint8Array, last: boolean) => {
    try {
      unzip.push(bytes, last);
    } catch (error) {
      if (error instanceof ImportFileError) throw error;
      throw new ImportFileError(
        open === undefined
          ? 'The zip is damaged or ends early'
          : `The zip is damaged, or ends early, in ${open}`,
      );
    }
  };
  for await (const chunk of zip) {
    for (let from = 0; from < chunk.length; from += SLICE_BYTES) {
      const slice = chunk.subarray(from, from + SLICE_BYTES);
      bytesIn += slice.length;
      const seen = Buffer.concat([last, slice]);
      hasEnd ||= seen.includes(END);
      last = seen.subarray(1 - END.length);
      push(slice, false);
      yield* events;
      events = [];
    }
  }
  push(new Uint8Array(0), true);
  yield* events;
  if (open !== undefined) throw new ImportFileError(`The zip ends early, in ${open}`);
  if (!hasEnd) throw new ImportFileError('The zip ends early');
}

/** A decoder that drops the files that nobody wants: fflate would keep the bytes of a file that is not started. */
function decoderOf(Decoder: new () => UnzipDecoder, compression: number, wanted: (name: string) => boolean) {
  return class implements UnzipDecoder {
    static readonly compression = compression;
    ondata: UnzipDecoder['ondata'] = () => {};
    private readonly decoder: UnzipDecoder | undefined;

    constructor(name: string) {
      this.decoder = wanted(name) ? new Decoder() : undefined;
    }

    push(chunk: Uint8Array, final: boolean): void {
      if (!this.decoder) return;
      this.decoder.ondata = this.ondata;
      this.decoder.push(chunk, final);
    }
  };
}
