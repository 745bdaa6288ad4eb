import { describe, expect, it } from '@jest/globals';
import { text } from './text.schema.js';

const TOO_MANY = 'must have 2 to 5 characters';
const UNFIT = 'must not contain NUL or a lone surrogate';

function messagesOf(value: unknown): string[] {
  const parsed = text(2, 5).safeParse(value);
  return parsed.success ? [] : parsed.error.issues.map(({ message }) => message);
}

describe('text(2, 5)', () => {
  it.each([
    ['two letters', 'ab'],
    ['five letters', 'abcde'],
    ['five characters of two UTF-16 units', '😀😀😀😀😀'],
    ['a letter and an emoji', 'a😀'],
    ['spaces', '   '],
    ['control characters', '\u0001\u001f\u007f'],
    ['what Unicode has not assigned', '\uffff\u{10ffff}'],
  ])('takes %s, unchanged', (_what, value) => {
    expect(text(2, 5).parse(value)).toBe(value);
  });

  it.each([
    ['nothing', ''],
    ['one letter', 'a'],
    ['one emoji, though it is two UTF-16 units', '😀'],
    ['six letters', 'abcdef'],
    ['six emoji', '😀😀😀😀😀😀'],
    ['six characters in eleven units', 'a😀😀😀😀😀'],
    ['a million letters', 'a'.repeat(1_000_000)],
  ])('refuses %s', (_what, value) => {
    expect(messagesOf(value)).toEqual([TOO_MANY]);
  });

  it.each([
    ['NUL', 'a\u0000b'],
    ['a high surrogate alone', 'a\ud83d'],
    ['a low surrogate alone', '\ude00b'],
    ['two in the wrong order', '\ude00\ud83d'],
  ])('refuses %s', (_what, value) => {
    expect(messagesOf(value)).toEqual([UNFIT]);
  });

  it.each([null, undefined, 12, true, {}, ['ab']])('refuses %j, which is not a string', (value) => {
    expect(messagesOf(value)).toHaveLength(1);
  });

  it('counts characters as PostgreSQL does', () => {
    for (let letters = 0; letters <= 7; letters++) {
      for (let emoji = 0; emoji <= 7; emoji++) {
        const length = letters + emoji;
        const value = 'é'.repeat(letters) + '😀'.repeat(emoji);
        expect([value, messagesOf(value)]).toEqual([value, length >= 2 && length <= 5 ? [] : [TOO_MANY]]);
      }
    }
  });
});
