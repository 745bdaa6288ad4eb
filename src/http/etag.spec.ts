import { describe, expect, it } from '@jest/globals';
import { etagOf, noneMatchHolds, versionsToMatch } from './etag.js';

describe('etagOf', () => {
  it('is the version in quotes', () => {
    expect(etagOf(12)).toBe('"12"');
  });
});

describe('If-None-Match', () => {
  it.each([
    ['the tag', '"3"', true],
    ['the weak tag, for it compares weakly', 'W/"3"', true],
    ['a list with the tag in it', '"1", W/"2" ,"3"', true],
    ['a star', '*', true],
    ['a star with spaces', ' * ', true],
    ['another tag', '"4"', false],
    ['a tag that has the version in it', '"33"', false],
    ['a tag in no quotes', '3', false],
    ['nothing', '', false],
    ['no header', undefined, false],
  ])('of %s: %s holds for version 3 is %s', (_what, header, holds) => {
    expect(noneMatchHolds(header, 3)).toBe(holds);
  });
});

describe('If-Match', () => {
  it.each([
    ['no header', undefined, undefined],
    ['a star', ' * ', undefined],
    ['one tag', '"3"', [3]],
    ['a list', '"1","2", "3"', [1, 2, 3]],
    ['a weak tag, for it compares strongly', 'W/"3"', []],
    ['a weak tag among strong ones', '"1", W/"2", "3"', [1, 3]],
    ['a tag that is no version', '"abc"', []],
    ['a version written in another way', '"03", "3.0", "+3", "0x3"', []],
    ['version 0, which no row has', '"0"', []],
    ['the largest version that fits', '"2147483647"', [2_147_483_647]],
    ['a version past it, which PostgreSQL would refuse', '"2147483648", "9999999999"', []],
    ['a tag in no quotes', '3', []],
    ['nothing', '', []],
  ])('of %s: %s accepts the versions %j', (_what, header, versions) => {
    expect(versionsToMatch(header)).toEqual(versions);
  });
});
