import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  DAY_ONE,
  DAYLIO_BACKUP,
  DAYLIO_CSV,
  daylioFile,
  zip,
} from '../../../test/harness/entries/diaries.js';
import { chunksOf, collect } from '../../../test/harness/streaming/chunks.js';
import type { ReadOptions } from './formats/format.js';
import { openImportFile, type FileSigns } from './import-file.js';
import { LocalTimes } from './local-times.js';
import { MoodNames } from './mood-names.js';

const options = (): ReadOptions => ({
  maxEntryBytes: 10_000,
  unknownColumns: 'refuse',
  moods: new MoodNames(new Map([['*', 5]])),
  times: new LocalTimes('UTC'),
  ignore: () => {},
});

async function open(file: Buffer | string, signs: FileSigns = {}, ...sizes: number[]) {
  const { format, records } = await openImportFile(chunksOf(file, ...sizes), signs, options());
  return { format: format.name, records: (await collect(records)).flat() };
}

const NDJSON = '{"text":"Größe 🙂","mood":5}\n{"text":"b","mood":6}\n';
const CSV = 'mood;text;occurredAt\n5;Größe 🙂;2026-03-01\n6;b;2026-03-02\n';
const utf16 = (text: string) => Buffer.from(text, 'utf16le');
const dayOne = JSON.stringify(DAY_ONE);
const backup = Buffer.from(JSON.stringify(DAYLIO_BACKUP)).toString('base64');

const FILES: readonly [what: string, format: string, file: Buffer | string][] = [
  ['NDJSON', 'ndjson', NDJSON],
  ['NDJSON after empty lines', 'ndjson', `${'\n'.repeat(200)}${NDJSON}`],
  ['NDJSON with a byte-order mark', 'ndjson', `\ufeff${NDJSON}`],
  ['NDJSON in UTF-16', 'ndjson', utf16(`\ufeff${NDJSON}`)],
  ['NDJSON of a long line', 'ndjson', `{"text":"${'a'.repeat(5000)}","mood":5}`],
  ['CSV with semicolons', 'csv', CSV],
  ['CSV with commas and CRLF', 'csv', CSV.replaceAll(';', ',').replaceAll('\n', '\r\n')],
  ['CSV with tabs in UTF-16', 'csv', utf16(`\ufeff${CSV.replaceAll(';', '\t')}`)],
  ['CSV in UTF-16 without a mark', 'csv', utf16(CSV)],
  ['CSV in big-endian UTF-16', 'csv', utf16(`\ufeff${CSV}`).swap16()],
  ['CSV in big-endian UTF-16 without a mark', 'csv', utf16(CSV).swap16()],
  ['a CSV of Daylio', 'daylio-csv', DAYLIO_CSV],
  ['a CSV of Daylio in UTF-16', 'daylio-csv', utf16(`\ufeff${DAYLIO_CSV}`)],
  [
    'an older CSV of Daylio',
    'daylio-csv',
    'year,date,weekday,time,mood,activities,note\n2025,March 12,x,9:05,good,"",a\n',
  ],
  ['a backup of Daylio', 'daylio-backup', daylioFile()],
  ['a backup of Daylio without its zip', 'daylio-backup', backup],
  ['a backup of Daylio in lines', 'daylio-backup', backup.replace(/.{76}/g, '$&\r\n')],
  ['JSON of Day One', 'day-one', dayOne],
  ['JSON of Day One with line breaks', 'day-one', `\r\n${JSON.stringify(DAY_ONE, null, 2)}\r\n`],
  ['JSON of Day One with a byte-order mark', 'day-one', `\ufeff${dayOne}`],
  ['a zip of Day One', 'day-one', zip({ 'Home.json': Buffer.from(dayOne) })],
];

describe.each(FILES)('%s', (_what, format, file) => {
  it('is recognized and read, whatever the sizes of the chunks', async () => {
    const whole = await open(file);
    expect(whole.format).toBe(format);
    expect(whole.records).not.toHaveLength(0);
    expect(whole.records.filter(({ fault }) => fault !== undefined)).toEqual([]);
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 99 }), { minLength: 1, maxLength: 4 }),
        async (sizes) => {
          expect(await open(file, {}, ...sizes)).toEqual(whole);
        },
      ),
      { numRuns: 20, examples: [[[1]], [[3]]] },
    );
  });
});

describe('a file whose content shows nothing', () => {
  it('is of the format of its media type', async () => {
    expect(await open('', { mediaType: 'application/x-ndjson' })).toEqual({ format: 'ndjson', records: [] });
    await expect(open('', { mediaType: 'text/csv' })).rejects.toThrow('The file is empty');
    await expect(open('a,b\n', { mediaType: 'text/csv' })).rejects.toThrow('Unknown column "a", "b"');
  });

  it.each(['', 'hello', '[]', '<html>', '\0\0\0', '%PDF-1.7\n', '\ufffe'])(
    'or its media type either is refused: %j',
    async (file) => {
      await expect(open(file)).rejects.toThrow('The file is of no format that we know');
    },
  );

  it('is of the format that is asked for', async () => {
    const { format, records } = await open('hello\n', { format: 'ndjson' });
    expect([format, records[0]?.fault]).toEqual(['ndjson', 'is not valid JSON']);
  });
});

describe('the source of a file', () => {
  const bomb = zip({ 'Home.json': Buffer.from(`{"entries":[${'x'.repeat(100)}`) });

  it.each([
    ['of no format', Buffer.from('hello')],
    ['that is a zip of something else', zip({ 'a.txt': Buffer.from('a') })],
    ['in a zip that cannot be read', bomb],
    ['that cannot be read', Buffer.from('{"entries":[x')],
  ])('is closed if the file is one %s', async (_what, file) => {
    let isClosed = false;
    const source = async function* () {
      try {
        yield* chunksOf(file);
        yield* chunksOf(Buffer.alloc(100_000), 1000);
      } finally {
        isClosed = true;
      }
    };
    await expect(
      openImportFile(source(), {}, options()).then(({ records }) => collect(records)),
    ).rejects.toThrow();
    expect(isClosed).toBe(true);
  });
});
