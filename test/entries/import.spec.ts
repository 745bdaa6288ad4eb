import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { startService, type TestService } from '../harness/http/service.js';
import type { ApiClient } from '../harness/http/client.js';
import { listEntries } from '../harness/entries/entries.js';
import { expectProblem } from '../harness/http/problem.js';
import {
  BATCH_ROWS,
  canExport,
  CSV,
  countEntries,
  exportEntries,
  importFile,
  NDJSON,
  numberedLines,
  openRequest,
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

const total = async () => (await listEntries(ada)).total;

describe('POST /entries/import', () => {
  it('returns 200 with the counts, and creates the entries', async () => {
    expect(await total()).toBe(0);
    const { status, body } = await upload(
      ada,
      toNdjson(
        { text: 'a', mood: 7 },
        { text: 'b', mood: 8, category: ' Work', tags: ['Y', 'x'], occurredAt: '2026-03-01T08:30:00+01:00' },
      ),
    );
    expect({ status, body }).toEqual({
      status: 200,
      body: { format: 'ndjson', imported: 2, skipped: 0, failed: 0, errors: [], ignored: {} },
    });
    expect(await total()).toBe(2);
    const { entries } = (await ada.get('/entries')).body;
    expect(entries).toMatchObject([
      { text: 'a', mood: 7, category: 'general', tags: [], version: 1 },
      { text: 'b', mood: 8, category: 'work', tags: ['x', 'y'], occurredAt: '2026-03-01T07:30:00.000Z' },
    ]);
    expect(entries[0].createdAt).toBe(entries[0].occurredAt);
  });

  it('reports each invalid line with a reason, and imports the others', async () => {
    const given = [
      '{"text":"a","mood":1}',
      '{"text":"b","mood":11,"colour":"blue"}',
      'hello',
      '',
      '["a"]',
      '{"text":"\\u0000","mood":2}',
      '{"text":"\\ud800","mood":2}',
      '{"text":"c","mood":2,"version":0}',
      '{"text":"c","mood":2,"version":2147483647}',
      '{"text":"c","mood":2,"id":"1"}',
      '{"text":"c","mood":2,"__proto__":{"mood":3}}',
      '['.repeat(500_000),
      '{"text":"d","mood":2,"createdAt":"yesterday"}',
      '{"text":"e","mood":3}',
    ];
    const report = await importFile(ada, given.join('\n'));
    expect(report).toMatchObject({ imported: 2, skipped: 0, failed: 11 });
    expect(report.errors.map(({ line }) => line)).toEqual([2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13]);
    expect(report.errors[0]?.message).toContain('mood: must be a whole number from 1 to 10');
    expect(report.errors[0]?.message).toContain('colour: is an unknown field');
    expect(report.errors[1]?.message).toBe('is not valid JSON');
    expect((await exportEntries(ada)).map(({ text }) => text).sort()).toEqual(['a', 'e']);
  });

  it('rejects a line of the deepest possible nesting, and imports the next', async () => {
    const deep = '['.repeat(500_000) + ']'.repeat(500_000);
    const file = `{"text":${deep},"mood":5}\n${toNdjson({ text: 'kept', mood: 5 })}`;
    expect(await importFile(ada, file)).toMatchObject({ imported: 1, failed: 1 });
  });

  it('reports the first 100 errors, and how many there are', async () => {
    const report = await importFile(ada, '{}\n'.repeat(1500));
    expect(report).toMatchObject({ imported: 0, failed: 1500 });
    expect(report.errors).toHaveLength(100);
    expect(report.errors[99]).toEqual({ line: 100, message: expect.stringContaining('text: ') });
  });

  it('imports the longest valid entry, and rejects a line longer than the body limit', async () => {
    const report = await importFile(
      ada,
      toNdjson(
        { text: '😀'.repeat(10_000), mood: 1 },
        { text: 'x'.repeat(1_048_577), mood: 1 },
        { text: 'b', mood: 1 },
      ),
    );
    expect(report).toMatchObject({
      imported: 2,
      skipped: 0,
      failed: 1,
      errors: [{ line: 2, message: 'is longer than 1048576 bytes' }],
    });
  });

  it('rejects rows with invalid UTF-8 or NUL', async () => {
    const file = Buffer.concat([
      Buffer.from('text,mood\na,1\ncaf'),
      Buffer.from([0xe9]),
      Buffer.from(',2\nb\u0000,3\n"c\n\u0000",4\nd,5\n'),
    ]);
    const report = await importFile(ada, file, CSV);
    expect(report).toMatchObject({ imported: 2, failed: 3 });
    expect(report.errors.map(({ line }) => line)).toEqual([3, 4, 5]);
  });

  it('returns 422 for a CSV header that it does not understand, and imports nothing', async () => {
    for (const file of ['', 'text\na\n', 'text,mood,weather\na,1,fair\n', 'text,mood,mood\na,1,1']) {
      expectProblem(await upload(ada, file, CSV), 422);
    }
    expect(await total()).toBe(0);
  });

  it('accepts an empty file', async () => {
    const nothing = { format: 'ndjson', imported: 0, skipped: 0, failed: 0, errors: [], ignored: {} };
    expect(await importFile(ada, '')).toEqual(nothing);
    expect(await importFile(ada, '\n\n')).toEqual(nothing);
    expect(await importFile(ada, 'text,mood\r\n', CSV)).toEqual({ ...nothing, format: 'csv' });
  });

  it.each(['text/plain', 'application/x-www-form-urlencoded', 'text/csv; charset=iso-8859-1'])(
    'returns 415 for %s',
    async (type) => {
      expectProblem(await upload(ada, '{"text":"a","mood":1}', type), 415);
    },
  );

  it.each([NDJSON, 'application/x-ndjson; charset="UTF-8"', 'TEXT/CSV; header=present; charset=us-ascii'])(
    'accepts %s',
    async (type) => {
      const file = type === NDJSON || type.startsWith(NDJSON) ? '{"text":"a","mood":1}' : 'text,mood\na,1';
      expect(await importFile(ada, file, type)).toMatchObject({ imported: 1 });
    },
  );

  it.each(['/entries', '/entries/bulk', '/auth/login'])(
    'is the only route for CSV and NDJSON: %s returns 415',
    async (path) => {
      expectProblem(await ada.post(path, 'text,mood\n', { 'content-type': CSV }), 415);
      expectProblem(await ada.post(path, '{}', { 'content-type': NDJSON }), 415);
    },
  );

  it('returns 401 without a token, and after the user was deleted', async () => {
    expectProblem(await service.anonymous.post('/entries/import', '{}', { 'content-type': NDJSON }), 401);
    await service.database.query('DELETE FROM users WHERE id = $1', [ada.account.userId]);
    expectProblem(await upload(ada, toNdjson({ text: 'a', mood: 1 })), 401);
  });
});

describe('an import that is sent again', () => {
  it('adds nothing without ids either, nor in another order or format', async () => {
    const file = numberedLines(50);
    expect(await importFile(ada, file.join(''))).toMatchObject({ imported: 50, skipped: 0 });
    expect(await importFile(ada, file.join(''))).toMatchObject({ imported: 0, skipped: 50 });
    expect(await importFile(ada, file.toReversed().join(''))).toMatchObject({ imported: 0, skipped: 50 });
    const csv = `occurredAt,mood,text\n1970-01-01T00:00:00Z,1,entry 0\n1970-01-01T01:00:01+01:00,2,entry 1\n`;
    expect(await importFile(ada, csv, CSV)).toMatchObject({ imported: 0, skipped: 2 });
  });

  it('keeps equal lines without occurredAt apart by their line number', async () => {
    const file = toNdjson({ text: 'good day', mood: 7 }, { text: 'good day', mood: 7 });
    expect(await importFile(ada, file)).toMatchObject({ imported: 2, skipped: 0 });
    expect(await importFile(ada, file)).toMatchObject({ imported: 0, skipped: 2 });
  });

  it('imports a repeated line with occurredAt once', async () => {
    const [line = ''] = numberedLines(1);
    expect(await importFile(ada, line + line)).toMatchObject({ imported: 1, skipped: 1 });
  });

  it('keeps the first of two lines with one id, although batches are written concurrently', async () => {
    const [early, late] = ['00000000-0000-7000-8000-00000000000a', '00000000-0000-7000-8000-00000000000b'];
    const file = numberedLines(2 * BATCH_ROWS);
    file[0] = toNdjson({ id: early, text: 'what the first batch waits for', mood: 1 });
    file[1] = toNdjson({ id: late, text: 'the first', mood: 1 });
    file[BATCH_ROWS] = toNdjson({
      id: late,
      text: 'the second',
      mood: 2,
      occurredAt: '1980-01-01T00:00:00Z',
    });
    const other = new pg.Client(service.database.url);
    await other.connect();
    try {
      await other.query('BEGIN');
      await other.query(
        `INSERT INTO entries (id, user_id, text, search_text, mood) VALUES ($1, $2, 'not to stay', '', 1)`,
        [early, ada.account.userId],
      );
      const report = importFile(ada, file.join(''));
      await until('the first batch waits', async () => {
        // Not on the connection of the transaction, whose list of backends would not change.
        const rows = await service.database.query(
          `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
        );
        return rows.length > 0;
      });
      // As long as the second would need.
      await sleep(300);
      await other.query('ROLLBACK');
      expect(await report).toMatchObject({ imported: file.length - 1, skipped: 1 });
    } finally {
      await other.end();
    }
    expect((await ada.get(`/entries/${late}`)).body.text).toBe('the first');
  });

  it('completes an interrupted import, which has left complete batches', async () => {
    const file = numberedLines(8 * BATCH_ROWS + 200);
    const request = openRequest(ada, 'POST', '/entries/import', { 'content-type': NDJSON });
    request.write(file.slice(0, -1).join(''));
    await until(
      'eight batches are there',
      async () => (await countEntries(service.database, ada)) === 8 * BATCH_ROWS,
    );
    request.destroy();
    await until('its place is free', async () =>
      (await Promise.all([canExport(ada), canExport(ada)])).every(Boolean),
    );
    expect(await countEntries(service.database, ada)).toBe(8 * BATCH_ROWS);
    expect(await importFile(ada, file.join(''))).toMatchObject({ imported: 200, skipped: 8 * BATCH_ROWS });
    expect(await total()).toBe(file.length);
  });

  it('creates each entry once when two run at the same time', async () => {
    const file = numberedLines(10 * BATCH_ROWS);
    const reports = await Promise.all([
      importFile(ada, file.join('')),
      importFile(ada, file.toReversed().join('')),
    ]);
    const sum = (name: 'imported' | 'skipped') =>
      reports.map((report) => report[name]).reduce((a, b) => a + b);
    expect({ imported: sum('imported'), skipped: sum('skipped') }).toEqual({
      imported: file.length,
      skipped: file.length,
    });
    expect(await total()).toBe(file.length);
  });
});
