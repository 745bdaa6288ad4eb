import { gzipSync } from 'node:zlib';
import { strToU8 } from 'fflate';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { startService, type TestService } from '../harness/http/service.js';
import type { ApiClient } from '../harness/http/client.js';
import {
  DAY_ONE,
  DAYLIO_BACKUP,
  DAYLIO_CSV,
  daylioFile,
  zip,
  type DaylioBackup,
} from '../harness/entries/diaries.js';
import { form } from '../harness/streaming/form.js';
import { listEntries } from '../harness/entries/entries.js';
import {
  BATCH_ROWS,
  countEntries,
  CSV,
  NDJSON,
  toNdjson,
  type ImportReport,
} from '../harness/entries/transfer.js';
import { expectProblem } from '../harness/http/problem.js';

const BYTES = 'application/octet-stream';

let service: TestService;
/** A new user for each test, who lives in Vienna. */
let ada: ApiClient;
beforeAll(async () => {
  service = await startService();
});
beforeEach(async () => {
  ada = await service.signUp();
  await ada.patch('/users/me', { timezone: 'Europe/Vienna' });
});
afterAll(() => service.close());

const send = (body: string | Buffer, query = '', type = BYTES, headers = {}) =>
  ada.post(`/entries/import${query}`, body, { 'content-type': type, ...headers });

async function reportOf(...request: Parameters<typeof send>): Promise<ImportReport> {
  const { status, text, body } = await send(...request);
  expect(`${status} ${text}`).toMatch(/^200 /);
  return body as ImportReport;
}

async function faultOf(...request: Parameters<typeof send>): Promise<string> {
  const response = await send(...request);
  expectProblem(response, 422);
  return response.body.detail as string;
}

const entries = async () => (await listEntries(ada)).entries;
const counts = ({ imported, skipped, failed }: ImportReport) => [imported, skipped, failed];

describe('a Daylio CSV', () => {
  it('becomes entries in the time zone of the user; a mood that Daylio does not rank is asked for', async () => {
    const report = await reportOf(DAYLIO_CSV);
    expect(report).toEqual({
      format: 'daylio-csv',
      imported: 2,
      skipped: 0,
      failed: 1,
      errors: [{ line: 4, message: 'mood "super" has no value: set it with ?moods=super:5' }],
      ignored: {},
      unknownMoods: { super: 1 },
    });
    expect(await entries()).toMatchObject([
      {
        text: 'A walk\n\nBy the river.\nIt was cold & bright.',
        mood: 10,
        tags: ['friends', 'good meal'],
        occurredAt: '2026-03-02T20:05:00.000Z',
      },
      { text: 'meh', mood: 6, tags: [], occurredAt: '2026-03-01T20:30:00.000Z' },
    ]);
  });

  it('adds the entry whose mood ?moods= gives, and skips those imported before', async () => {
    await reportOf(DAYLIO_CSV);
    expect(counts(await reportOf(DAYLIO_CSV, '?moods=Super:9'))).toEqual([1, 2, 0]);
    expect((await entries()).at(-1)).toMatchObject({ text: 'A rainy day', mood: 9 });
    expect(counts(await reportOf(DAYLIO_CSV, '?moods=*:5'))).toEqual([0, 3, 0]);
  });

  it('that is longer adds only what is new', async () => {
    await reportOf(DAYLIO_CSV, '?moods=*:5');
    const longer = DAYLIO_CSV.replace('\n', '\n"2026-03-03","March 3","Tuesday","07:00","bad","","","New"\n');
    expect(counts(await reportOf(longer, '?moods=*:5'))).toEqual([1, 3, 0]);
  });

  it.each([
    ['English, the day last', 'March 12', '9:05 PM', '21:05'],
    ['English with a narrow space', 'Mar 12', '9:05\u202fam', '09:05'],
    ['German', '12. März', '21:05', '21:05'],
    ['French', '12 mars', '21:05', '21:05'],
    ['Spanish', '12 de marzo', '9:05 p. m.', '21:05'],
    ['Russian', '12 марта', '21:05', '21:05'],
    ['Greek', '12 Μαρτίου', '9:05 μ.μ.', '21:05'],
    ['Japanese', '3月12日', '21:05', '21:05'],
    ['Chinese', '3月12日', '下午9:05', '21:05'],
    ['Korean', '3월 12일', '오후 9:05', '21:05'],
    ['midnight', 'March 12', '12:05 AM', '00:05'],
    ['noon', 'March 12', '12:05 PM', '12:05'],
  ])('of an older version, in %s', async (_language, date, time, local) => {
    const file = `year,date,weekday,time,mood,activities,note\n2025,"${date}",x,"${time}",good,"",a\n`;
    expect(counts(await reportOf(file, '?timezone=UTC'))).toEqual([1, 0, 0]);
    expect(await entries()).toMatchObject([{ occurredAt: `2025-03-12T${local}:00.000Z`, mood: 8 }]);
  });

  it('reports a date or time that does not exist, with its line', async () => {
    const header = 'full_date,date,weekday,time,mood,activities,note\n';
    const rows = ['2026-02-30,,,9:00,good,,a', '2026-02-20,,,25:00,good,,b', '2.3.2026,,,9:00,good,,c'];
    expect((await reportOf(header + rows.join('\n'))).errors).toEqual([
      { line: 2, message: '2026-02-30 09:00 does not exist' },
      { line: 3, message: 'time "25:00" is not a time' },
      { line: 4, message: 'has no date that we can read' },
    ]);
  });

  it('without one of its columns is refused', async () => {
    expect(await faultOf('full_date,mood,activities,note\n')).toBe('Missing column time of a Daylio export');
  });
});

