import { once } from 'node:events';
import { request as httpRequest, type ClientRequest, type IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { parse } from 'csv-parse/sync';
import fc from 'fast-check';
import pg from 'pg';
import { startApp, type TestApp } from '../harness/app.js';
import { ApiClient, type Answer } from '../harness/client.js';
import { expectProblem } from '../harness/problem.js';
import { Program } from '../harness/program.js';
import { until } from '../harness/until.js';

const NDJSON = 'application/x-ndjson';
const CSV = 'text/csv';

/** Of src/entries/transfer/entry-import.ts. */
const BATCH_ROWS = 500;

let service: TestApp;
let ada: ApiClient;
beforeAll(async () => {
  service = await startApp();
});
beforeEach(async () => {
  ada = await service.signUp();
});
afterAll(() => service.close());

function upload(body: string | Buffer, type = NDJSON, client = ada, headers = {}): Promise<Answer> {
  return client.post('/entries/import', body, { 'content-type': type, ...headers });
}

async function imported(body: string | Buffer, type = NDJSON, client = ada) {
  const { status, text, body: report } = await upload(body, type, client);
  if (status !== 200) throw new Error(`${status} ${text}`);
  return report;
}

const lines = (...values: unknown[]) => values.map((value) => `${JSON.stringify(value)}\n`).join('');

/** `count` lines, each an entry of its own without an id. */
function numbered(count: number, fields: object = {}): string[] {
  return Array.from({ length: count }, (_, n) =>
    lines({
      text: `entry ${n}`,
      mood: 1 + (n % 10),
      occurredAt: new Date(n * 1000).toISOString(),
      ...fields,
    }),
  );
}

async function exported(query = '', client = ada): Promise<string> {
  const { status, text } = await client.get(`/entries/export${query}`);
  expect(`${status} ${text}`).toMatch(/^200 /);
  return text;
}

// eslint-disable-next-line @typescript-eslint/no-explicit-any
async function exportedEntries(query = '', client = ada): Promise<any[]> {
  return (await exported(query, client))
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line));
}

async function total(client = ada): Promise<number> {
  return (await client.get('/entries')).body.total;
}

async function eraseEntries(client = ada): Promise<void> {
  await service.database.query('DELETE FROM entries WHERE user_id = $1', [client.account.userId]);
}

/** A request whose body or answer the test has in its own hands. */
function ask(method: string, path: string, headers = {}, { url, account } = ada): ClientRequest {
  const request = httpRequest(url + path, {
    method,
    agent: false,
    headers: { authorization: `Bearer ${account.accessToken}`, ...headers },
  });
  request.on('error', () => {});
  return request;
}

/** An export whose answer has begun, and of which nothing is read yet. */
async function beginExport(client = ada, path = '/entries/export'): Promise<IncomingMessage> {
  const request = ask('GET', path, {}, client);
  request.end();
  const [answer] = (await once(request, 'response')) as [IncomingMessage];
  return answer;
}

/** How the answer ends: with its last chunk, or cut off. */
async function endOf(answer: IncomingMessage): Promise<'whole' | 'cut off'> {
  answer.on('error', () => {}).resume();
  await new Promise((resolve) => answer.once('close', resolve));
  return answer.complete ? 'whole' : 'cut off';
}

/** More than the sockets' buffers take: 2000 entries, 20 MB. */
async function writeMuch(client = ada): Promise<void> {
  await service.database.query(
    `INSERT INTO entries (id, user_id, text, search_text, mood)
     SELECT gen_random_uuid(), $1, repeat('x', 10000), repeat('x', 10000), 5
       FROM generate_series(1, 2000)`,
    [client.account.userId],
  );
}

async function admitted(client = ada): Promise<boolean> {
  const { status } = await client.get('/entries/export?from=9000-01-01T00:00:00Z');
  if (status !== 429) expect(status).toBe(200);
  return status === 200;
}

