import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { startService, type TestService } from '../harness/http/service.js';
import type { ApiClient } from '../harness/http/client.js';
import { beginDownload, canExport, endOf, exportMarkdown } from '../harness/entries/transfer.js';
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

/** Creates entries with these instants and texts, in reverse order. */
async function write(timezone: string, texts: Readonly<Record<string, string>>): Promise<void> {
  await ada.patch('/users/me', { timezone });
  const entries = Object.entries(texts).map(([occurredAt, text]) => ({ text, mood: 5, occurredAt }));
  expect((await ada.post('/entries/bulk', { entries: entries.reverse() })).status).toBe(201);
}

describe('GET /entries/export?format=markdown', () => {
  it('downloads a zip with the headers of a file', async () => {
    for (const method of ['GET', 'HEAD']) {
      const { status, headers } = await ada.request(method, '/entries/export?format=markdown');
      expect([method, status]).toEqual([method, 200]);
      expect(headers.get('content-type')).toBe('application/zip');
      expect(headers.get('content-disposition')).toMatch(
        /^attachment; filename="entries-\d{4}-\d\d-\d\d\.zip"$/,
      );
      expect(headers.get('cache-control')).toBe('private, no-store');
    }
    expect(await canExport(ada)).toBe(true);
  });

  it('has one file per day with time, mood, category, tags and text of each entry', async () => {
    await ada.post('/entries/bulk', {
      entries: [
        { text: 'Soup.', mood: 4, occurredAt: '2026-03-01T21:05:00Z' },
        {
          text: 'Walked by the river.',
          mood: 8,
          category: 'long  weekend',
          tags: ['river', 'new york', 'c++'],
          occurredAt: '2026-03-01T08:30:59Z',
        },
        { text: 'Rain.', mood: 10, occurredAt: '2025-12-31T00:00:00Z' },
      ],
    });
    expect(await exportMarkdown(ada)).toEqual([
      ['2025/2025-12-31.md', '# 2025-12-31\n\n## 00:00 · mood 10/10 · general\n\nRain.\n'],
      [
        '2026/2026-03-01.md',
        '# 2026-03-01\n\n' +
          '## 08:30 · mood 8/10 · long weekend\n\n#c++ #new-york #river\n\nWalked by the river.\n\n' +
          '## 21:05 · mood 4/10 · general\n\nSoup.\n',
      ],
    ]);
  });

  it.each([
    '# Heading\n\n---\n* a\n',
    'a\r\nb\r\n',
    '😀 é\n\n\n',
    '    code',
    '  ',
    '```',
    '\ufeff#',
    '\n\n',
  ])('leaves a text as it is: %j', async (text) => {
    await write('UTC', { '2026-03-01T08:30:00Z': text, '2026-03-01T09:00:00Z': 'next' });
    const [[, file] = []] = await exportMarkdown(ada);
    const end = text.endsWith('\n') ? text : `${text}\n`;
    const heading = (time: string) => `## ${time} · mood 5/10 · general\n\n`;
    expect(file).toBe(`# 2026-03-01\n\n${heading('08:30')}${end}\n${heading('09:00')}next\n`);
  });

  it.each([
    [
      'skip an hour',
      'Europe/Vienna',
      {
        '2026-03-28T22:59:59Z': 'a',
        '2026-03-28T23:00:00Z': 'b',
        '2026-03-29T00:59:00Z': 'c',
        '2026-03-29T01:00:00Z': 'd',
        '2026-03-29T21:59:59Z': 'e',
        '2026-03-29T22:00:00Z': 'f',
      },
      {
        '2026/2026-03-28.md': '23:59 a',
        '2026/2026-03-29.md': '00:00 b, 01:59 c, 03:00 d, 23:59 e',
        '2026/2026-03-30.md': '00:00 f',
      },
    ],
    [
      'repeat an hour',
      'Europe/Vienna',
      {
        '2026-10-24T22:00:00Z': 'a',
        '2026-10-25T00:30:00Z': 'b',
        '2026-10-25T01:10:00Z': 'c',
        '2026-10-25T22:59:59Z': 'd',
        '2026-10-25T23:00:00Z': 'e',
      },
      {
        '2026/2026-10-25.md': '00:00 a, 02:30 b, 02:10 c, 23:59 d',
        '2026/2026-10-26.md': '00:00 e',
      },
    ],
    [
      'go back past midnight, so that the first day resumes in the file of the second',
      'America/St_Johns',
      { '2006-10-29T02:29:00Z': 'a', '2006-10-29T02:30:30Z': 'b', '2006-10-29T02:45:00Z': 'c' },
      { '2006/2006-10-28.md': '23:59 a', '2006/2006-10-29.md': '00:00 b, 23:15 c' },
    ],
    [
      'are in another year than UTC',
      'Pacific/Kiritimati',
      { '2025-12-31T12:00:00Z': 'a', '9999-12-31T12:00:00Z': 'b' },
      { '2026/2026-01-01.md': '02:00 a', '+010000/+010000-01-01.md': '02:00 b' },
    ],
  ])('has the days of the user when the clocks %s', async (_clocks, timezone, texts, days) => {
    await write(timezone, texts);
    const files = await exportMarkdown(ada);
    const found = files.map(([name, file]) => [
      name,
      [...file.matchAll(/^## (.{5}) .*\n\n(.*)$/gm)].map(([, time, text]) => `${time} ${text}`).join(', '),
    ]);
    expect(Object.fromEntries(found)).toEqual(days);
    expect(found).toEqual(Object.entries(days));
  });

  it('accepts the filters of GET /entries', async () => {
    await write('Asia/Tokyo', {
      '2026-03-01T14:59:59Z': 'before',
      '2026-03-01T15:00:00Z': 'within',
      '2026-03-02T14:59:59Z': 'within, last',
      '2026-03-02T15:00:00Z': 'after',
    });
    const files = await exportMarkdown(ada, '&from=2026-03-02&to=2026-03-03&q=within');
    expect(files.map(([name]) => name)).toEqual(['2026/2026-03-02.md']);
    expect(files[0]![1].match(/within.*/g)).toEqual(['within', 'within, last']);
    expect(await exportMarkdown(ada, '&mood=6')).toEqual([]);
  });

  it('contains no entry of the trash or of another user', async () => {
    const { id } = (await ada.post('/entries', { text: 'gone', mood: 5 })).body;
    await ada.delete(`/entries/${id}`);
    await (await service.signUp()).post('/entries', { text: 'hers', mood: 5 });
    expect(await exportMarkdown(ada)).toEqual([]);
  });

  it('has each entry of a long day once, in order of time and id', async () => {
    await service.database.query(
      `INSERT INTO entries (id, user_id, text, search_text, mood, occurred_at)
       SELECT gen_random_uuid(), $1, text, text, 5, timestamptz '2026-03-01 08:00Z' + n % 3 * interval '1 h'
         FROM generate_series(1, 2000) AS n, concat('entry ', n) AS text`,
      [ada.account.userId],
    );
    const rows = await service.database.query<{ text: string }>(
      'SELECT text FROM entries WHERE user_id = $1 ORDER BY occurred_at, id',
      [ada.account.userId],
    );
    const [[name, file] = [], ...others] = await exportMarkdown(ada);
    expect([name, others]).toEqual(['2026/2026-03-01.md', []]);
    expect(file!.match(/^entry \d+$/gm)).toEqual(rows.map(({ text }) => text));
  });

  it('reads no further than the client, and ends without its last chunk if it fails', async () => {
    // Half of it remains when it is compressed: more than the buffers of the sockets hold.
    await service.database.query(
      `INSERT INTO entries (id, user_id, text, search_text, mood)
       SELECT gen_random_uuid(), $1, text, '', 5
         FROM generate_series(1, 4000) AS n,
              LATERAL (SELECT string_agg(md5(concat(n, ' ', part)), '') AS text FROM generate_series(1, 300) AS part) AS random`,
      [ada.account.userId],
    );
    const response = await beginDownload(ada, '/entries/export?format=markdown');
    await until('nothing is under way', async () => {
      const busy = await service.database.query(
        `SELECT FROM pg_stat_activity WHERE datname = $1 AND application_name = 'entries' AND state <> 'idle'`,
        [service.database.name],
      );
      return busy.length === 0;
    });
    await service.database.query('ALTER TABLE entries RENAME COLUMN mood TO humour');
    try {
      expect(await endOf(response)).toBe('cut off');
    } finally {
      await service.database.query('ALTER TABLE entries RENAME COLUMN humour TO mood');
    }
    await until('another may begin', () => canExport(ada));
  });
});
