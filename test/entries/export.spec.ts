import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { parse } from 'csv-parse/sync';
import fc from 'fast-check';
import { startService, type TestService } from '../harness/http/service.js';
import type { ApiClient } from '../harness/http/client.js';
import { listEntries } from '../harness/entries/entries.js';
import { expectProblem } from '../harness/http/problem.js';
import {
  beginDownload,
  canExport,
  CSV,
  endOf,
  exportEntries,
  exportFile,
  importFile,
  insertLongEntries,
  NDJSON,
  numberedLines,
  toNdjson,
  upload,
} from '../harness/entries/transfer.js';
import { until } from '../harness/until.js';

let service: TestService;
/** A new user for each test. */
let ada: ApiClient;
beforeAll(async () => {
  service = await startService();
});
beforeEach(async () => {
  ada = await service.signUp();
});
afterAll(() => service.close());

async function deleteEntries(): Promise<void> {
  await service.database.query('DELETE FROM entries WHERE user_id = $1', [ada.account.userId]);
}

describe('GET /entries/export', () => {
  it('downloads one entry per line, in order of creation', async () => {
    const first = (await ada.post('/entries', { text: 'first\n😀', mood: 7, tags: ['river'] })).body;
    const second = (
      await ada.post('/entries', { text: 'second', mood: 8, occurredAt: '2020-01-01T00:00:00Z' })
    ).body;
    const { status, headers, text } = await ada.get('/entries/export');
    expect(status).toBe(200);
    expect(headers.get('content-type')).toBe('application/x-ndjson; charset=utf-8');
    expect(headers.get('content-disposition')).toMatch(
      /^attachment; filename="entries-\d{4}-\d\d-\d\d\.ndjson"$/,
    );
    expect(headers.get('cache-control')).toBe('private, no-store');
    expect(text).toBe(toNdjson(first, second));
  });

  it('downloads CSV with a byte-order mark for spreadsheets when format=csv', async () => {
    const entry = (await ada.post('/entries', { text: '=HYPERLINK("x")', mood: 7, tags: ['a,b', 'c'] })).body;
    const response = await fetch(`${ada.url}/entries/export?format=csv`, {
      headers: { authorization: `Bearer ${ada.account.accessToken}` },
    });
    expect(response.headers.get('content-type')).toBe('text/csv; charset=utf-8');
    expect(response.headers.get('content-disposition')).toMatch(/\.csv"$/);
    const bytes = Buffer.from(await response.arrayBuffer());
    expect(bytes.subarray(0, 3)).toEqual(Buffer.from('\ufeff'));
    expect(parse(bytes, { bom: true, columns: true, record_delimiter: '\r\n' })).toEqual([
      { ...entry, text: `'=HYPERLINK("x")`, mood: '7', version: '1', tags: 'a\\,b,c' },
    ]);
  });

  it('is empty when there are no entries', async () => {
    expect(await exportFile(ada)).toBe('');
    expect(await exportFile(ada, '?format=csv')).toBe(
      'id,text,mood,category,tags,occurredAt,createdAt,updatedAt,version\r\n',
    );
  });

  it('never splits a character between two chunks', async () => {
    const texts = Array.from({ length: 12 }, (_, n) => 'a'.repeat(n % 2) + '😀'.repeat(9999));
    const { entries } = (
      await ada.post('/entries/bulk', { entries: texts.map((text) => ({ text, mood: 5 })) })
    ).body;
    expect(await exportFile(ada)).toBe(toNdjson(...entries));
  });

  it('accepts the filters of GET /entries', async () => {
    await importFile(
      ada,
      toNdjson(
        { text: 'a', mood: 3, category: 'work', tags: ['x', 'y'], occurredAt: '2026-03-01T00:00:00Z' },
        { text: 'b', mood: 7, category: 'work', tags: ['x'], occurredAt: '2026-03-02T00:00:00Z' },
        { text: 'c', mood: 9, occurredAt: '2026-03-03T00:00:00Z' },
      ),
    );
    const texts = async (query: string) =>
      (await exportEntries(ada, query))
        .map(({ text }) => text)
        .sort()
        .join('');
    expect(await texts('')).toBe('abc');
    expect(await texts('?category=Work')).toBe('ab');
    expect(await texts('?tag=x&tag=y')).toBe('a');
    expect(await texts('?moodMin=4&moodMax=8')).toBe('b');
    expect(await texts('?from=2026-03-02T00:00:00Z&to=2026-03-03T00:00:00Z')).toBe('b');
  });

  it.each(['format=xlsx', 'format=csv&format=csv', 'limit=5', 'cursor=a', 'page=1', 'mood=11', 'from=now'])(
    'returns 400 for ?%s',
    async (query) => {
      expectProblem(await ada.get(`/entries/export?${query}`), 400);
    },
  );

  it('contains no entry of the trash or of another user', async () => {
    const kept = (await ada.post('/entries', { text: 'kept', mood: 5 })).body;
    const { id } = (await ada.post('/entries', { text: 'gone', mood: 5 })).body;
    await ada.delete(`/entries/${id}`);
    await importFile(await service.signUp(), toNdjson({ text: 'hers', mood: 5 }));
    expect(await exportEntries(ada)).toEqual([kept]);
  });

  it('returns the same headers for HEAD, and reads no entries', async () => {
    const { status, headers, text } = await ada.request('HEAD', '/entries/export?format=csv');
    expect({ status, text }).toEqual({ status: 200, text: '' });
    expect(headers.get('content-disposition')).toMatch(/\.csv"$/);
    expect(await canExport(ada)).toBe(true);
  });

  it('contains each entry once, whatever is written during the export', async () => {
    await insertLongEntries(service.database, ada);
    const response = await beginDownload(ada);
    const { rows } = {
      rows: await service.database.query<{ id: string }>('SELECT id FROM entries WHERE user_id = $1', [
        ada.account.userId,
      ]),
    };
    // Every entry moves in the list, while most of the export is still to be read.
    await service.database.query(
      `UPDATE entries SET occurred_at = occurred_at + random() * interval '1 year' WHERE user_id = $1`,
      [ada.account.userId],
    );
    await ada.post('/entries', { text: 'new', mood: 5 });
    let text = '';
    for await (const chunk of response.setEncoding('utf8')) text += String(chunk);
    expect(response.complete).toBe(true);
    const ids = text
      .split('\n')
      .slice(0, -1)
      .map((line) => (JSON.parse(line) as { id: string }).id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(rows.filter(({ id }) => !ids.includes(id))).toEqual([]);
  });

  it('holds no database connection while the client does not read, and allows two exports per user', async () => {
    await insertLongEntries(service.database, ada);
    const responses = [await beginDownload(ada), await beginDownload(ada)];
    await until('nothing is under way', async () => {
      const busy = await service.database.query(
        `SELECT FROM pg_stat_activity WHERE datname = $1 AND application_name = 'entries' AND state <> 'idle'`,
        [service.database.name],
      );
      return busy.length === 0;
    });
    const refused = await ada.get('/entries/export');
    expectProblem(refused, 429);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expectProblem(await upload(ada, ''), 429);
    const eve = await service.signUp();
    expect(await canExport(eve)).toBe(true);
    // One is read to its end, the other is left.
    expect(await endOf(responses[0]!)).toBe('whole');
    await until('one may begin', () => canExport(ada));
    responses[1]!.destroy();
    await until('two may begin', async () => {
      const both = await Promise.all([canExport(ada), canExport(ada)]);
      return both.every(Boolean);
    });
  });

  it('ends without its last chunk if it fails', async () => {
    await insertLongEntries(service.database, ada);
    const response = await beginDownload(ada);
    await service.database.query('ALTER TABLE entries RENAME COLUMN mood TO humour');
    try {
      expect(await endOf(response)).toBe('cut off');
    } finally {
      await service.database.query('ALTER TABLE entries RENAME COLUMN humour TO mood');
    }
    await until('another may begin', () => canExport(ada));
  });
});

describe('an export that is imported', () => {
  const word = fc
    .oneof(
      fc.constantFrom("'=1", '=1', "''", '-', '@', 'a\r\nb', '\n', '"', 'a,b', '\\', 'null', '{}'),
      fc.string({ unit: 'binary' }),
    )
    .filter((text) => text.isWellFormed() && !text.includes('\u0000') && text.trim() !== '');
  const label = word
    .map((text) => [...text.trim().toLowerCase().normalize('NFC')].slice(0, 40).join('').trim())
    .filter((text) => text !== '');
  const entry = fc.record({
    text: word,
    mood: fc.integer({ min: 1, max: 10 }),
    category: label,
    tags: fc.array(label, { maxLength: 4 }),
    occurredAt: fc
      .date({
        min: new Date('0001-01-02T00:00:00Z'),
        max: new Date('9999-12-30T00:00:00Z'),
        noInvalidDate: true,
      })
      .map((date) => date.toISOString()),
  });

  it.each([
    ['ndjson', NDJSON],
    ['csv', CSV],
  ])('exports the same file again, byte for byte: %s', async (format, type) => {
    await fc.assert(
      fc.asyncProperty(fc.array(entry, { minLength: 1, maxLength: 30 }), async (entries) => {
        const { status, text } = await ada.post('/entries/bulk', { entries });
        expect([status, status === 201 ? '' : text]).toEqual([201, '']);
        const [first] = JSON.parse(text).entries;
        await ada.patch(`/entries/${first.id}`, { mood: 11 - first.mood });
        const file = await exportFile(ada, `?format=${format}`);
        expect(await importFile(ada, file, type)).toMatchObject({
          imported: 0,
          skipped: entries.length,
          failed: 0,
          errors: [],
        });
        await deleteEntries();
        expect(await importFile(ada, file, type)).toMatchObject({ imported: entries.length, errors: [] });
        expect(await exportFile(ada, `?format=${format}`)).toBe(file);
        await deleteEntries();
      }),
      { numRuns: 12 },
    );
  });

  it('skips entries that exist, changed or in the trash', async () => {
    await importFile(ada, numberedLines(3).join(''));
    const file = await exportFile(ada);
    const [first, second] = await exportEntries(ada);
    await ada.patch(`/entries/${first.id}`, { text: 'changed' });
    await ada.delete(`/entries/${second.id}`);
    expect(await importFile(ada, file)).toMatchObject({ imported: 0, skipped: 3 });
    expect((await ada.get(`/entries/${first.id}`)).body.text).toBe('changed');
    expect((await listEntries(ada)).total).toBe(2);
  });

  it('creates new entries for another user, and neither changes nor reveals those of the first', async () => {
    await importFile(ada, numberedLines(3).join(''));
    const file = await exportFile(ada);
    const [first] = await exportEntries(ada);
    const eve = await service.signUp();
    const forged = file.replaceAll('entry ', 'eve ');
    expect(await importFile(eve, forged)).toMatchObject({
      imported: 3,
      skipped: 0,
      failed: 0,
      errors: [],
    });
    expect(await exportFile(ada)).toBe(file);
    expectProblem(await eve.get(`/entries/${first.id}`), 404);
    const hers = await exportEntries(eve);
    expect(hers.map(({ text }) => text).sort()).toEqual(['eve 0', 'eve 1', 'eve 2']);
    expect(await importFile(eve, forged)).toMatchObject({ imported: 0, skipped: 3 });
    expect(await importFile(eve, await exportFile(eve))).toMatchObject({
      imported: 0,
      skipped: 3,
    });
  });
});
