import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { Browser } from 'playwright-core';
import { describeWithChromium, startChromium } from '../harness/browser/chromium.js';
import { bumpRevision } from '../harness/entries/journal.js';
import type { ApiClient } from '../harness/http/client.js';
import { expectProblem } from '../harness/http/problem.js';
import { startService, type TestService } from '../harness/http/service.js';

const MOST_BYTES = 30_000;

let service: TestService;
/** Has an entry on every day of three years but each tenth. */
let ada: ApiClient;
beforeAll(async () => {
  service = await startService();
  ada = await service.signUp();
  await service.database.query(
    `INSERT INTO entries (id, user_id, text, search_text, mood, occurred_at)
     SELECT gen_random_uuid(), $1, 'a', 'a', 1 + day * 7 % 10, timestamptz '2024-01-01 12:00Z' + day * interval '1 day'
       FROM generate_series(0, 1095) AS day WHERE day % 10 <> 3`,
    [ada.account.userId],
  );
  await bumpRevision(service.database, ada.account.userId);
});
afterAll(() => service.close());

const chart = async (query = '', client = ada) => {
  const response = await client.get(`/entries/stats/chart.svg${query}`);
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toBe('image/svg+xml; charset=utf-8');
  return response.text;
};

describeWithChromium('GET /entries/stats/chart.svg', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await startChromium();
  });
  afterAll(() => browser.close());

  const render = async (svg: string, colorScheme: 'light' | 'dark' = 'light') => {
    const page = await browser.newPage({ colorScheme });
    await page.route('**/chart.svg', (route) => route.fulfill({ contentType: 'image/svg+xml', body: svg }));
    await page.goto('http://localhost/chart.svg');
    return page;
  };

  it.each(['', '?bucket=week', '?bucket=month', '?from=2026-05-01&to=2026-05-02', '?to=2024-03-01'])(
    'renders %j as one image of at most 30 kB, with a title, a description and a table',
    async (query) => {
      const svg = await chart(query);
      expect(Buffer.byteLength(svg)).toBeLessThanOrEqual(MOST_BYTES);
      const page = await render(svg);
      expect(await page.locator('parsererror').count()).toBe(0);
      expect(await page.evaluate('document.documentElement.getBoundingClientRect().width')).toBe(800);
      const [title, description] = await Promise.all(
        ['title', 'desc'].map((tag) =>
          page.evaluate<string>(`document.documentElement.querySelector('${tag}').textContent`),
        ),
      );
      expect(title).toMatch(/^Mood from \d{4}-\d\d-\d\d to \d{4}-\d\d-\d\d$/);
      expect(description).toMatch(/^[1-9]\d* entries, average mood \d/);
      const table = page.getByRole('table', { name: 'Entries and average mood by month' });
      expect(await table.getByRole('row').count()).toBe(3);
      await page.close();
    },
  );

  it('has a cell for each day of the calendar, and a month for each column of the table', async () => {
    const svg = await chart('?from=2026-05-01&to=2026-06-01');
    const paths = [...svg.matchAll(/<path d="([^"]*)" fill="var\(--(?:mood|grid)/g)];
    const cells = paths.reduce((sum, [, path = '']) => sum + path.split('M').length - 1, 0);
    expect(cells).toBe(31);
    const page = await render(svg);
    const texts = await page.getByRole('table').getByRole('columnheader').allTextContents();
    expect(texts).toEqual(['May 26']);
    expect(await page.getByRole('table').getByRole('cell').allTextContents()).toEqual(['28', '6.0']);
    await page.close();
  });

  it('is dark for readers who prefer it', async () => {
    const svg = await chart('?bucket=month');
    const paper = async (scheme: 'light' | 'dark') => {
      const page = await render(svg, scheme);
      const colour = await page.evaluate<string>("getComputedStyle(document.querySelector('rect')).fill");
      await page.close();
      return colour;
    };
    expect(await paper('light')).toBe('rgb(255, 255, 255)');
    expect(await paper('dark')).toBe('rgb(27, 27, 27)');
  });
});

describe('GET /entries/stats/chart.svg', () => {
  it('says so where there are no entries', async () => {
    expect(await chart('', await service.signUp())).toContain('<title id="title">Mood: no entries</title>');
  });

  it('returns 304 until an entry changes', async () => {
    const first = await ada.get('/entries/stats/chart.svg');
    const headers = { 'if-none-match': first.headers.get('etag')! };
    expect((await ada.get('/entries/stats/chart.svg', headers)).status).toBe(304);
    await ada.post('/entries', { text: 'a', mood: 1 });
    expect((await ada.get('/entries/stats/chart.svg', headers)).status).toBe(200);
  });

  it('refuses what the statistics refuse', async () => {
    expect(expectProblem(await ada.get('/entries/stats/chart.svg?bucket=hour'), 400).paths).toEqual([
      'bucket',
    ]);
    expectProblem(await ada.get('/entries/stats/chart.svg?timezone=Mars/Base'), 400);
    expectProblem(await service.anonymous.get('/entries/stats/chart.svg'), 401);
  });
});