describe('a Daylio backup', () => {
  it('becomes entries, with custom moods by their group, and says what was left out', async () => {
    expect(await reportOf(daylioFile())).toEqual({
      format: 'daylio-backup',
      imported: 2,
      skipped: 0,
      failed: 0,
      errors: [],
      ignored: { photos: 2 },
    });
    expect(await entries()).toMatchObject([
      { text: 'Quiet.', mood: 8, tags: ['friends', 'good meal'], occurredAt: '2026-03-02T21:05:00.000Z' },
      { text: 'Party', mood: 10, tags: ['friends'], occurredAt: '2026-03-01T20:30:00.000Z' },
    ]);
    expect(counts(await reportOf(daylioFile()))).toEqual([0, 2, 0]);
  });

  it('may have its entries before its moods and tags, and need not be in a zip', async () => {
    const { dayEntries, ...rest } = DAYLIO_BACKUP;
    const base64 = Buffer.from(JSON.stringify({ dayEntries, ...rest })).toString('base64');
    expect(counts(await reportOf(base64))).toEqual([2, 0, 0]);
  });

  it('reports the number of an entry whose mood has no rank', async () => {
    const dayEntries = [{ datetime: 0, mood: 8, note: 'a' }, { mood: 1 }, 'x'];
    const report = await reportOf(daylioFile({ ...DAYLIO_BACKUP, dayEntries } as unknown as DaylioBackup));
    expect(report).toMatchObject({ failed: 3, unknownMoods: { Odd: 1 } });
    expect(report.errors).toEqual([
      { entry: 1, message: 'mood "Odd" has no value: set it with ?moods=Odd:5' },
      { entry: 2, message: 'has no datetime' },
      { entry: 3, message: 'has no datetime' },
    ]);
  });

  it.each([
    ['is not base64', Buffer.from('eyJ*'), 'The backup is not valid base64'],
    ['is cut off', Buffer.from('eyJ2Z'), 'The backup is not valid base64: it ends early'],
    [
      'is no JSON',
      Buffer.from(Buffer.from('{"v,').toString('base64')),
      'The file ends early, after 0 entries',
    ],
    ['goes on after its end', Buffer.from('eyI=eyI='), 'The backup is not valid base64'],
    [
      'has too many tags',
      Buffer.from(
        Buffer.from(JSON.stringify({ tags: Array.from({ length: 10_001 }, (_, id) => ({ id })) })).toString(
          'base64',
        ),
      ),
      'The backup has more than 10000 moods and tags',
    ],
  ])('that %s is refused', async (_what, file, message) => {
    expect(await faultOf(zip({ 'backup.daylio': file }))).toBe(message);
  });

  it('that is too large is refused', async () => {
    expect(await faultOf('eyJh'.repeat(6_000_000))).toBe('The backup is larger than 16777216 bytes');
  });
});

