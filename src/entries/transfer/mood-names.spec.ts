import { describe, expect, it } from '@jest/globals';
import { moodless, MoodNames, parseMoods } from './mood-names.js';

const moodsOf = (given: string) => new MoodNames(parseMoods(given));

describe('?moods=', () => {
  it.each([
    ['rad:10', { rad: 10 }],
    ['Rad:10, GOOD : 8 ', { rad: 10, good: 8 }],
    ['*:5', { '*': 5 }],
    ['12:30:7', { '12:30': 7 }],
    ['so so:6,größe:1', { 'so so': 6, größe: 1 }],
    ['a:1,a:2', { a: 2 }],
    ['__proto__:3', Object.fromEntries([['__proto__', 3]])],
  ])('%j is read', (given, values) => {
    expect(Object.fromEntries(parseMoods(given) ?? [])).toEqual(values);
  });

  it.each(['', 'rad', 'rad:', ':5', ' :5', 'rad:0', 'rad:11', 'rad:5.5', 'rad:-1', 'rad:5,', 'rad:5;good'])(
    '%j is refused',
    (given) => {
      expect(parseMoods(given)).toBeUndefined();
    },
  );
});

describe('the mood of a name', () => {
  it('is the one that the user gives, then the one of the file, then the default', () => {
    const moods = moodsOf('good:9,*:5');
    expect(moods.valueOf('good', 8)).toBe(9);
    expect(moods.valueOf('bad', 4)).toBe(4);
    expect(moods.valueOf('odd')).toBe(5);
    expect(moods.valueOf('')).toBe(5);
    expect(moods.unknownNames).toBeUndefined();
  });

  it('is found in any case, with any spaces around it, and in any composition of its letters', () => {
    expect(moodsOf('Größe:7').valueOf(' GRO\u0308SSE '.replace('SS', 'ß'))).toBe(7);
  });

  it('is not guessed: names without one are counted', () => {
    const moods = moodsOf('rad:10');
    for (const name of ['odd', 'Odd', 'odd', '', '__proto__']) expect(moods.valueOf(name)).toBeUndefined();
    expect(moods.unknownNames).toEqual(
      Object.fromEntries([
        ['odd', 2],
        ['Odd', 1],
        ['', 1],
        ['__proto__', 1],
      ]),
    );
  });

  it('is reported for the first 100 names, with their first 50 characters', () => {
    const moods = new MoodNames();
    for (let name = 0; name < 200; name += 1) moods.valueOf(`${name} ${'x'.repeat(1000)}`);
    moods.valueOf(`0 ${'x'.repeat(2000)}`);
    const names = Object.entries(moods.unknownNames ?? {});
    expect(names).toHaveLength(100);
    expect(names[0]).toEqual([`0 ${'x'.repeat(48)}`, 2]);
    expect(moodless('y'.repeat(1000))).toBe(
      `mood "${'y'.repeat(50)}" has no value: set it with ?moods=${'y'.repeat(50)}:5`,
    );
  });
});
