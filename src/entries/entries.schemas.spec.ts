import { describe, expect, it } from '@jest/globals';
import type * as z from 'zod';
import { EntryCreateSchema, EntryIdSchema, EntryPatchSchema } from './entries.schemas.js';

const LEAST = { text: 'Walked by the river.', mood: 7 };

const MOOD = 'must be a whole number from 1 to 10';
const INSTANT = 'must be an ISO 8601 instant, such as 2026-03-01T08:30:00Z';
const UNFIT = 'must not contain NUL or a lone surrogate';

/** `path: message` of each fault. */
function faultsOf(schema: z.ZodType, value: unknown): string[] {
  const parsed = schema.safeParse(value);
  return parsed.success
    ? []
    : parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
}

const create = (fields: object) => EntryCreateSchema.parse({ ...LEAST, ...fields });
const createFaults = (fields: object) => faultsOf(EntryCreateSchema, { ...LEAST, ...fields });

describe('the body of POST /entries', () => {
  it('needs a text and a mood', () => {
    expect(create({})).toEqual({ ...LEAST, category: 'general', tags: [] });
    expect(faultsOf(EntryCreateSchema, {}).map((fault) => fault.split(':')[0])).toEqual(['text', 'mood']);
  });

  it.each([null, undefined, [], 'text', 7, [LEAST]])('is not %j', (body) => {
    expect(faultsOf(EntryCreateSchema, body)).toHaveLength(1);
  });

  it.each(['id', 'version', 'createdAt', 'userId', 'Text', 'constructor'])('has no field %s', (name) => {
    const { error } = EntryCreateSchema.safeParse({ ...LEAST, [name]: 'x' });
    expect(error?.issues).toMatchObject([{ code: 'unrecognized_keys', keys: [name] }]);
  });

  it('has no field __proto__, even if JSON contains one', () => {
    const body: unknown = JSON.parse('{"text":"x","mood":7,"__proto__":{"category":"health"}}');
    expect(EntryCreateSchema.safeParse(body)).not.toMatchObject({ data: { category: 'health' } });
  });

  describe('text', () => {
    it.each([
      ['one character', 'x'],
      ['10 000 characters', 'x'.repeat(10_000)],
      ['10 000 emoji, 20 000 UTF-16 units', '😀'.repeat(10_000)],
      ['white space around it, which is kept', '  x\n'],
      ['line ends, tabs and markup', '<b>a</b>\r\n\tb'],
    ])('may have %s', (_what, text) => {
      expect(create({ text }).text).toBe(text);
    });

    it.each([
      ['nothing', ''],
      ['10 001 characters', 'x'.repeat(10_001)],
      ['10 001 emoji', '😀'.repeat(10_001)],
      ['10 001 characters, an emoji among them', `😀${'x'.repeat(10_000)}`],
    ])('may not have %s', (_what, text) => {
      expect(createFaults({ text })).toEqual(['text: must have 1 to 10000 characters']);
    });

    it.each(['a\u0000b', '\u0000', 'a\ud800', '\udc00a'])('may not be %j', (text) => {
      expect(createFaults({ text })).toEqual([`text: ${UNFIT}`]);
    });

    it.each([null, 7, true, ['x'], { x: 1 }])('may not be %j', (text) => {
      expect(createFaults({ text })).toHaveLength(1);
    });
  });

  describe('mood', () => {
    it.each([1, 5, 10, 7.0])('may be %d', (mood) => {
      expect(create({ mood }).mood).toBe(mood);
    });

    it.each([0, 11, -1, 5.5, 0.9999999, 10.0000001, 1e21, Infinity, NaN, '5', '', null, true, [5], {}])(
      'may not be %p',
      (mood) => {
        expect(new Set(createFaults({ mood }))).toEqual(new Set([`mood: ${MOOD}`]));
      },
    );
  });

  describe('category', () => {
    it.each([
      ['Health', 'health'],
      ['  two words \t', 'two words'],
      ['\u00a0\ufeffhealth\u2003', 'health'],
      ['x'.repeat(50), 'x'.repeat(50)],
      [` ${'X'.repeat(50)} `, 'x'.repeat(50)],
      ['😀'.repeat(50), '😀'.repeat(50)],
      ['ÄRGER', 'ärger'],
      ['CAFE\u0301', 'caf\u00e9'],
      ['e\u0301'.repeat(50), '\u00e9'.repeat(50)],
    ])('%j becomes %j', (given, kept) => {
      expect(create({ category: given }).category).toBe(kept);
    });

    it('is unchanged when it is sent again', () => {
      for (const given of [
        'ΣΟΦΟΣ',
        'İstanbul',
        'Straße',
        'ＦＵＬＬ',
        '\u212A',
        'q\u0307\u0323',
        ' \u1e9e ',
      ]) {
        const kept = create({ category: given }).category;
        expect(create({ category: kept }).category).toBe(kept);
      }
    });

    it.each(['', '   ', '\u00a0', 'x'.repeat(51), '😀'.repeat(51)])('may not be %j', (category) => {
      expect(createFaults({ category })).toEqual(['category: must have 1 to 50 characters']);
    });

    it('is measured after lower-casing, which can make it longer', () => {
      expect(create({ category: 'İ'.repeat(25) }).category).toHaveLength(50);
      expect(createFaults({ category: 'İ'.repeat(26) })).toHaveLength(1);
    });

    it.each(['a\u0000', 'a\ud83d'])('may not be %j', (category) => {
      expect(createFaults({ category })).toEqual([`category: ${UNFIT}`]);
    });

    it.each([null, 7, ['health']])('may not be %j', (category) => {
      expect(createFaults({ category })).toHaveLength(1);
    });
  });

  describe('tags', () => {
    it.each([
      [[], []],
      [['river'], ['river']],
      [[' River ', 'RIVER', 'river'], ['river']],
      [
        ['walk', 'alone', 'river'],
        ['alone', 'river', 'walk'],
      ],
      [['cafe\u0301', 'caf\u00e9'], ['caf\u00e9']],
    ])('%j become %j: unique and sorted', (given, kept) => {
      expect(create({ tags: given }).tags).toEqual(kept);
    });

    it('may be 20', () => {
      const tags = Array.from({ length: 20 }, (_, index) => `tag ${index + 10}`);
      expect(create({ tags: tags.toReversed() }).tags).toEqual(tags);
      expect(createFaults({ tags: [...tags, 'one more'] })).toEqual(['tags: must have at most 20 tags']);
    });

    it('are named one by one when they are invalid', () => {
      expect(createFaults({ tags: ['river', ' ', 'x'.repeat(51), 'a\u0000'] })).toEqual([
        'tags.1: must have 1 to 50 characters',
        'tags.2: must have 1 to 50 characters',
        `tags.3: ${UNFIT}`,
      ]);
    });

    it.each([null, 'river', { 0: 'river' }, [7], [null], [['river']]])('may not be %j', (tags) => {
      expect(createFaults({ tags })).toHaveLength(1);
    });
  });

  describe('occurredAt', () => {
    it.each([
      ['2026-03-01T08:30:00Z', '2026-03-01T08:30:00.000Z'],
      ['2026-03-01T08:30:00.5Z', '2026-03-01T08:30:00.500Z'],
      ['2026-03-01T08:30:00.123999Z', '2026-03-01T08:30:00.123Z'],
      ['2026-03-01T08:30:00+02:00', '2026-03-01T06:30:00.000Z'],
      ['2026-03-01T00:15:00+05:45', '2026-02-28T18:30:00.000Z'],
      ['2026-12-31T23:30:00-01:00', '2027-01-01T00:30:00.000Z'],
      ['2024-02-29T12:00:00Z', '2024-02-29T12:00:00.000Z'],
      ['0001-01-01T00:00:00Z', '0001-01-01T00:00:00.000Z'],
      ['0000-12-31T23:30:00-01:00', '0001-01-01T00:30:00.000Z'],
      ['9999-12-31T23:59:59.999Z', '9999-12-31T23:59:59.999Z'],
      ['9999-12-31T23:59:59+14:00', '9999-12-31T09:59:59.000Z'],
    ])('%s is kept as %s', (given, kept) => {
      expect(create({ occurredAt: given }).occurredAt).toBe(kept);
    });

    it.each([
      '0000-01-01T00:00:00Z',
      '0000-12-31T23:59:59.999Z',
      '0000-12-31T23:59:59Z',
      '0001-01-01T00:00:00+00:01',
      '9999-12-31T23:59:59-00:01',
      '9999-12-31T23:59:59-14:00',
    ])('%s is outside of the years 1 to 9999', (occurredAt) => {
      expect(createFaults({ occurredAt })).toEqual(['occurredAt: must be in the years 1 to 9999']);
    });

    it.each([
      '',
      'now',
      '2026-03-01',
      '2026-03-01T08:30:00',
      '2026-03-01 08:30:00Z',
      '2026-02-29T08:30:00Z',
      '2026-04-31T08:30:00Z',
      '2026-13-01T08:30:00Z',
      '2026-03-01T24:00:00Z',
      '2026-03-01T08:60:00Z',
      '2026-03-01T08:30:60Z',
      '2026-03-01T08:30:00+0200',
      '2026-03-01T08:30:00+24:00',
      '+012026-03-01T08:30:00Z',
      '-000001-03-01T08:30:00Z',
      '2026-03-01T08:30:00Z\n',
      '2026-03-01T08:30:00Z BC',
      null,
      1_772_353_800,
      true,
    ])('%j is refused', (occurredAt) => {
      expect(createFaults({ occurredAt })).toEqual([`occurredAt: ${INSTANT}`]);
    });

    it('is left to the database when it is omitted', () => {
      expect(create({})).not.toHaveProperty('occurredAt');
    });
  });
});

