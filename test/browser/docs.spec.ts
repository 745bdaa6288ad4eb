import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { Browser, Page } from 'playwright-core';
import { complaintsOf, describeWithChromium, startChromium } from '../harness/browser/chromium.js';
import { startService, type TestService } from '../harness/http/service.js';

describeWithChromium('the page /docs', () => {
  let service: TestService;
  let browser: Browser;
  beforeAll(async () => {
    [service, browser] = await Promise.all([startService(), startChromium()]);
  });
  afterAll(() => Promise.all([service.close(), browser.close()]));

  /** Opens an operation, sends the body by "Try it out", and returns the status and body of the response. */
  async function tryOut(page: Page, method: string, path: string, body: unknown) {
    const operation = page
      .locator(`.opblock-${method}`)
      .filter({ has: page.locator(`[data-path="${path}"]`) });
    await operation.locator('.opblock-summary-control').click();
    await operation.getByRole('button', { name: 'Try it out' }).click();
    await operation.locator('textarea.body-param__text').fill(JSON.stringify(body));
    await operation.getByRole('button', { name: 'Execute' }).click();
    const response = operation.locator('.live-responses-table tr.response');
    const [status, text] = await Promise.all([
      response.locator('.response-col_status').textContent(),
      response.locator('.response-col_description pre').first().textContent(),
    ]);
    return { status, body: JSON.parse(text ?? '') as Record<string, unknown> };
  }

  it('registers, authorizes, and creates entries, also after a reload, without a complaint', async () => {
    const page = await browser.newPage();
    const complaints = complaintsOf(page);
    await page.goto(`${service.url}/docs`);
    const registered = await tryOut(page, 'post', '/auth/register', {
      email: 'ada@example.com',
      password: 'correct horse battery staple',
    });
    expect(registered.status).toMatch(/^201/);

    await page.locator('.auth-wrapper .authorize').click();
    await page.locator('.auth-container input').fill(String(registered.body['accessToken']));
    await page.locator('.auth-container button.authorize').click();
    await page.locator('.auth-container .btn-done').click();
    const created = await tryOut(page, 'post', '/entries', { text: 'Walked by the river.', mood: 8 });
    expect(created.status).toMatch(/^201/);
    expect(created.body).toMatchObject({ text: 'Walked by the river.', version: 1 });

    // Not by page.reload: the address names the operation that is open, which would be so again.
    await page.goto('about:blank');
    await page.goto(`${service.url}/docs`);
    expect((await tryOut(page, 'post', '/entries', { text: 'And again.', mood: 9 })).status).toMatch(/^201/);
    expect(complaints).toEqual([]);
  });
});
