import type { EntitySchemaColumnOptions } from 'typeorm';

type Column = Omit<EntitySchemaColumnOptions, 'nullable'> & { nullable?: boolean };

/** An edit of a column `value`, in a table of its own. */
export interface Edit {
  readonly name: string;
  readonly from: Column;
  /** Undefined: the field goes. */
  readonly to: Column | undefined;
  /** SQL, a row each. */
  readonly values: readonly string[];
  /** What `value::text` is afterwards; as before unless given. */
  readonly after?: readonly (string | null)[];
  /** What only a person knows, with `T` for the table. */
  readonly flags?:
    Readonly<Record<'rename' | 'drop' | 'lossy' | 'fill' | 'keep', string[]>> | Record<string, string[]>;
  /** Of the field afterwards; `value` unless given. */
  readonly field?: string;
}

const type = (name: string, more: object = {}): Column => ({ type: name, nullable: true, ...more }) as Column;
const edit = (
  name: string,
  from: Column,
  to: Column | undefined,
  values: readonly string[],
  more: Partial<Edit> = {},
): Edit => ({
  name,
  from,
  to,
  values,
  ...more,
});
const same = (name: string, column: Column, ...values: string[]): Edit =>
  edit(`${name}, unchanged`, column, column, values);

/** Each kind of column that TypeORM has for PostgreSQL, which must not show up as changed. */
export const UNCHANGED: readonly Edit[] = [
  same('smallint', type('smallint'), '-32768', '32767', 'NULL'),
  same('integer', type('integer', { default: 7 }), '2147483647'),
  same('bigint', type('bigint'), '9223372036854775807'),
  same('numeric(12,4)', type('numeric', { precision: 12, scale: 4 }), '12345678.1234'),
  same('numeric', type('numeric'), "'NaN'", '1e100'),
  same('real', type('real'), '1.5'),
  same('double precision', type('double precision'), "'-Infinity'"),
  same('money', type('money'), '12.34'),
  same('varchar', type('varchar'), "''", "'日記'"),
  same('varchar(50)', type('varchar', { length: 50, default: 'general' }), "repeat('é', 50)"),
  same('char(3)', type('char', { length: 3 }), "'ab'"),
  same('text', type('text'), "E'a\\nb'"),
  same('citext', type('citext'), "'Ab'"),
  same('hstore', type('hstore'), `'a=>1'`),
  same('bytea', type('bytea'), `'\\xdeadbeef'`),
  same('bit(3)', type('bit', { length: '3' }), "B'101'"),
  same('bit varying(9)', type('bit varying', { length: '9' }), "B'10101'"),
  same('boolean', type('boolean', { default: false }), 'true'),
  same('date', type('date', { default: () => 'CURRENT_DATE' }), "'infinity'"),
  same('time', type('time'), "'23:59:59.999999'"),
  same('time with time zone', type('time with time zone'), "'12:00+05:30'"),
  same('timestamp(3)', type('timestamp', { precision: 3 }), "'2026-03-01 12:00:00.123'"),
  same('timestamptz', type('timestamptz', { default: () => 'now()' }), "'infinity'"),
  same('timestamptz with a literal default', type('timestamptz', { default: '1970-01-01' }), "'2026-01-01Z'"),
  same('interval', type('interval'), "'1 year 2 mons 3 days 04:05:06'"),
  same(
    'uuid',
    type('uuid', { default: () => 'gen_random_uuid()' }),
    "'0190d7a0-0000-7000-8000-000000000000'",
  ),
  same('json', type('json', { default: {} }), `'{"a": [1, null]}'`),
  same('jsonb', type('jsonb', { default: { a: 1 } }), `'{"a": {"b": []}}'`),
  same('xml', type('xml'), "'<a/>'"),
  same('inet', type('inet'), "'::1'"),
  same('cidr', type('cidr'), "'10.0.0.0/8'"),
  same('macaddr', type('macaddr'), "'08:00:2b:01:02:03'"),
  same('point', type('point'), "'(1,2)'"),
  same('line', type('line'), "'{1,2,3}'"),
  same('lseg', type('lseg'), "'[(0,0),(1,1)]'"),
  same('box', type('box'), "'((1,1),(0,0))'"),
  same('path', type('path'), "'[(0,0),(1,1)]'"),
  same('polygon', type('polygon'), "'((0,0),(1,1),(1,0))'"),
  same('circle', type('circle'), "'<(0,0),1>'"),
  same('tsvector', type('tsvector'), `'a b'`),
  same('tsquery', type('tsquery'), `'a & b'`),
  same('int4range', type('int4range'), "'[1,5)'", "'empty'"),
  same('tstzrange', type('tstzrange'), "'[2026-01-01Z,)'"),
  same('int4multirange', type('int4multirange'), "'{[1,2),[4,5)}'"),
  same('text[]', type('text', { array: true, default: () => "'{}'" }), "ARRAY['a', NULL, 'ü']"),
  same('integer[]', type('integer', { array: true }), "'{}'", "'{1,2}'"),
  same('simple-array', type('simple-array'), "'a,b'"),
  same('simple-json', type('simple-json'), `'{"a":1}'`),
  same('enum', type('enum', { enum: ['low', 'high'], default: 'low' }), "'high'"),
  same(
    'named enum',
    type('enum', { enum: ['a', "it''s".replace("''", "'")], enumName: 'named_enum' }),
    "'it''s'",
  ),
  same('enum[]', type('enum', { enum: ['x', 'y'], array: true }), "'{x,y,NULL}'"),
  same('generated', type('integer', { generatedType: 'STORED', asExpression: 'length(note)' })),
  same('with a comment', type('text', { comment: "what it's for" }), "'a'"),
  same('unique', type('text', { unique: true }), "'a'", "'b'"),
];

