import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Progress } from './progress.js';

beforeEach(() => {
  jest.useFakeTimers({ now: 0 });
});
afterEach(() => {
  jest.useRealTimers();
});

function drawn(
  isTTY: boolean,
  total: number | undefined,
  steps: readonly (readonly [ms: number, done: number])[],
) {
  const written: string[] = [];
  const progress = new Progress({ isTTY, write: (text) => written.push(text) }, total);
  for (const [ms, done] of steps) {
    jest.setSystemTime(ms);
    progress.update(done, done * 10);
  }
  progress.end();
  return written.map((text) => text.replace('\r\x1b[2K', ''));
}

describe('the progress of a transfer', () => {
  it('draws a bar on a terminal, at most ten times a second', () => {
    const steps = [
      [1000, 50],
      [1001, 51],
      [2000, 100],
    ] as const;
    expect(drawn(true, 100, steps)).toEqual([
      `[${'='.repeat(15)}${' '.repeat(15)}]  50 %  500 entries, 500/s`,
      `[${'='.repeat(30)}] 100 %  1,000 entries, 500/s`,
      '',
    ]);
  });

  it('draws no bar if the total is unknown', () => {
    expect(drawn(true, undefined, [[1000, 50]])).toEqual(['500 entries, 500/s', '']);
  });

  it('draws nothing without a terminal', () => {
    expect(drawn(false, 100, [[1000, 50]])).toEqual([]);
  });
});