describe('a Day One journal', () => {
  const json = JSON.stringify(DAY_ONE);
  const journals = () => zip({ 'Home.json': strToU8(json), 'photos/abc.jpeg': new Uint8Array(3000) });

  it('has no moods: they are asked for', async () => {
    const report = await reportOf(json);
    expect(report).toMatchObject({ format: 'day-one', imported: 0, failed: 2, unknownMoods: { '': 2 } });
    expect(report.errors[0]).toEqual({
      entry: 1,
      message: 'has no mood: set one for all such entries with ?moods=*:5',
    });
  });

  it.each([
    ['JSON', json, 'application/json', 'general'],
    ['JSON with line breaks', JSON.stringify(DAY_ONE, null, 2), BYTES, 'general'],
    ['a zip', journals(), 'application/zip', 'home'],
  ])('as %s becomes entries, and says what was left out', async (_what, file, type, category) => {
    expect(await reportOf(file, '?moods=*:6', type)).toMatchObject({ imported: 2, ignored: { photos: 1 } });
    expect(await entries()).toMatchObject([
      { text: 'Snow.', mood: 6, category, tags: [], occurredAt: '2026-03-03T08:00:00.000Z' },
      { text: 'Walked by the *river*.\nCold.', category, tags: ['river', 'starred', 'walk'] },
    ]);
    // Known by its own id: another text or mood is still the same entry.
    expect(counts(await reportOf(json.replaceAll('Snow.', 'Ice.'), '?moods=*:7'))).toEqual([0, 2, 0]);
  });

  it('with a megabyte of brackets takes no longer than one of text', async () => {
    const entries = ['![', '![](dayone-moment:'].map((part) => ({
      text: part.repeat(1_000_000 / part.length),
      creationDate: '2026-03-02T21:05:00Z',
    }));
    expect(await reportOf(JSON.stringify({ entries }), '?moods=*:6')).toMatchObject({ failed: 2 });
  });

  it('with a long name becomes a category of its beginning', async () => {
    await reportOf(zip({ [`${'🙂'.repeat(60)}.json`]: strToU8(json) }), '?moods=*:6');
    expect(await entries()).toMatchObject([{ category: '🙂'.repeat(50) }, {}]);
  });

  it('of several journals in one zip has its entries counted through', async () => {
    const other = JSON.stringify({ entries: [{ text: '' }, { uuid: 'A', text: 'x', creationDate: 'soon' }] });
    const report = await reportOf(zip({ 'A.json': strToU8(json), 'B.json': strToU8(other) }), '?moods=*:6');
    expect(report).toMatchObject({ imported: 2, failed: 2 });
    expect(report.errors.map(({ entry }) => entry)).toEqual([3, 4]);
  });

  it.each([
    ['ends early', json.slice(0, -30), 'The file ends early, after 1 entries'],
    ['breaks off', json.replace('Snow."', 'Snow."]'), 'The file is not valid JSON, after 1 entries'],
    ['nests too deeply', `{"entries":${'['.repeat(5000)}`, 'The JSON nests deeper than 64, after 0 entries'],
    [
      'has an endless entry',
      `{"entries":[{"text":"${'a'.repeat(1_200_000)}`,
      'An entry is longer than 1048576 bytes, after 0 entries',
    ],
  ])('that %s is refused', async (_what, file, message) => {
    expect(await faultOf(file, '?moods=*:6')).toBe(message);
  });
});

