import { describe, expect, it } from '@jest/globals';
import { nextLevel } from './process-events.js';

function steps(configured: string, count: number): string[] {
  const levels = [configured];
  for (let i = 0; i < count; i++) levels.push(nextLevel(levels.at(-1)!, configured));
  return levels;
}

describe('nextLevel', () => {
  it('is more verbose with each step, then starts again', () => {
    expect(steps('info', 4)).toEqual(['info', 'debug', 'trace', 'info', 'debug']);
  });

  it.each(['warn', 'error', 'fatal', 'silent'])(
    'leads back to %s where that was configured',
    (configured) => {
      expect(steps(configured, 4)).toEqual([configured, 'info', 'debug', 'trace', configured]);
    },
  );

  it('continues with info after trace, if trace was configured', () => {
    expect(steps('trace', 3)).toEqual(['trace', 'info', 'debug', 'trace']);
  });
});