const WORDS = ["'one'", "''", "'日記'", 'NULL'];

/** Edits, and what happens to the values. */
export const EDITS: readonly Edit[] = [
  edit('varchar(50) → varchar(100)', type('varchar', { length: 50 }), type('varchar', { length: 100 }), [
    "repeat('é', 50)",
    ...WORDS,
  ]),
  edit('varchar(50) → varchar', type('varchar', { length: 50 }), type('varchar'), WORDS),
  edit('varchar → text', type('varchar'), type('text'), WORDS),
  edit(
    'varchar(50) → text',
    type('varchar', { length: 50, default: 'x' }),
    type('text', { default: 'x' }),
    WORDS,
  ),
  edit('text → varchar', type('text'), type('varchar'), WORDS),
  edit('text → citext', type('text'), type('citext'), WORDS),
  edit('citext → text', type('citext'), type('text'), WORDS),
  edit('smallint → integer', type('smallint'), type('integer'), ['-32768', '7', 'NULL']),
  edit('integer → bigint', type('integer', { default: 3 }), type('bigint', { default: 3 }), [
    '-2147483648',
    '7',
    'NULL',
  ]),
  edit('smallint → bigint', type('smallint'), type('bigint'), ['32767']),
  edit('integer → numeric', type('integer'), type('numeric'), ['7', 'NULL']),
  edit('integer → numeric(12,2)', type('integer'), type('numeric', { precision: 12, scale: 2 }), ['7'], {
    after: ['7.00'],
  }),
  edit('integer → text', type('integer'), type('text'), ['-7', 'NULL']),
  edit('integer → double precision', type('integer'), type('double precision'), ['7']),
  edit('real → double precision', type('real'), type('double precision'), ['1.5']),
  edit(
    'numeric(10,2) → numeric(12,2)',
    type('numeric', { precision: 10, scale: 2 }),
    type('numeric', { precision: 12, scale: 2 }),
    ['12345678.12'],
  ),
  edit(
    'numeric(10,2) → numeric(14,4)',
    type('numeric', { precision: 10, scale: 2 }),
    type('numeric', { precision: 14, scale: 4 }),
    ['1.25'],
    { after: ['1.2500'] },
  ),
  edit('numeric(10,2) → numeric', type('numeric', { precision: 10, scale: 2 }), type('numeric'), ['1.25']),
  edit(
    'timestamp → timestamptz',
    type('timestamp'),
    type('timestamptz'),
    ["'2026-03-01 12:00'", "'infinity'", 'NULL'],
    { after: ['2026-03-01 12:00:00+00', 'infinity', null] },
  ),
  edit('timestamptz → timestamp', type('timestamptz'), type('timestamp'), ["'2026-03-01 12:00Z'"], {
    after: ['2026-03-01 12:00:00'],
  }),
  edit('timestamptz(3) → timestamptz', type('timestamptz', { precision: 3 }), type('timestamptz'), [
    "'2026-03-01 12:00:00.123Z'",
  ]),
  edit('date → timestamptz', type('date'), type('timestamptz'), ["'2026-03-01'"], {
    after: ['2026-03-01 00:00:00+00'],
  }),
  edit('date → timestamp', type('date'), type('timestamp'), ["'2026-03-01'"], {
    after: ['2026-03-01 00:00:00'],
  }),
  edit('json → jsonb', type('json'), type('jsonb'), [`'{"a": 1}'`]),
  edit('jsonb → json', type('jsonb'), type('json'), [`'{"a": 1}'`]),
  edit('uuid → text', type('uuid'), type('text'), ["'0190d7a0-0000-7000-8000-000000000000'"]),
  edit('boolean → text', type('boolean'), type('text'), ['true']),
  edit('cidr → inet', type('cidr'), type('inet'), ["'10.0.0.0/8'"]),
  edit('enum → text', type('enum', { enum: ['a', 'b'], default: 'a' }), type('text', { default: 'a' }), [
    "'b'",
  ]),
  edit('enum → varchar(9)', type('enum', { enum: ['a', 'b'] }), type('varchar', { length: 9 }), ["'b'"]),
  edit('text → text[]', type('text'), type('text', { array: true }), ["'a'", 'NULL'], {
    after: ['{a}', null],
  }),
  edit('integer[] → bigint[]', type('integer', { array: true }), type('bigint', { array: true }), [
    "'{1,NULL}'",
  ]),
  edit('a default', type('text'), type('text', { default: 'x' }), WORDS),
  edit('another default', type('integer', { default: 1 }), type('integer', { default: 2 }), ['5']),
  edit('no default any more', type('text', { default: 'x' }), type('text'), WORDS),
  edit('NULL allowed', type('text', { nullable: false }), type('text'), ["'a'"]),
  edit('NOT NULL', type('text'), type('text', { nullable: false }), ["'a'", 'NULL'], {
    after: ['a', '?'],
    flags: { fill: ["T.value:'?'"] },
  }),
  edit(
    'NOT NULL with a default',
    type('text'),
    type('text', { nullable: false, default: 'x' }),
    ["'a'", 'NULL'],
    { after: ['a', 'x'], flags: { fill: ["T.value:'x'"] } },
  ),
  edit('NOT NULL and wider', type('integer'), type('bigint', { nullable: false }), ['7', 'NULL'], {
    after: ['7', '0'],
    flags: { fill: ['T.value:0'] },
  }),
  edit('a comment', type('text'), type('text', { comment: 'new' }), ["'a'"]),
  edit('no comment any more', type('text', { comment: 'old' }), type('text'), ["'a'"]),
  edit('unique', type('text'), type('text', { unique: true }), ["'a'", "'b'"]),
  edit('not unique any more', type('text', { unique: true }), type('text'), ["'a'", "'b'"]),
  edit('an enum value more', type('enum', { enum: ['a', 'b'] }), type('enum', { enum: ['a', 'b', 'c'] }), [
    "'b'",
  ]),
  edit(
    'an enum value more, first',
    type('enum', { enum: ['b', 'c'] }),
    type('enum', { enum: ['a', 'b', 'c'] }),
    ["'b'"],
  ),
  edit(
    'an enum value more, which is the default',
    type('enum', { enum: ['a', 'b'], default: 'a' }),
    type('enum', { enum: ['a', 'b', 'c'], default: 'c' }),
    ["'b'"],
  ),
  edit(
    'enum values in another order',
    type('enum', { enum: ['a', 'b'], default: 'a' }),
    type('enum', { enum: ['b', 'a'], default: 'a' }),
    ["'b'"],
  ),
  edit(
    'an enum value renamed',
    type('enum', { enum: ['a', 'b'] }),
    type('enum', { enum: ['a', 'z'] }),
    ["'b'", "'a'"],
    { after: ['z', 'a'], flags: { rename: ['T_value_enum.b:z'] } },
  ),
  edit(
    'an enum value removed',
    type('enum', { enum: ['a', 'b'], default: 'a' }),
    type('enum', { enum: ['a'], default: 'a' }),
    ["'b'", "'a'"],
    { after: [null, 'a'], flags: { lossy: ['T.value'] } },
  ),
  edit(
    'an enum value removed, NOT NULL',
    type('enum', { enum: ['a', 'b'], default: 'a', nullable: false }),
    type('enum', { enum: ['a'], default: 'a', nullable: false }),
    ["'b'"],
    { after: ['a'], flags: { lossy: ['T.value'] } },
  ),
  edit(
    'an enum array with a value more',
    type('enum', { enum: ['a'], array: true }),
    type('enum', { enum: ['a', 'b'], array: true }),
    ["'{a}'"],
  ),
  edit(
    'an enum array with a value less',
    type('enum', { enum: ['a', 'b'], array: true }),
    type('enum', { enum: ['a'], array: true }),
    ["'{a,b}'"],
    { after: ['{a}'], flags: { lossy: ['T.value'] } },
  ),
  edit(
    'varchar(9) → varchar(3)',
    type('varchar', { length: 9 }),
    type('varchar', { length: 3 }),
    ["'abcdef'", "'ab'"],
    { after: ['abc', 'ab'], flags: { lossy: ['T.value'] } },
  ),
  edit('text → integer', type('text'), type('integer'), ["'12'", "'twelve'", 'NULL'], {
    after: ['12', null, null],
    flags: { lossy: ['T.value'] },
  }),
  edit('bigint → integer', type('bigint'), type('integer'), ['7', '9223372036854775807'], {
    after: ['7', null],
    flags: { lossy: ['T.value'] },
  }),
  edit(
    'numeric(10,2) → numeric(10,1)',
    type('numeric', { precision: 10, scale: 2 }),
    type('numeric', { precision: 10, scale: 1 }),
    ['1.25'],
    { after: ['1.3'], flags: { lossy: ['T.value'] } },
  ),
  edit('renamed', type('varchar', { length: 9 }), type('varchar', { length: 9 }), WORDS, {
    field: 'renamed',
    flags: { rename: ['T.value:renamed'] },
  }),
  edit('renamed and wider', type('integer'), type('bigint'), ['7'], {
    field: 'renamed',
    flags: { rename: ['T.value:renamed'], 'in-place': ['T.value'] },
  }),
  edit('renamed, unique', type('text', { unique: true }), type('text', { unique: true }), ["'a'", "'b'"], {
    field: 'renamed',
    flags: { rename: ['T.value:renamed'] },
  }),
  edit('renamed, an enum', type('enum', { enum: ['a', 'b'] }), type('enum', { enum: ['a', 'b'] }), ["'b'"], {
    field: 'renamed',
    flags: { rename: ['T.value:renamed'], 'in-place': ['T.value'] },
  }),
  edit('dropped', type('text'), undefined, ["'a'"], { flags: { drop: ['T.value'] } }),
  edit('dropped, NOT NULL', type('text', { nullable: false }), undefined, ["'a'"], {
    flags: { drop: ['T.value'] },
  }),
  edit('replaced by a NOT NULL field', type('text'), type('integer', { nullable: false }), ["'a'"], {
    field: 'other',
    after: ['5'],
    flags: { drop: ['T.value'], fill: ['T.other:5'] },
  }),
  edit(
    'generated otherwise',
    type('integer', { generatedType: 'STORED', asExpression: 'length(note)' }),
    type('integer', { generatedType: 'STORED', asExpression: 'length(note) + 1' }),
    [],
    { after: ['5'] },
  ),
];