describe('a zip', () => {
  it('of something else is refused', async () => {
    expect(await faultOf(zip({ 'a.txt': strToU8('a') }))).toBe(
      'The zip has neither a Day One journal nor a Daylio backup',
    );
  });

  it('that is cut off is refused, and the whole one completes the import', async () => {
    const many = Array.from({ length: 4 * BATCH_ROWS }, (_, n) => ({
      uuid: `id ${n}`,
      text: `entry ${n} ${Math.sin(n)}`,
      creationDate: new Date(n * 1000).toISOString(),
    }));
    const file = zip({ 'Home.json': strToU8(JSON.stringify({ entries: many })) });
    const part = file.subarray(0, file.length - 8000);
    expect(await faultOf(part, '?moods=*:6')).toMatch(/^The zip is damaged, or ends early, in Home.json/);
    const whole = await countEntries(service.database, ada);
    // Whole batches are kept.
    expect(whole).toBeGreaterThan(0);
    expect(whole % BATCH_ROWS).toBe(0);
    expect(counts(await reportOf(file, '?moods=*:6'))).toEqual([many.length - whole, whole, 0]);
  });

  it('that is a bomb is refused', async () => {
    const long = JSON.stringify({ text: 'a'.repeat(1_000_000) });
    const bomb = zip({ 'Home.json': strToU8(`{"entries":[${Array(60).fill(long).join()}]}`) });
    expect(await faultOf(bomb, '?moods=*:6')).toBe('The zip unpacks to more than 200 times its size');
  });
});

describe('a file', () => {
  const rows = ['text', 'mood', 'tags', 'occurredAt'];
  const csvOf = (separator: string) =>
    [rows, ['"Grüße, ""Ada"""', '7', '"a,b"', '2026-03-01 08:30']]
      .map((cells) => cells.join(separator))
      .join('\r\n');

  it.each([
    ['commas', Buffer.from(csvOf(','))],
    ['semicolons', Buffer.from(csvOf(';'))],
    ['tabs', Buffer.from(csvOf('\t'))],
    ['semicolons and a byte-order mark', Buffer.from(`\ufeff${csvOf(';')}`)],
    ['tabs in UTF-16', Buffer.from(`\ufeff${csvOf('\t')}`, 'utf16le')],
    ['tabs in UTF-16 without a byte-order mark', Buffer.from(csvOf('\t'), 'utf16le')],
    ['tabs in big-endian UTF-16', Buffer.from(`\ufeff${csvOf('\t')}`, 'utf16le').swap16()],
  ])('of CSV with %s is read', async (_what, file) => {
    expect(await reportOf(file, '', CSV)).toMatchObject({ format: 'csv', imported: 1 });
    expect(await entries()).toMatchObject([
      { text: 'Grüße, "Ada"', mood: 7, tags: ['a', 'b'], occurredAt: '2026-03-01T07:30:00.000Z' },
    ]);
  });

  it('has its unknown columns refused, or ignored and listed', async () => {
    const file = 'text,weather,mood,steps\na,fair,7,10\n';
    expect(await faultOf(file, '', CSV)).toContain(
      'Unknown column "weather", "steps"; known columns: id, text',
    );
    expect(await reportOf(file, '?unknownColumns=ignore', CSV)).toMatchObject({
      imported: 1,
      ignored: { 'column weather': 1, 'column steps': 1 },
    });
  });

  it('has times without a zone in that of the user, or of ?timezone=; those of clock changes are counted', async () => {
    const times = [
      '2026-03-29T02:30',
      '2026-10-25T02:30',
      '2026-07-01',
      '2026-07-01T08:00:00Z',
      '2026-02-30',
    ];
    const file = toNdjson(...times.map((occurredAt) => ({ text: 'a', mood: 5, occurredAt })));
    const report = await reportOf(file, '', NDJSON);
    expect(report).toMatchObject({ imported: 4, failed: 1, adjustedTimes: { skipped: 1, repeated: 1 } });
    expect((await entries()).map(({ occurredAt }) => occurredAt)).toEqual([
      '2026-10-25T00:30:00.000Z',
      '2026-07-01T08:00:00.000Z',
      '2026-06-30T22:00:00.000Z',
      '2026-03-29T01:30:00.000Z',
    ]);
    await reportOf(
      toNdjson({ text: 'b', mood: 5, occurredAt: '2027-01-01' }),
      '?timezone=Asia/Kolkata',
      NDJSON,
    );
    expect((await entries())[0]).toMatchObject({ text: 'b', occurredAt: '2026-12-31T18:30:00.000Z' });
  });

  it('is of the format that is asked for, whatever it looks like', async () => {
    expect(await faultOf(DAYLIO_CSV, '?format=csv')).toContain('Unknown column "full_date"');
    expect(await faultOf('hello world')).toMatch(/^The file is of no format that we know: NDJSON, CSV, /);
    expect(await faultOf('[{"text":"a","mood":5}]')).toMatch(/^The file is of no format that we know/);
  });

  it('is only tried with ?dryRun=true, with the report that the import has', async () => {
    const own = toNdjson({ text: 'a', mood: 5, occurredAt: '2026-03-01T08:00:00Z' });
    await reportOf(own, '', NDJSON);
    const other = await service.signUp();
    const { id } = (await other.post('/entries', { text: 'of another', mood: 5 })).body;
    const lines = [
      { text: 'a', mood: 5, occurredAt: '2026-03-01T08:00:00Z' },
      { text: 'b', mood: 5, occurredAt: '2026-03-01T09:00:00Z' },
      { text: 'b', mood: 5, occurredAt: '2026-03-01T09:00:00Z' },
      { text: 'c', mood: 11 },
      { id, text: 'of another', mood: 5 },
      { id, text: 'of another', mood: 5 },
    ];
    const file = toNdjson(...lines);
    const tried = await reportOf(file, '?dryRun=true', NDJSON);
    expect(await countEntries(service.database, ada)).toBe(1);
    expect(counts(tried)).toEqual([2, 3, 1]);
    expect(await reportOf(file, '', NDJSON)).toEqual(tried);
  });
});

