import { describe, expect, it } from '@jest/globals';
import {
  etagOf,
  hasValidator,
  matchesIfNoneMatch,
  preconditionOf,
  versionsToMatch,
  weakEtagOf,
} from './etag.js';

describe('etagOf', () => {
  it('is the version in quotes', () => {
    expect(etagOf(12)).toBe('"12"');
  });
});

describe('weakEtagOf', () => {
  it('is the validator in quotes, marked as weak', () => {
    expect(weakEtagOf('a-1')).toBe('W/"a-1"');
  });
});

describe('If-None-Match of a weak tag', () => {
  it.each([
    ['the tag', 'W/"a-1"', true],
    ['the same as a strong tag, for it compares weakly', '"a-1"', true],
    ['a list with the tag in it', '"x", W/"a-1"', true],
    ['a star', '*', true],
    ['another tag', 'W/"a-2"', false],
    ['a longer tag', 'W/"a-11"', false],
    ['a tag in no quotes', 'a-1', false],
    ['nothing', '', false],
  ])('of %s: %s matches a-1 is %s', (_what, header, matches) => {
    expect(hasValidator(header, 'a-1')).toBe(matches);
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
    ['a list with empty members', ',, "3" ,', true],
    ['a tag with more around it', 'x"3"', false],
    ['a list of which one is no tag', '"3", x', false],
    ['tags without a comma between', '"3" "4"', false],
    ['a quote that does not end', '"3", "', false],
    ['nothing', '', false],
    ['no header', undefined, false],
  ])('of %s: %s holds for version 3 is %s', (_what, header, holds) => {
    expect(matchesIfNoneMatch(header, 3)).toBe(holds);
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
    ['a weak tag of a small w, which is none', 'w/"3"', []],
    ['a list with empty members', ',"1" ,, "2",', [1, 2]],
    ['a comma in a tag', '"1,2", "3"', [3]],
    ['a list of which one is no tag', '"1", 2', []],
    ['a star among tags', '"1", *', []],
    ['many blanks', `${' '.repeat(16_000)}x`, []],
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

describe('the precondition of a change', () => {
  it.each([
    ['neither header', undefined, undefined, { noneOf: [] }],
    ['If-Match', '"1", W/"2"', undefined, { oneOf: [1], noneOf: [] }],
    ['If-None-Match, which compares weakly', undefined, '"1", W/"2"', { noneOf: [1, 2] }],
    ['If-None-Match: *, for there is a version', undefined, '*', { oneOf: [] }],
    ['both', '"1", "2"', '"2"', { oneOf: [1, 2], noneOf: [2] }],
    ['both, of which one lets none through', '*', '*', { oneOf: [] }],
  ])('of %s', (_what, ifMatch, ifNoneMatch, precondition) => {
    expect(preconditionOf(ifMatch, ifNoneMatch)).toEqual(precondition);
  });
});
