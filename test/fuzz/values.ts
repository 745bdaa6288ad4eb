import fc from 'fast-check';
import { resolveReference, type JsonSchema } from '../harness/http/json-schema.js';

/** What has broken services of this kind before: encodings, SQL, templates, paths, numbers, prototypes, lookalikes. */
export const hostileText: fc.Arbitrary<string> = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constantFrom('', ' ', '\0', 'a\0b', '\ud800', '\udfff\ud800', '\ufeff', '\u202eabc', '\u2028'),
  fc.constantFrom('ﬀ'.repeat(30), '👩‍👩‍👧‍👦'.repeat(20), 'a\u0301'.repeat(60), 'ſ@example.org', 'xn--a'),
  fc.constantFrom(
    "'; DROP TABLE entries; --",
    "' OR '1'='1",
    '%27%20OR%201=1',
    '$1',
    '$$;SELECT pg_sleep(1)$$',
  ),
  fc.constantFrom(
    '\\',
    '"',
    '{{7*7}}',
    '${7*7}',
    '<script>alert(1)</script>',
    '=1+1',
    'a\r\nx-injected: yes',
  ),
  fc.constantFrom('../../../etc/passwd', '..%2f..%2f', '%00', '%', '%E0%A4%A', 'foo & bar | !(baz) <-> "'),
  fc.constantFrom(
    '-1',
    '0',
    '1',
    '1e309',
    '9223372036854775808',
    'NaN',
    'null',
    'undefined',
    'true',
    '[]',
    '{}',
  ),
  fc.constantFrom('__proto__', 'constructor', '00000000-0000-0000-0000-000000000000'),
  fc.constantFrom('0000-01-01T00:00:00Z', '9999-12-31T23:59:59.999+23:59', '2026-02-30T00:00:00Z'),
  fc.constantFrom('x'.repeat(300), 'x'.repeat(10_001)),
);

export const hostileValue: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 2, arbitrary: hostileText },
  fc.constantFrom(null, true, 0, -0, -1, 1.5, 1e21, Number.MAX_SAFE_INTEGER + 2, 2_147_483_648),
  fc.constantFrom<unknown>(
    [],
    {},
    [[[[]]]],
    { $ne: null },
    JSON.parse('{"__proto__":{"a":1}}'),
    { toString: 'x' },
    Array(21).fill('a'),
    Array(1001).fill(0),
    'x'.repeat(100_000),
  ),
);

/** Values that the schema accepts, as far as it tells. */
export function validValue(schema: JsonSchema, document: object): fc.Arbitrary<unknown> {
  const {
    $ref,
    const: only,
    enum: choices,
    anyOf,
    type,
    properties = {},
    required = [],
    items = {},
  } = schema;
  const {
    minItems = 0,
    maxItems = 3,
    minimum = 0,
    maximum = 100,
  } = schema as Readonly<Record<string, number>>;
  const valid = (inner: unknown) => validValue(inner as JsonSchema, document);
  if (typeof $ref === 'string') return valid(resolveReference($ref, document));
  if (only !== undefined) return fc.constant(only);
  if (Array.isArray(choices)) return fc.constantFrom<unknown>(...choices);
  if (Array.isArray(anyOf)) return fc.oneof(...anyOf.map(valid));
  if (Array.isArray(type)) return fc.oneof(...type.map((each: unknown) => valid({ ...schema, type: each })));
  switch (type) {
    case 'object': {
      const members = Object.entries(properties as object).map(([name, inner]) => [name, valid(inner)]);
      const model = Object.fromEntries(members) as Record<string, fc.Arbitrary<unknown>>;
      return fc.record(model, { requiredKeys: required as string[] });
    }
    case 'array':
      return fc.array(valid(items), { minLength: minItems, maxLength: Math.min(maxItems, 3) });
    case 'integer':
    case 'number':
      return fc.integer({ min: minimum, max: Math.min(maximum, 1000) });
    case 'boolean':
      return fc.boolean();
    case 'null':
      return fc.constant(null);
    default:
      return validText(schema);
  }
}

function validText({ format, example, minLength = 1, maxLength = 40 }: JsonSchema): fc.Arbitrary<string> {
  switch (format) {
    case 'date-time':
      return fc.integer({ min: 0, max: 2 ** 41 }).map((ms) => new Date(ms).toISOString());
    case 'uuid':
      return fc.uuid({ version: 4 });
    case 'email':
      return fc.nat().map((n) => `fuzz-${n}@example.org`);
  }
  const [least, most] = [Number(minLength), Number(maxLength)];
  const text = fc.string({
    unit: fc.constantFrom('a', 'ä', 'ß', '日', '👋', ' ', 'b', '-', 'z'),
    minLength: least,
    maxLength: Math.max(least, Math.min(most, 40)),
  });
  return typeof example === 'string' ? fc.oneof(text, fc.constant(example)) : text;
}

/** Values of the schema with one member added, missing or replaced; and now and then anything else. */
export function invalidValue(schema: JsonSchema, document: object): fc.Arbitrary<unknown> {
  const changes = fc.record({
    value: validValue(schema, document),
    change: fc.constantFrom('add', 'remove', 'replace', 'replace'),
    position: fc.nat(20),
    name: hostileText,
    hostile: hostileValue,
  });
  const spoilt = changes.map(({ value, change, position, name, hostile }) => {
    if (typeof value !== 'object' || value === null) return hostile;
    if (Array.isArray(value)) return [...(value as unknown[]), hostile];
    const members = Object.entries(value);
    const [key] = members[position % members.length] ?? [];
    if (key === undefined || change === 'add') return Object.fromEntries([...members, [name, hostile]]);
    const others = members.filter(([other]) => other !== key);
    return Object.fromEntries(change === 'remove' ? others : [...others, [key, hostile]]);
  });
  return fc.oneof({ weight: 9, arbitrary: spoilt }, hostileValue);
}