describe('a hostile file', () => {
  it.each([
    ['a text with NUL', '{"text":"a\\u0000b","mood":5}', 'text: must not contain NUL or a lone surrogate'],
    ['a lone surrogate', '{"text":"\\ud800","mood":5}', 'text: must not contain NUL or a lone surrogate'],
    ['a field called __proto__', '{"text":"a","mood":5,"__proto__":{}}', '__proto__: is an unknown field'],
    ['an object as its text', '{"text":{"toString":1},"mood":5}', /^text: /],
  ])('that has %s has it reported', async (_what, line, message) => {
    const report = await reportOf(line, '', NDJSON);
    expect(report).toMatchObject({ imported: 0, failed: 1 });
    expect(report.errors[0]?.message).toEqual(
      typeof message === 'string' ? message : expect.stringMatching(message),
    );
  });

  it('may have columns and moods with names that objects have', async () => {
    const csv = 'text,mood,__proto__,constructor\na,5,b,c\n';
    const { imported, ignored } = await reportOf(csv, '?unknownColumns=ignore', CSV);
    expect([imported, Object.keys(ignored)]).toEqual([1, ['column __proto__', 'column constructor']]);
    const daylio = 'full_date,time,mood,activities,note,__proto__\n2026-03-01,9:00,__proto__,,a,b\n';
    const { failed, unknownMoods } = await reportOf(daylio);
    expect([failed, Object.entries(unknownMoods ?? {})]).toEqual([1, [['__proto__', 1]]]);
  });

  it.each([
    [
      'a header that is too long',
      `text,mood,${'c'.repeat(2_000_000)}\n`,
      'The header is longer than 1048576 bytes',
    ],
    [
      'a zip whose files are named to lie elsewhere',
      zip({ '../../a.txt': strToU8('a'), '/etc/b.json': strToU8('{}') }),
      'The zip has neither a Day One journal nor a Daylio backup',
    ],
    ['gzip in gzip', gzipSync('text,mood\na,5\n'), /^The file is of no format that we know/],
  ])('of %s is refused', async (_what, file, message) => {
    expect(await faultOf(gzipSync(file), '', BYTES, { 'content-encoding': 'gzip' })).toMatch(message);
  });
});

