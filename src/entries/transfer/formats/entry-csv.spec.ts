import { describe, expect, it } from '@jest/globals';
import { parse } from 'csv-parse/sync';
import fc from 'fast-check';
import { LocalTimes } from '../local-times.js';
import { MoodNames } from '../mood-names.js';
import { csv } from './csv.js';
import { BYTE_ORDER_MARK, CSV_HEADER, csvLine } from './entry-csv.js';
import { ImportFileError, type EntryRecord } from './format.js';
import { ndjson } from './ndjson.js';
import type { Entry } from '../../entry-row.js';

async function read(
  file: string | Buffer,
  { maxEntryBytes = 1_048_576, chunkBytes = 65_536, format = csv } = {},
): Promise<EntryRecord[]> {
  const bytes = Buffer.from(file as string);
  async function* chunks() {
    for (let at = 0; at < bytes.length; at += chunkBytes)
      yield await Promise.resolve(bytes.subarray(at, at + chunkBytes));
  }
  const options = {
    maxEntryBytes,
    unknownColumns: 'refuse' as const,
    times: new LocalTimes('UTC'),
    moods: new MoodNames(),
    ignore: () => {},
  };
  const records: EntryRecord[] = [];
  for await (const some of format.read(chunks(), options)) records.push(...some);
  return records;
}

/** Number and fields of each record, or its fault. */
async function told(file: string | Buffer, options = {}) {
  return (await read(file, options)).map(({ number, fields, fault }) => [number, fault ?? fields]);
}

async function faultOf(file: string | Buffer): Promise<string> {
  try {
    await read(file);
  } catch (error) {
    if (error instanceof ImportFileError) return error.message;
    throw error;
  }
  return 'none';
}

const text = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        "'",
        '=',
        '+',
        '-',
        '@',
        '\t',
        '\r',
        '\n',
        '\r\n',
        '"',
        '""',
        ',',
        ';',
        '\\',
        '＝',
        ' ',
        '\ufeff',
      ),
      fc.string({ unit: 'binary', minLength: 1, maxLength: 5 }),
    ),
    { minLength: 1, maxLength: 8 },
  )
  .map((parts) => parts.join(''))
  .filter((value) => value.isWellFormed());
const tag = text.filter((value) => value.trim() === value && value !== '');
const entry = fc.record({
  id: fc.uuid(),
  text,
  mood: fc.integer({ min: 1, max: 10 }),
  category: tag,
  tags: fc.array(tag, { maxLength: 4 }),
  occurredAt: fc.constant('2026-03-01T08:30:00.000Z'),
  createdAt: fc.constant('2026-03-01T08:30:00.001Z'),
  updatedAt: fc.constant('2026-03-01T08:30:00.002Z'),
  version: fc.integer({ min: 1, max: 1000 }),
});
const file = (entries: readonly Entry[]) => BYTE_ORDER_MARK + CSV_HEADER + entries.map(csvLine).join('');

