import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { strToU8, Zip, ZipDeflate, ZipPassThrough, zipSync } from 'fflate';
import { chunksOf, collect } from '../../../test/harness/streaming/chunks.js';
import { ImportFileError } from './formats/format.js';
import { zipMembers } from './zip.js';

const isJson = (name: string) => name.endsWith('.json');

type Contents = Readonly<Record<string, string>>;

/** What is read of a zip, up to its end or the error. */
async function read(
  zip: Buffer,
  { size = 4096, wanted = isJson } = {},
): Promise<{ readonly whole: Contents; readonly error?: unknown }> {
  const whole: Record<string, string> = {};
  try {
    for await (const { name, chunks } of zipMembers(chunksOf(zip, size), wanted)) {
      const content: Buffer[] = [];
      for await (const chunk of chunks) content.push(chunk);
      whole[name] = Buffer.concat(content).toString();
    }
  } catch (error) {
    return { whole, error };
  }
  return { whole };
}

/** As programs write it that do not know the sizes yet: they follow each file, in a data descriptor. */
function streamedZip(files: Contents, method: typeof ZipDeflate | typeof ZipPassThrough): Buffer {
  const pieces: Uint8Array[] = [];
  const zip = new Zip((_error, piece) => pieces.push(piece));
  for (const [name, content] of Object.entries(files)) {
    const file = new method(name);
    zip.add(file);
    for (let from = 0; from < content.length; from += 1000)
      file.push(strToU8(content.slice(from, from + 1000)));
    file.push(new Uint8Array(0), true);
  }
  zip.end();
  return Buffer.concat(pieces);
}

const long = (seed: number, length: number) =>
  Array.from({ length }, (_, n) => Math.sin(seed + n).toString(36)).join(' ');

const FILES = {
  'photos/before.jpg': long(1, 250),
  'photos/': '',
  'A.json': long(2, 120),
  'folder/B.json': long(3, 500),
  'empty.json': '',
  'after.txt': long(4, 120),
};
const WANTED = Object.fromEntries(Object.entries(FILES).filter(([name]) => isJson(name)));

const bytesOf = (files: Contents) =>
  Object.fromEntries(Object.entries(files).map(([name, content]) => [name, strToU8(content)]));

const KINDS = [
  ['deflated', Buffer.from(zipSync(bytesOf(FILES)))],
  ['stored', Buffer.from(zipSync(bytesOf(FILES), { level: 0 }))],
  ['deflated, with data descriptors', streamedZip(FILES, ZipDeflate)],
  ['stored, with data descriptors', streamedZip(FILES, ZipPassThrough)],
] as const;

describe.each(KINDS)('a zip of files that are %s', (_kind, zip) => {
  it('has its wanted files read, whatever the sizes of the chunks', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 10_000 }), async (size) => {
        expect(await read(zip, { size })).toEqual({ whole: WANTED });
      }),
      { numRuns: 20, examples: [[1], [2], [3], [4], [12], [16]] },
    );
  });

  it('that is cut off has whole files, and then an error', async () => {
    for (let length = 0; length < zip.length; length += 31) {
      const { whole, error } = await read(zip.subarray(0, length));
      expect(WANTED).toMatchObject(whole);
      // Only what follows the signature of the end may be missing.
      if (length < zip.length - 18) expect(error).toBeInstanceOf(ImportFileError);
      else expect(whole).toEqual(WANTED);
    }
  });

  it('whose bytes are changed has an error or files, and does not hang', async () => {
    for (let at = 0; at < zip.length; at += 31) {
      const damaged = Buffer.from(zip);
      damaged.writeUInt8((damaged.readUInt8(at) + 1) % 256, at);
      const { error } = await read(damaged);
      if (error !== undefined) expect(error).toBeInstanceOf(ImportFileError);
    }
  });
});

describe('a zip', () => {
  it('may be empty, or have no wanted file', async () => {
    expect(await read(Buffer.from(zipSync({})))).toEqual({ whole: {} });
    expect(await read(Buffer.from(zipSync(bytesOf({ 'a.txt': 'a' }))))).toEqual({ whole: {} });
  });

  it('may be read in part', async () => {
    const names: string[] = [];
    for await (const { name } of zipMembers(chunksOf(KINDS[0][1], 1000), isJson)) names.push(name);
    expect(names).toEqual(Object.keys(WANTED));
  });

  it('closes its source when its reader gives up', async () => {
    let isClosed = false;
    const source = async function* () {
      try {
        yield* chunksOf(KINDS[0][1], 1000);
      } finally {
        isClosed = true;
      }
    };
    for await (const { chunks } of zipMembers(source(), isJson)) {
      await chunks[Symbol.asyncIterator]().next();
      break;
    }
    expect(isClosed).toBe(true);
  });

  it('passes on what its source fails with', async () => {
    const failure = new Error('cut');
    const source = async function* () {
      yield* chunksOf(KINDS[0][1].subarray(0, 5_000), 1000);
      throw failure;
    };
    await expect(collect(zipMembers(source(), isJson))).rejects.toBe(failure);
  });

  it('may have files of another compression, if they are not wanted', async () => {
    const zip = Buffer.from(zipSync(bytesOf({ 'x.txt': 'abcabcabcabcabcabc', 'a.json': '{}' })));
    // The method of the first file, in its local header: LZMA.
    zip.writeUInt16LE(14, 8);
    expect(await read(zip)).toEqual({ whole: { 'a.json': '{}' } });
    expect((await read(zip, { wanted: () => true })).error).toEqual(
      new ImportFileError('x.txt is compressed with a method other than Deflate'),
    );
  });

  it('with more than 100,000 files is refused', async () => {
    const one = zipSync({ a: new Uint8Array(0) }, { level: 0 });
    const local = Buffer.from(one.subarray(0, 31));
    const { error } = await read(Buffer.concat(Array<Buffer>(100_001).fill(local).concat(local)));
    expect(error).toEqual(new ImportFileError('The zip has more than 100000 files'));
  });
});
