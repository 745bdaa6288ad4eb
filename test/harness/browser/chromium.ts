import { existsSync } from 'node:fs';
import { describe } from '@jest/globals';
import { chromium, type Browser, type Page } from 'playwright-core';

/** Where Debian's package puts it; CHROMIUM_PATH names another. */
const PATH = process.env['CHROMIUM_PATH'] ?? '/usr/bin/chromium';

/** Left out where there is no Chromium; the reporter says so at the end. */
export const describeWithChromium = existsSync(PATH) ? describe : describe.skip;

export function startChromium(): Promise<Browser> {
  // Root, as CI often is, cannot have Chromium's sandbox. The only pages are our own.
  return chromium.launch({ executablePath: PATH, chromiumSandbox: process.getuid?.() !== 0 });
}

/** @returns what the page has complained of since, in its console: errors, and violations of its security policy */
export function complaintsOf(page: Page): readonly string[] {
  const complaints: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(error.message));
  return complaints;
}