describe('the body of PATCH /entries/:id', () => {
  it('has no defaults, so omitted fields stay unchanged', () => {
    expect(EntryPatchSchema.parse({})).toEqual({});
    expect(EntryPatchSchema.parse({ mood: 3 })).toEqual({ mood: 3 });
    expect(EntryPatchSchema.parse({ tags: [] })).toEqual({ tags: [] });
  });

  it('normalizes like POST', () => {
    expect(
      EntryPatchSchema.parse({
        category: ' Health',
        tags: ['b', 'A'],
        occurredAt: '2026-03-01T08:30:00+02:00',
      }),
    ).toEqual({ category: 'health', tags: ['a', 'b'], occurredAt: '2026-03-01T06:30:00.000Z' });
  });

  it('refuses what POST refuses', () => {
    const body = { text: '', mood: 0, category: '', tags: [''], occurredAt: 'now' };
    expect(faultsOf(EntryPatchSchema, body)).toEqual(createFaults(body));
    expect(createFaults(body)).toHaveLength(5);
  });

  it.each(['text', 'mood', 'category', 'tags', 'occurredAt'])('does not take null for %s', (name) => {
    expect(faultsOf(EntryPatchSchema, { [name]: null })).toHaveLength(1);
  });

  it.each(['version', 'id', 'deletedAt'])('has no field %s', (name) => {
    const { error } = EntryPatchSchema.safeParse({ [name]: 1 });
    expect(error?.issues).toMatchObject([{ code: 'unrecognized_keys', keys: [name] }]);
  });
});

describe('the id of an entry', () => {
  it('is a UUID, and lower-case', () => {
    expect(EntryIdSchema.parse('0195503C-7D7E-7B6C-9A4E-0F2F6D1C2B3A')).toBe(
      '0195503c-7d7e-7b6c-9a4e-0f2f6d1c2b3a',
    );
  });

  it.each([
    '',
    '1',
    'trash',
    '0195503c7d7e7b6c9a4e0f2f6d1c2b3a',
    "1' OR '1'='1",
    '{0195503c-7d7e-7b6c-9a4e-0f2f6d1c2b3a}',
  ])('is not %j', (id) => {
    expect(faultsOf(EntryIdSchema, id)).toEqual([': must be a UUID']);
  });
});
