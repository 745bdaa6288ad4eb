import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { foldText, parseSearch } from './search-text.js';

describe('foldText', () => {
  it.each([
    ['Straße', 'strasse'],
    ['CAFÉ', 'cafe'],
    ['ΟΔΟΣ', 'οδοσ'],
    ['οδός', 'οδοσ'],
    ['İıIi', 'iiii'],
    ['ﬁn', 'fin'],
    ['ｶﾞ', 'カ'],
    ['a \t\r\n b', 'a b'],
    ['', ''],
  ])('folds %j to %j', (text, folded) => {
    expect(foldText(text)).toBe(folded);
  });

  it('does not change folded text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        expect(foldText(foldText(text))).toBe(foldText(text));
      }),
      { numRuns: 2000 },
    );
  });
});

describe('parseSearch', () => {
  it.each([
    ['river walk', ['%river%', '%walk%'], []],
    ['"By the River" -Rain', ['%by the river%'], ['%rain%']],
    ['-"at home" x', ['%x%'], ['%at home%']],
    ['100% a_b c\\d', ['%100\\%%', '%a\\_b%', '%c\\\\d%'], []],
    ['"unclosed phrase', ['%unclosed%', '%phrase%'], []],
    ['-', ['%-%'], []],
    ['--a', [], ['%-a%']],
    ['"', ['%"%'], []],
    ['""', [], []],
    ['   ', [], []],
  ])('%j searches for %j and not %j', (q, all, none) => {
    expect(parseSearch(q)).toEqual({ all, none });
  });

  it('takes any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 200 }), (q) => {
        const { all, none } = parseSearch(q);
        expect([...all, ...none].every((pattern) => /^%.+%$/s.test(pattern))).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });
});
