import { describe, expect, it } from '@jest/globals';
import { nextLevel } from './process-events.js';

function steps(configured: string, count: number): string[] {
  const levels = [configured];
  for (let i = 0; i < count; i++) levels.push(nextLevel(levels.at(-1)!, configured));
  return levels;
}

describe('nextLevel', () => {
  it('tells more with each step, and begins again', () => {
    expect(steps('info', 4)).toEqual(['info', 'debug', 'trace', 'info', 'debug']);
  });

  it.each(['warn', 'error', 'fatal', 'silent'])(
    'leads back to %s where that was configured',
    (configured) => {
      expect(steps(configured, 4)).toEqual([configured, 'info', 'debug', 'trace', configured]);
    },
  );

  it('begins with info after trace, where that was configured', () => {
    expect(steps('trace', 3)).toEqual(['trace', 'info', 'debug', 'trace']);
  });
});
