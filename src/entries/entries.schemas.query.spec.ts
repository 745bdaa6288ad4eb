import { describe, expect, it } from '@jest/globals';
import { EntryCreateSchema, EntryListQuerySchema } from './entries.schemas.js';

const list = (query: object) => EntryListQuerySchema.parse(query);

/** `path: message` of each fault. */
function listFaults(query: object): string[] {
  const issues = EntryListQuerySchema.safeParse(query).error?.issues ?? [];
  return issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
}

describe('the query of GET /entries', () => {
  it('returns 20 entries, newest first, by default', () => {
    expect(list({})).toEqual({ limit: 20, sort: '-occurredAt' });
  });

  it('refuses an unknown parameter', () => {
    const { error } = EntryListQuerySchema.safeParse({ limt: '5' });
    expect(error?.issues).toMatchObject([{ code: 'unrecognized_keys', keys: ['limt'] }]);
  });

  describe('limit', () => {
    it.each([
      ['1', 1],
      ['100', 100],
    ])('may be %s', (given, limit) => {
      expect(list({ limit: given }).limit).toBe(limit);
    });

    it.each(['0', '101', '-1', 'abc', '', ' ', '5.5', 'NaN', 'Infinity', '5;', ['5', '6']])(
      'may not be %j',
      (limit) => {
        expect(listFaults({ limit })).toEqual(['limit: must be a whole number from 1 to 100']);
      },
    );
  });

  describe('page', () => {
    it.each([
      ['1', '20'],
      ['500', '20'],
      ['100', '100'],
      ['10000', '1'],
    ])('may be %s with a limit of %s', (page, limit) => {
      expect(list({ page, limit })).toMatchObject({ page: Number(page), limit: Number(limit) });
    });

    it.each([
      ['501', '20'],
      ['101', '100'],
      ['10001', '1'],
      ['9007199254740991', '100'],
    ])('may not be %s with a limit of %s', (page, limit) => {
      expect(listFaults({ page, limit })).toEqual([
        'page: page × limit must be at most 10000; use cursor for more',
      ]);
    });

    it.each(['0', '-1', 'abc', '', '1.5', ['1', '2']])('may not be %j', (page) => {
      expect(listFaults({ page })).toEqual(['page: must be a whole number from 1']);
    });

    it('is refused together with cursor', () => {
      expect(listFaults({ page: '1', cursor: 'abc' })).toEqual(['page: must not be used with cursor']);
    });
  });

  describe('cursor', () => {
    it('is accepted unchanged', () => {
      expect(list({ cursor: 'abc' }).cursor).toBe('abc');
    });

    it.each(['', 'x'.repeat(513), ['a', 'b']])('may not be %j', (cursor) => {
      expect(listFaults({ cursor })).toHaveLength(1);
    });
  });

  describe('sort', () => {
    it.each(['-occurredAt', 'occurredAt', '-createdAt', 'createdAt'])('may be %s', (sort) => {
      expect(list({ sort }).sort).toBe(sort);
    });

    it.each([
      '',
      'mood',
      'occurredat',
      '--occurredAt',
      '+occurredAt',
      'id; DROP TABLE entries',
      ['createdAt', 'createdAt'],
    ])('may not be %j', (sort) => {
      expect(listFaults({ sort })).toEqual(['sort: must be -occurredAt, occurredAt, -createdAt, createdAt']);
    });
  });

  describe('filters', () => {
    it('match the text that was written with them', () => {
      const written = EntryCreateSchema.parse({
        ...{ text: 'Walked.', mood: 7 },
        ...{ category: ' CAFE\u0301 ', tags: [' River', 'WALK'] },
      });
      expect(list({ category: 'Caf\u00e9', tag: ['walk', ' RIVER '] })).toMatchObject({
        category: written.category,
        tag: written.tags,
      });
    });

    it('accept one or several tags, which are made unique and sorted, because the cursor depends on them', () => {
      expect(list({ tag: 'River' }).tag).toEqual(['river']);
      expect(list({ tag: ['b', 'a', 'B'] }).tag).toEqual(['a', 'b']);
    });

    it('take 20 tags and no more', () => {
      const tag = Array.from({ length: 20 }, (_, index) => `tag ${index}`);
      expect(list({ tag }).tag).toHaveLength(20);
      expect(listFaults({ tag: [...tag, 'one more'] })).toEqual(['tag: must be given at most 20 times']);
    });

    it.each([
      ['', 'tag: must have 1 to 50 characters'],
      ['x'.repeat(51), 'tag: must have 1 to 50 characters'],
      ['a\u0000', 'tag: must not contain NUL or a lone surrogate'],
      [['river', ' '], 'tag.1: must have 1 to 50 characters'],
    ])('refuse the tag %j', (tag, fault) => {
      expect(listFaults({ tag })).toEqual([fault]);
    });

    it.each(['', ' ', 'x'.repeat(51), 'a\u0000', ['a', 'b']])('refuse the category %j', (category) => {
      expect(listFaults({ category })).toHaveLength(1);
    });

    it.each(['mood', 'moodMin', 'moodMax'])('take %s from 1 to 10', (name) => {
      expect(list({ [name]: '1' })).toMatchObject({ [name]: 1 });
      expect(list({ [name]: '10' })).toMatchObject({ [name]: 10 });
      for (const value of ['0', '11', '5.5', 'five', '', ['5', '6']]) {
        expect(listFaults({ [name]: value })).toEqual([`${name}: must be a whole number from 1 to 10`]);
      }
    });

    it.each(['from', 'to'])('accept an instant with an offset, or a date, for %s', (name) => {
      const fault = `${name}: must be an ISO 8601 instant, such as 2026-03-01T08:30:00Z, or a date, such as 2026-03-01`;
      expect(list({ [name]: '2026-03-01' })).toMatchObject({ [name]: '2026-03-01' });
      expect(list({ [name]: '2026-03-01T08:30:00+02:00' })).toMatchObject({
        [name]: '2026-03-01T06:30:00.000Z',
      });
      const values = [
        ['', 'now', '2026-02-30', '0000-06-01T00:00:00Z', '2026-03-01T08:30:00 02:00'],
        [['2026-03-01T08:30:00Z', '']],
      ].flat();
      for (const value of values) expect(listFaults({ [name]: value })).toEqual([fault]);
    });

    it('keep one order, which cursors depend on', () => {
      const filters = {
        q: 'walk',
        category: 'health',
        tag: ['river'],
        mood: 5,
        moodMin: 1,
        moodMax: 10,
        from: '2026-03-01T00:00:00.000Z',
        to: '2026-04-01T00:00:00.000Z',
      };
      const shuffled = Object.fromEntries(Object.entries(filters).reverse());
      const query = list({ ...shuffled, sort: 'createdAt', page: '2', limit: '5' });
      expect(JSON.stringify(query)).toBe(
        JSON.stringify({ limit: 5, page: 2, sort: 'createdAt', ...filters }),
      );
    });
  });
});
