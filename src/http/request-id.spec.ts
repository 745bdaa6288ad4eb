import { describe, expect, it } from '@jest/globals';
import { UUID } from 'uuidv7';
import { requestIdOf } from './request-id.js';

function idFor(given?: string | string[]): string {
  return requestIdOf({ headers: { ...(given !== undefined && { 'x-request-id': given }) } });
}

describe('requestIdOf', () => {
  it.each(['a', 'A.b_c-9', 'x'.repeat(128)])('keeps %s', (given) => {
    expect(idFor(given)).toBe(given);
  });

  it.each<[string, string | string[] | undefined]>([
    ['there is none', undefined],
    ['it is empty', ''],
    ['it has 129 characters', 'x'.repeat(129)],
    ['it has a space', 'a b'],
    ['it would break a log line', 'a\nb'],
    ['it ends in a line end', 'a\n'],
    ['it has letters past ASCII', 'é'],
    ['it has markup', '<script>'],
    ['there are two', ['a', 'b']],
  ])('generates a UUIDv7 if %s', (_what, given) => {
    expect(UUID.parse(idFor(given)).getVersion()).toBe(7);
  });

  it('generates a new one each time', () => {
    expect(new Set(Array.from({ length: 100 }, () => idFor())).size).toBe(100);
  });
});