describe('GET /entries/export', () => {
  it('is a download of an entry a line, by when they were created', async () => {
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
    expect(text).toBe(lines(first, second));
  });

  it('is CSV with a byte-order mark, for spreadsheets, when that is asked for', async () => {
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

  it('is empty where there is nothing', async () => {
    expect(await exported()).toBe('');
    expect(await exported('?format=csv')).toBe(
      'id,text,mood,category,tags,occurredAt,createdAt,updatedAt,version\r\n',
    );
  });

  it('leaves each character whole, wherever the pieces end in which it is sent', async () => {
    const texts = Array.from({ length: 12 }, (_, n) => 'a'.repeat(n % 2) + '😀'.repeat(9999));
    const { entries } = (
      await ada.post('/entries/bulk', { entries: texts.map((text) => ({ text, mood: 5 })) })
    ).body;
    expect(await exported()).toBe(lines(...entries));
  });

  it('takes the filters of the list', async () => {
    await imported(
      lines(
        { text: 'a', mood: 3, category: 'work', tags: ['x', 'y'], occurredAt: '2026-03-01T00:00:00Z' },
        { text: 'b', mood: 7, category: 'work', tags: ['x'], occurredAt: '2026-03-02T00:00:00Z' },
        { text: 'c', mood: 9, occurredAt: '2026-03-03T00:00:00Z' },
      ),
    );
    const texts = async (query: string) =>
      (await exportedEntries(query))
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
    'answers 400 to ?%s',
    async (query) => {
      expectProblem(await ada.get(`/entries/export?${query}`), 400);
    },
  );

  it('has nothing of the trash, nor of another user', async () => {
    const kept = (await ada.post('/entries', { text: 'kept', mood: 5 })).body;
    const { id } = (await ada.post('/entries', { text: 'gone', mood: 5 })).body;
    await ada.delete(`/entries/${id}`);
    await imported(lines({ text: 'hers', mood: 5 }), NDJSON, await service.signUp());
    expect(await exportedEntries()).toEqual([kept]);
  });

  it('answers HEAD as it answers GET, and reads no entry for it', async () => {
    const { status, headers, text } = await ada.request('HEAD', '/entries/export?format=csv');
    expect({ status, text }).toEqual({ status: 200, text: '' });
    expect(headers.get('content-disposition')).toMatch(/\.csv"$/);
    expect(await admitted()).toBe(true);
  });

  it('has each entry once, whatever is written while it is read', async () => {
    await writeMuch();
    const answer = await beginExport();
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
    for await (const chunk of answer.setEncoding('utf8')) text += String(chunk);
    expect(answer.complete).toBe(true);
    const ids = text
      .split('\n')
      .slice(0, -1)
      .map((line) => (JSON.parse(line) as { id: string }).id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(rows.filter(({ id }) => !ids.includes(id))).toEqual([]);
  });

  it('holds no connection of the pool while the client reads nothing, and lets two of a user be open', async () => {
    await writeMuch();
    const answers = [await beginExport(), await beginExport()];
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
    expectProblem(await upload(''), 429);
    const eve = await service.signUp();
    expect(await admitted(eve)).toBe(true);
    // One is read to its end, the other is left.
    expect(await endOf(answers[0]!)).toBe('whole');
    await until('one may begin', () => admitted());
    answers[1]!.destroy();
    await until('two may begin', async () => {
      const both = await Promise.all([admitted(), admitted()]);
      return both.every(Boolean);
    });
  });

  it('ends without its last chunk when it fails in the middle', async () => {
    await writeMuch();
    const answer = await beginExport();
    await service.database.query('ALTER TABLE entries RENAME COLUMN mood TO humour');
    try {
      expect(await endOf(answer)).toBe('cut off');
    } finally {
      await service.database.query('ALTER TABLE entries RENAME COLUMN humour TO mood');
    }
    await until('another may begin', () => admitted());
  });
});

describe('POST /entries/import', () => {
  it('answers 200 with what became of the lines, and the entries are there', async () => {
    expect(await total()).toBe(0);
    const { status, body } = await upload(
      lines(
        { text: 'a', mood: 7 },
        { text: 'b', mood: 8, category: ' Work', tags: ['Y', 'x'], occurredAt: '2026-03-01T08:30:00+01:00' },
      ),
    );
    expect({ status, body }).toEqual({
      status: 200,
      body: { imported: 2, skipped: 0, failed: 0, errors: [] },
    });
    expect(await total()).toBe(2);
    const { entries } = (await ada.get('/entries')).body;
    expect(entries).toMatchObject([
      { text: 'a', mood: 7, category: 'general', tags: [], version: 1 },
      { text: 'b', mood: 8, category: 'work', tags: ['x', 'y'], occurredAt: '2026-03-01T07:30:00.000Z' },
    ]);
    expect(entries[0].createdAt).toBe(entries[0].occurredAt);
  });

  it('says which lines are no entries and why, and writes the others', async () => {
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
    const report = await imported(given.join('\n'));
    expect(report).toMatchObject({ imported: 2, skipped: 0, failed: 11 });
    expect(report.errors.map(({ line }: { line: number }) => line)).toEqual([
      2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13,
    ]);
    expect(report.errors[0].message).toContain('mood: must be a whole number from 1 to 10');
    expect(report.errors[0].message).toContain('colour: is not a known field');
    expect(report.errors[1].message).toBe('is not valid JSON');
    expect((await exportedEntries()).map(({ text }) => text).sort()).toEqual(['a', 'e']);
  });

  it('refuses a line that is nested as deep as it may be long, and takes the next', async () => {
    const deep = '['.repeat(500_000) + ']'.repeat(500_000);
    const file = `{"text":${deep},"mood":5}\n${lines({ text: 'kept', mood: 5 })}`;
    expect(await imported(file)).toMatchObject({ imported: 1, failed: 1 });
  });

  it('tells the first 100 errors, and the number of all', async () => {
    const report = await imported('{}\n'.repeat(1500));
    expect(report).toMatchObject({ imported: 0, failed: 1500 });
    expect(report.errors).toHaveLength(100);
    expect(report.errors[99]).toEqual({ line: 100, message: expect.stringContaining('text: ') });
  });

  it('takes an entry of any length that there may be, and no line that is longer than a body', async () => {
    const report = await imported(
      lines(
        { text: '😀'.repeat(10_000), mood: 1 },
        { text: 'x'.repeat(1_048_577), mood: 1 },
        { text: 'b', mood: 1 },
      ),
    );
    expect(report).toEqual({
      imported: 2,
      skipped: 0,
      failed: 1,
      errors: [{ line: 2, message: 'is longer than 1048576 bytes' }],
    });
  });

  it('leaves out bytes that are no UTF-8, and NUL', async () => {
    const file = Buffer.concat([
      Buffer.from('text,mood\na,1\ncaf'),
      Buffer.from([0xe9]),
      Buffer.from(',2\nb\u0000,3\n"c\n\u0000",4\nd,5\n'),
    ]);
    const report = await imported(file, CSV);
    expect(report).toMatchObject({ imported: 2, failed: 3 });
    expect(report.errors.map(({ line }: { line: number }) => line)).toEqual([3, 4, 5]);
  });

  it('refuses CSV whose header it does not understand, and writes nothing', async () => {
    for (const file of [
      '',
      'text;mood\na;1\n',
      'text\na\n',
      'text,mood,weather\na,1,fair\n',
      'text,mood,mood\na,1,1',
    ]) {
      expectProblem(await upload(file, CSV), 422);
    }
    expect(await total()).toBe(0);
  });

  it('takes an empty file of lines, and one without a body', async () => {
    const nothing = { imported: 0, skipped: 0, failed: 0, errors: [] };
    expect(await imported('')).toEqual(nothing);
    expect(await imported('\n\n')).toEqual(nothing);
    expect(await imported('text,mood\r\n', CSV)).toEqual(nothing);
  });

  it.each([
    'application/json',
    'text/plain',
    'text/csv; charset=iso-8859-1',
    'multipart/form-data; boundary=a',
  ])('answers 415 to %s', async (type) => {
    expectProblem(await upload('{"text":"a","mood":1}', type), 415);
  });

  it.each([NDJSON, 'application/x-ndjson; charset="UTF-8"', 'TEXT/CSV; header=present; charset=us-ascii'])(
    'takes %s',
    async (type) => {
      const file = type === NDJSON || type.startsWith(NDJSON) ? '{"text":"a","mood":1}' : 'text,mood\na,1';
      expect(await imported(file, type)).toMatchObject({ imported: 1 });
    },
  );

  it('answers 415 to what is compressed: a small body stays a small body', async () => {
    const bomb = gzipSync(Buffer.alloc(50_000_000, '\n'));
    expectProblem(await upload(bomb, NDJSON, ada, { 'content-encoding': 'gzip' }), 415);
  });

  it.each(['/entries', '/entries/bulk', '/auth/login'])(
    'is the one to take CSV: %s answers 415',
    async (path) => {
      expectProblem(await ada.post(path, 'text,mood\n', { 'content-type': CSV }), 415);
      expectProblem(await ada.post(path, '{}', { 'content-type': NDJSON }), 415);
    },
  );

  it('answers 401 without a token, and to a user who was erased meanwhile', async () => {
    expectProblem(await service.anonymous.post('/entries/import', '{}', { 'content-type': NDJSON }), 401);
    await service.database.query('DELETE FROM users WHERE id = $1', [ada.account.userId]);
    expectProblem(await upload(lines({ text: 'a', mood: 1 })), 401);
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
  ])('gives the same export again, byte for byte: %s', async (format, type) => {
    await fc.assert(
      fc.asyncProperty(fc.array(entry, { minLength: 1, maxLength: 30 }), async (entries) => {
        const { status, text } = await ada.post('/entries/bulk', { entries });
        expect([status, status === 201 ? '' : text]).toEqual([201, '']);
        const [first] = JSON.parse(text).entries;
        await ada.patch(`/entries/${first.id}`, { mood: 11 - first.mood });
        const file = await exported(`?format=${format}`);
        expect(await imported(file, type)).toEqual({
          imported: 0,
          skipped: entries.length,
          failed: 0,
          errors: [],
        });
        await eraseEntries();
        expect(await imported(file, type)).toMatchObject({ imported: entries.length, errors: [] });
        expect(await exported(`?format=${format}`)).toBe(file);
        await eraseEntries();
      }),
      { numRuns: 12 },
    );
  });

  it('skips what is there, as it is now, and in the trash too', async () => {
    await imported(numbered(3).join(''));
    const file = await exported();
    const [first, second] = await exportedEntries();
    await ada.patch(`/entries/${first.id}`, { text: 'changed' });
    await ada.delete(`/entries/${second.id}`);
    expect(await imported(file)).toMatchObject({ imported: 0, skipped: 3 });
    expect((await ada.get(`/entries/${first.id}`)).body.text).toBe('changed');
    expect(await total()).toBe(2);
  });

  it('by another user is another’s: it neither changes nor tells what the first one has', async () => {
    await imported(numbered(3).join(''));
    const file = await exported();
    const [first] = await exportedEntries();
    const eve = await service.signUp();
    const forged = file.replaceAll('entry ', 'eve ');
    expect(await imported(forged, NDJSON, eve)).toEqual({ imported: 3, skipped: 0, failed: 0, errors: [] });
    expect(await exported()).toBe(file);
    expectProblem(await eve.get(`/entries/${first.id}`), 404);
    const hers = await exportedEntries('', eve);
    expect(hers.map(({ text }) => text).sort()).toEqual(['eve 0', 'eve 1', 'eve 2']);
    expect(await imported(forged, NDJSON, eve)).toMatchObject({ imported: 0, skipped: 3 });
    expect(await imported(await exported('', eve), NDJSON, eve)).toMatchObject({ imported: 0, skipped: 3 });
  });
});

describe('an import that is sent again', () => {
  it('adds nothing, though no line has an id: in another order and format neither', async () => {
    const file = numbered(50);
    expect(await imported(file.join(''))).toMatchObject({ imported: 50, skipped: 0 });
    expect(await imported(file.join(''))).toMatchObject({ imported: 0, skipped: 50 });
    expect(await imported(file.toReversed().join(''))).toMatchObject({ imported: 0, skipped: 50 });
    const csv = `occurredAt,mood,text\n1970-01-01T00:00:00Z,1,entry 0\n1970-01-01T01:00:01+01:00,2,entry 1\n`;
    expect(await imported(csv, CSV)).toMatchObject({ imported: 0, skipped: 2 });
  });

  it('tells apart lines of one content by where they stand, as long as they do not say when they were', async () => {
    const file = lines({ text: 'good day', mood: 7 }, { text: 'good day', mood: 7 });
    expect(await imported(file)).toMatchObject({ imported: 2, skipped: 0 });
    expect(await imported(file)).toMatchObject({ imported: 0, skipped: 2 });
  });

  it('takes a line that stands in a file twice for one entry', async () => {
    const [line = ''] = numbered(1);
    expect(await imported(line + line)).toMatchObject({ imported: 1, skipped: 1 });
  });

  it('takes the first of two lines with one id, though batches are written side by side', async () => {
    const [early, late] = ['00000000-0000-7000-8000-00000000000a', '00000000-0000-7000-8000-00000000000b'];
    const file = numbered(2 * BATCH_ROWS);
    file[0] = lines({ id: early, text: 'what the first batch waits for', mood: 1 });
    file[1] = lines({ id: late, text: 'the first', mood: 1 });
    file[BATCH_ROWS] = lines({ id: late, text: 'the second', mood: 2, occurredAt: '1980-01-01T00:00:00Z' });
    const other = new pg.Client(service.database.url);
    await other.connect();
    try {
      await other.query('BEGIN');
      await other.query(
        `INSERT INTO entries (id, user_id, text, search_text, mood) VALUES ($1, $2, 'not to stay', '', 1)`,
        [early, ada.account.userId],
      );
      const report = imported(file.join(''));
      await until('the first batch waits', async () => {
        const { rows } = await other.query(
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

  it('completes what a cut connection left, which is whole batches', async () => {
    const file = numbered(8 * BATCH_ROWS + 200);
    const request = ask('POST', '/entries/import', { 'content-type': NDJSON });
    request.write(file.slice(0, -1).join(''));
    await until('eight batches are there', async () => (await storedBy(ada)) === 8 * BATCH_ROWS);
    request.destroy();
    await until('its place is free', async () =>
      (await Promise.all([admitted(), admitted()])).every(Boolean),
    );
    expect(await storedBy(ada)).toBe(8 * BATCH_ROWS);
    expect(await imported(file.join(''))).toMatchObject({ imported: 200, skipped: 8 * BATCH_ROWS });
    expect(await total()).toBe(file.length);
  });

  it('at the same time writes each entry once', async () => {
    const file = numbered(10 * BATCH_ROWS);
    const reports = await Promise.all([imported(file.join('')), imported(file.toReversed().join(''))]);
    const sum = (name: string) => reports.map((report) => Number(report[name])).reduce((a, b) => a + b);
    expect({ imported: sum('imported'), skipped: sum('skipped') }).toEqual({
      imported: file.length,
      skipped: file.length,
    });
    expect(await total()).toBe(file.length);
  });
});

async function storedBy(client: ApiClient): Promise<number> {
  const [row] = await service.database.query<{ count: number }>(
    'SELECT count(*)::int FROM entries WHERE user_id = $1',
    [client.account.userId],
  );
  return row!.count;
}

describe('SIGTERM', () => {
  let program: Program;
  let client: ApiClient;
  const start = async (environment = {}) => {
    program = Program.start({ DATABASE_URL: service.database.url, ...environment });
    client = await new ApiClient(await program.listening()).signUp();
    await writeMuch(client);
  };
  afterEach(() => program.stop('SIGKILL'));

  it('lets downloads that are read be whole, an import be finished, and the process exits 0', async () => {
    await start();
    const downloads = [await beginExport(client), await beginExport(client, '/users/me/export')];
    const upload = await beginImport(client);
    program.process.kill('SIGTERM');
    await program.said(/finishing what is under way/);
    expect(await Promise.all(downloads.map(endOf))).toEqual(['whole', 'whole']);
    upload.end(numbered(1, { text: 'the last' }).join(''));
    const [answer] = (await once(upload, 'response')) as [IncomingMessage];
    expect(answer.statusCode).toBe(200);
    answer.resume();
    expect(await program.exited).toEqual({ code: 0, signal: null });
    expect(await storedBy(client)).toBe(2000 + BATCH_ROWS + 1);
  });

  it('cuts downloads that nobody reads and ends an import with 503 in time, and the process exits 0', async () => {
    await start({ SHUTDOWN_TIMEOUT_MS: '2000' });
    const downloads = [await beginExport(client), await beginExport(client, '/users/me/export')];
    const upload = await beginImport(client);
    upload.write('{"text": "half a');
    program.process.kill('SIGTERM');
    const [refusal] = (await once(upload, 'response')) as [IncomingMessage];
    expect(refusal.statusCode).toBe(503);
    refusal.resume();
    expect(await program.exited).toEqual({ code: 0, signal: null });
    expect(await Promise.all(downloads.map(endOf))).toEqual(['cut off', 'cut off']);
    expect(await storedBy(client)).toBe(2000 + BATCH_ROWS);
    const { lines } = program;
    const detail = 'The service is shutting down; what it has taken stays, and the request can be sent again';
    const told = { level: 'warn', requestId: expect.any(String), userId: client.account.userId };
    expect(lines.filter(({ msg }) => msg?.startsWith('an answer is broken off'))).toEqual([
      expect.objectContaining({ ...told, msg: `an answer is broken off: ${detail}` }),
      expect.objectContaining({ ...told, msg: `an answer is broken off: ${detail}` }),
    ]);
    expect(lines.find(({ status }) => status === 503)).toMatchObject({ ...told, refusal: detail });
    expect(lines.filter(({ level }) => level === 'error')).toEqual([]);
  });

  it('cuts a download at once when it comes twice, and says that it was open', async () => {
    await start();
    const download = await beginExport(client);
    program.process.kill('SIGTERM');
    await program.said(/finishing what is under way/);
    expect(await program.stop()).toEqual({ code: 1, signal: null });
    expect(await endOf(download)).toBe('cut off');
    expect(program.stdout).toMatch(/SIGTERM again: .*still open: GET \/entries\/export \(\d+ ms\)/);
  });
});

/** An import of which one batch is written, and that goes on. */
async function beginImport(client: ApiClient): Promise<ClientRequest> {
  const before = await storedBy(client);
  const request = ask('POST', '/entries/import', { 'content-type': NDJSON }, client);
  request.write(numbered(BATCH_ROWS).join(''));
  await until('a batch is there', async () => (await storedBy(client)) === before + BATCH_ROWS);
  return request;
}