describe('an export as CSV', () => {
  it('is read back unchanged, whatever the chunks', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(entry, { maxLength: 5 }),
        fc.integer({ min: 1, max: 40 }),
        async (entries, chunkBytes) => {
          const fields = (await read(file(entries), { chunkBytes })).map(
            (record) => record.fault ?? record.fields,
          );
          const written = entries.map(({ tags, ...rest }) => (tags.length === 0 ? rest : { ...rest, tags }));
          expect(fields).toEqual(written);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('is RFC 4180: another reader returns the same cells', () => {
    fc.assert(
      fc.property(fc.array(entry, { minLength: 1, maxLength: 5 }), (entries) => {
        const rows = parse(file(entries), { bom: true, columns: true, record_delimiter: '\r\n' });
        expect(rows).toHaveLength(entries.length);
        for (const [index, { id, mood, text: written }] of entries.entries()) {
          const row = rows[index] as Record<string, string>;
          expect([row['id'], row['mood']]).toEqual([id, String(mood)]);
          expect([written, `'${written}`]).toContain(row['text']);
        }
      }),
      { numRuns: 200 },
    );
  });

  it('has no cell that a spreadsheet runs as a formula', () => {
    fc.assert(
      fc.property(entry, (each) => {
        const [row] = parse(file([each]), { bom: true, columns: true, record_delimiter: '\r\n' });
        for (const cell of Object.values(row as Record<string, string>))
          expect(cell).not.toMatch(/^[=+\-@\t\r＝＋－＠]/);
      }),
      { numRuns: 500 },
    );
  });

  it.each([
    ['=1+1', "'=1+1"],
    ["'=1+1", "''=1+1"],
    ['-5 °C', "'-5 °C"],
    ["'tis a good day", "'tis a good day"],
    ['a=b', 'a=b'],
    ['say "hi"', '"say ""hi"""'],
    ['two\r\nlines', '"two\r\nlines"'],
  ])('writes %j as %j', (written, cell) => {
    const at = '2026-03-01T08:30:00.000Z';
    const line = csvLine({
      ...{ id: 'i', text: written, mood: 1, category: 'c', tags: ['a,b', 'c\\'], version: 1 },
      ...{ occurredAt: at, createdAt: at, updatedAt: at },
    });
    expect(line.startsWith(`i,${cell},1,c,"a\\,b,c\\\\",`)).toBe(true);
    expect(line.endsWith('\r\n')).toBe(true);
  });
});

describe('CSV from other programs', () => {
  it('accepts columns in any order, LF or CRLF, and empty lines', async () => {
    expect(await told('mood,text\n7,a\r\n\r\n\n8,"b"\r\n')).toEqual([
      [2, { mood: 7, text: 'a' }],
      [5, { mood: 8, text: 'b' }],
    ]);
  });

  it('accepts a file without final line break and byte-order mark', async () => {
    const fields = [[2, { text: 'a', mood: 7 }]];
    expect(await told('text,mood\na,7')).toEqual(fields);
    expect(await told('\ufefftext,mood\r\na,7')).toEqual(fields);
    expect(await told('\ufeff"text","mood"\r\na,7')).toEqual(fields);
  });

  it('omits empty cells, except for the text', async () => {
    expect(await told('text,mood,category,tags,occurredAt,id\n,7,, ,,')).toEqual([
      [2, { text: '', mood: 7 }],
    ]);
  });

  it('accepts tags as people write them', async () => {
    expect(await told('text,mood,tags\na,7,"river, walk"')).toEqual([
      [2, { text: 'a', mood: 7, tags: ['river', ' walk'] }],
    ]);
  });

  it('accepts only decimal numbers', async () => {
    const moods = (await told('text,mood\na, 7 \na,7.5\na,0x7\na,1e1\na,\na,-1')).map(([, fields]) => fields);
    expect(moods).toEqual([
      { text: 'a', mood: 7 },
      ...[1, 2, 3].map(() => ({ text: 'a', mood: NaN })),
      { text: 'a' },
      { text: 'a', mood: NaN },
    ]);
  });

  it('numbers each record by its first line', async () => {
    const records = await told('text,mood\n"a\nb\r\n\nc",1\nd,2\n"e\n\n",3\nf,4,5\ng,6');
    expect(records).toEqual([
      [2, { text: 'a\nb\r\n\nc', mood: 1 }],
      [6, { text: 'd', mood: 2 }],
      [7, { text: 'e\n\n', mood: 3 }],
      [10, 'must have 2 cells, like the header'],
      [11, { text: 'g', mood: 6 }],
    ]);
  });

  it.each([
    ['a "b" c,7', 'has a quote in an unquoted cell'],
    ['"a" b,7', 'has text after a closing quote'],
    ['a,7,8', 'must have 2 cells, like the header'],
    ['a', 'must have 2 cells, like the header'],
    [','.repeat(1_000_000), 'must have 2 cells, like the header'],
    ['"a",'.repeat(200_000), 'must have 2 cells, like the header'],
    ['x'.repeat(2_000_000), 'is longer than 1048576 bytes'],
    [Buffer.from('caf\u00e9,7', 'latin1'), 'is not valid UTF-8'],
  ])('reports a fault of one record only: %.20j', async (line, fault) => {
    const bytes = Buffer.concat([
      Buffer.from('text,mood\nb,1\n'),
      Buffer.from(line as string),
      Buffer.from('\nc,2\n'),
    ]);
    expect(await told(bytes)).toEqual([
      [2, { text: 'b', mood: 1 }],
      [3, fault],
      [4, { text: 'c', mood: 2 }],
    ]);
  });

  it('reports an unclosed quote, and keeps no more of it than the line limit', async () => {
    expect(await told('text,mood\na,1\n"b,2\nc,3\n')).toEqual([
      [2, { text: 'a', mood: 1 }],
      [3, 'has a quoted cell without a closing quote'],
    ]);
    const records = await told(`text,mood\n"b,2\n${'x,3\n'.repeat(100)}`, { maxEntryBytes: 100 });
    expect(records[0]).toEqual([2, 'is longer than 100 bytes']);
    expect(records.at(-1)).toEqual([102, { text: 'x', mood: 3 }]);
  });

  it.each([
    ['', 'The file is empty'],
    ['\r\n\r\n', 'The file is empty'],
    ['mood\n7', 'Missing column text'],
    ['text,mood,Text\n', 'Unknown column "Text"; known columns: id, text,'],
    ['text,mood,text\n', 'Duplicate column text'],
    ['text,mood,', 'Unknown column ""'],
    [','.repeat(1_000_000), 'Unknown column "", ""'],
    ['"text,mood\na,7', 'The header has a quoted cell without a closing quote'],
    [Buffer.from([0xff, 0xfe, 0x74]), 'The header is not valid UTF-8'],
  ])('refuses a file with the header %.20j', async (content, fault) => {
    expect(await faultOf(content)).toContain(fault);
  });
});

describe('newline-delimited JSON', () => {
  const readJson = (content: string, maxEntryBytes = 100, chunkBytes = 7) =>
    told(content, { maxEntryBytes, chunkBytes, format: ndjson });

  it('is read line by line, with or without byte-order mark, CRLF and empty lines', async () => {
    const records = [
      [1, { a: '😀' }],
      [3, 2],
      [4, 'is not valid JSON'],
      [5, null],
    ];
    expect(await readJson('\ufeff{"a":"😀"}\r\n\r\n2\n{"a":\nnull')).toEqual(records);
    for (let chunkBytes = 1; chunkBytes < 30; chunkBytes += 1) {
      expect(await readJson('{"a":"😀"}\n\n2\n{"a":\nnull\n', 100, chunkBytes)).toEqual(records);
    }
  });

  it('reports a fault only of the line that is too long, whatever the chunks', async () => {
    for (const chunkBytes of [1, 50, 100, 101, 1000]) {
      expect(await readJson(`1\n${'9'.repeat(101)}\n${'9'.repeat(5)}\n`, 100, chunkBytes)).toEqual([
        [1, 1],
        [2, 'is longer than 100 bytes'],
        [3, 99_999],
      ]);
    }
  });
});
