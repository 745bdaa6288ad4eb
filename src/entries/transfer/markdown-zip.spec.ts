import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { strFromU8, unzipSync } from 'fflate';
import type { Entry } from '../entry-row.js';
import { MarkdownZip } from './markdown-zip.js';

const DAY_MS = 86_400_000;

function entryAt(time: number, text: string): Entry {
  const occurredAt = new Date(time).toISOString();
  const id = '01890a5d-ac96-774b-bcce-b302099a8057';
  return {
    id,
    text,
    mood: 5,
    category: 'general',
    tags: [],
    occurredAt,
    createdAt: occurredAt,
    updatedAt: occurredAt,
    version: 1,
  };
}

describe('a zip of Markdown', () => {
  // Each of them has had a change of the clocks that went back past midnight, or past a whole day.
  it.each([
    'America/St_Johns',
    'America/Juneau',
    'Asia/Manila',
    'Pacific/Kwajalein',
    'Pacific/Apia',
    '+01:00',
  ])('has each entry once, in order, in files with names of their own: %s', async (timezone) => {
    const changes = ['2006-10-29T02:31Z', '1867-10-19T00:00Z', '1844-12-31T00:00Z', '1892-07-05T00:00Z'];
    const time = fc
      .tuple(fc.constantFrom(...changes.map(Date.parse)), fc.integer({ min: -2 * DAY_MS, max: 2 * DAY_MS }))
      .map(([change, offset]) => change + offset);
    await fc.assert(
      fc.asyncProperty(fc.array(time, { minLength: 1, maxLength: 20 }), async (given) => {
        const times = given.sort((a, b) => a - b);
        const zip = new MarkdownZip(timezone);
        const pieces: Uint8Array[] = [];
        for (const [index, each] of times.entries())
          pieces.push(await zip.add([entryAt(each, `<${index}>`)]));
        pieces.push(zip.end());
        const files = Object.entries(unzipSync(Buffer.concat(pieces)));
        expect(files.map(([name]) => name)).toEqual(files.map(([name]) => name).sort());
        const text = files.map(([, file]) => strFromU8(file)).join('');
        expect(text.match(/<\d+>/g)).toEqual(times.map((_, index) => `<${index}>`));
      }),
    );
  });

  it.each([
    [
      'days',
      { files: 2, bytes: 1_000_000 },
      [entryAt(0, 'a'), entryAt(DAY_MS, 'a')],
      entryAt(2 * DAY_MS, 'a'),
    ],
    ['bytes', { files: 9, bytes: 1000 }, [entryAt(0, 'a'.repeat(500))], entryAt(0, 'a'.repeat(500))],
  ])('is refused when it has more %s than a zip can have', async (_unit, limits, entries, oneMore) => {
    const zip = new MarkdownZip('UTC', limits);
    await zip.add(entries);
    await expect(zip.add([oneMore])).rejects.toThrow('at most 65,535 days and 4 GiB');
  });

  it('is refused when its directory exceeds the limit', async () => {
    const zip = new MarkdownZip('UTC', { files: 9, bytes: 150 });
    await zip.add([entryAt(0, 'a')]);
    expect(() => zip.end()).toThrow('at most 65,535 days and 4 GiB');
  });
});