describe('an upload', () => {
  const file = 'text,mood\na,7\n';

  it('may be a form, as curl -F file=@… sends it', async () => {
    const [body, type] = form(file);
    expect(counts(await reportOf(body, '', type))).toEqual([1, 0, 0]);
    const [backup, backupType] = form(daylioFile(), 'backup.daylio');
    expect(counts(await reportOf(backup, '', backupType))).toEqual([2, 0, 0]);
  });

  it('may be compressed', async () => {
    const gzip = { 'content-encoding': 'gzip' };
    expect(counts(await reportOf(gzipSync(file), '', CSV, gzip))).toEqual([1, 0, 0]);
    const [body, type] = form(file.replace('a', 'b'));
    expect(counts(await reportOf(gzipSync(body), '', type, gzip))).toEqual([1, 0, 0]);
    const bomb = gzipSync(Buffer.alloc(50_000_000, '\n'));
    expect(await faultOf(bomb, '', NDJSON, gzip)).toBe('The body unpacks to more than 200 times its size');
    expect(await faultOf(file, '', CSV, gzip)).toBe('The body is not valid gzip, or ends early');
    expect(await faultOf(gzipSync(file).subarray(0, 20), '', CSV, gzip)).toMatch(
      /^The body is not valid gzip/,
    );
    expectProblem(await send(file, '', CSV, { 'content-encoding': 'br' }), 415);
  });

  it('that is refused before its end does not hold up the next request on its connection', async () => {
    const large = `text,weather\n${'a,fair\n'.repeat(500_000)}`;
    for (let turn = 0; turn < 20; turn += 1) expect(await faultOf(large, '', CSV)).toContain('weather');
    const unknown = 'hello '.repeat(500_000);
    const damaged = Buffer.concat([
      zip({ 'Home.json': strToU8('{"entries":[x') }).subarray(0, -60),
      Buffer.alloc(3_000_000),
    ]);
    for (let turn = 0; turn < 20; turn += 1) {
      expect(await faultOf(unknown)).toContain('no format that we know');
      expect(await faultOf(damaged)).toContain('not valid JSON');
    }
    expect((await ada.get('/entries')).status).toBe(200);
  });

  it.each([
    ['has no file', 422, '--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--b--\r\n', 'b'],
    [
      'is cut off',
      400,
      '--b\r\nContent-Disposition: form-data; name="a"; filename="a.csv"\r\n\r\ntext,mood\n',
      'b',
    ],
    ['is something else', 400, 'text,mood\n', 'b'],
    ['has no boundary', 400, 'text,mood\n', undefined],
    [
      'has two files',
      422,
      ['a', 'b']
        .map(
          (name) =>
            `--b\r\nContent-Disposition: form-data; name="f"; filename="${name}"\r\n\r\ntext,mood\na,1\r\n`,
        )
        .join('') + '--b--\r\n',
      'b',
    ],
  ])('as a form that %s is refused with %i', async (_what, status, body, boundary) => {
    const type = boundary === undefined ? 'multipart/form-data' : `multipart/form-data; boundary=${boundary}`;
    expectProblem(await send(body, '', type), status);
  });

  it.each([
    ['format=xml', 'must be day-one, daylio-backup, daylio-csv, ndjson, csv'],
    ['timezone=Mars', 'must be an IANA time zone'],
    ['moods=rad', 'must be like rad:10,good:8'],
    ['moods=rad:11', 'must be like rad:10,good:8'],
    ['dryRun=yes', 'must be true or false'],
    ['unknownColumns=drop', 'must be refuse or ignore'],
    ['colour=blue', ''],
  ])('with ?%s is refused with 400', async (query, message) => {
    const response = await send(file, `?${query}`, CSV);
    expectProblem(response, 400);
    expect(response.text).toContain(message);
  });
});
