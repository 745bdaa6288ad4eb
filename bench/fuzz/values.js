/** @typedef {{ [keyword: string]: any }} Schema of JSON Schema 2020-12, as OpenAPI 3.1 has it */
/** @typedef {import('./random.js').Random} Random */

/** What has broken services of this kind before: encodings, SQL, templates, paths, numbers, prototypes, lookalikes. */
export const HOSTILE_TEXTS = [
  '',
  ' ',
  '\0',
  'a\0b',
  '\ud800',
  '\udfff\ud800',
  '\ufeff',
  '\u202eabc',
  '\u2028',
  'ﬀ'.repeat(30),
  '👩‍👩‍👧‍👦'.repeat(20),
  'a\u0301'.repeat(60),
  "'; DROP TABLE entries; --",
  "' OR '1'='1",
  '%27%20OR%201=1',
  '$1',
  '$$;SELECT pg_sleep(1)$$',
  '\\',
  '"',
  '{{7*7}}',
  '${7*7}',
  '<script>alert(1)</script>',
  '../../../etc/passwd',
  '..%2f..%2f',
  '%00',
  '%',
  '%E0%A4%A',
  'a\r\nx-injected: yes',
  '=1+1',
  '-1',
  '0',
  '1e309',
  '9223372036854775808',
  'NaN',
  'null',
  'undefined',
  'true',
  '[]',
  '{}',
  '__proto__',
  'constructor',
  '0000-01-01T00:00:00Z',
  '9999-12-31T23:59:59.999+23:59',
  '2026-02-30T00:00:00Z',
  '1',
  '00000000-0000-0000-0000-000000000000',
  'x'.repeat(300),
  'x'.repeat(10_001),
  'foo & bar | !(baz) <-> "',
  'xn--a',
  'ſ@example.org',
];

/** @returns {readonly any[]} */
function hostileValues() {
  return [
    null,
    true,
    0,
    -0,
    -1,
    1.5,
    1e21,
    Number.MAX_SAFE_INTEGER + 2,
    2_147_483_648,
    [],
    {},
    [[[[]]]],
    { $ne: null },
    JSON.parse('{"__proto__":{"a":1}}'),
    { toString: 'x' },
    Array(21).fill('a'),
    Array(1001).fill(0),
    'x'.repeat(100_000),
  ];
}

/** @param {Random} random */
export function hostileText(random) {
  return random.pick(HOSTILE_TEXTS);
}

/** @param {Random} random @returns {any} */
export function hostileValue(random) {
  return random.chance(0.5) ? hostileText(random) : random.pick(hostileValues());
}

/**
 * A value that the schema takes, as far as it tells.
 *
 * @param {Schema} schema @param {object} document resolves `$ref` @param {Random} random @returns {any}
 */
export function validValue(schema, document, random) {
  if (schema['$ref'] !== undefined) return validValue(resolve(schema['$ref'], document), document, random);
  if (schema['const'] !== undefined) return schema['const'];
  if (schema['enum'] !== undefined) return random.pick(schema['enum']);
  const alternatives = schema['anyOf'] ?? schema['oneOf'];
  if (alternatives !== undefined) return validValue(random.pick(alternatives), document, random);
  const type = Array.isArray(schema['type']) ? random.pick(schema['type']) : schema['type'];
  switch (type) {
    case 'object': {
      const required = new Set(schema['required']);
      const members = Object.entries(schema['properties'] ?? {})
        .filter(([name]) => required.has(name) || random.chance(0.5))
        .map(([name, inner]) => [name, validValue(inner, document, random)]);
      return Object.fromEntries(members);
    }
    case 'array': {
      const length = random.whole(schema['minItems'] ?? 0, Math.min(schema['maxItems'] ?? 3, 3));
      return Array.from({ length }, () => validValue(schema['items'] ?? {}, document, random));
    }
    case 'integer':
    case 'number':
      return random.whole(schema['minimum'] ?? 0, Math.min(schema['maximum'] ?? 100, 1000));
    case 'boolean':
      return random.chance(0.5);
    case 'null':
      return null;
    default:
      return validText(schema, random);
  }
}

/** @param {Schema} schema @param {Random} random @returns {string} */
function validText({ format, example, minLength = 1, maxLength = 40 }, random) {
  switch (format) {
    case 'date-time':
      return new Date(random.whole(0, 2 ** 41)).toISOString();
    case 'uuid':
      return random.uuid();
    case 'email':
      return `${random.text(8, 'abcdefgh')}@example.org`;
  }
  if (example !== undefined && random.chance(0.5)) return String(example);
  return random.text(random.whole(minLength, Math.max(minLength, Math.min(maxLength, 40))), 'aäß日👋 b-z');
}

/**
 * A value of the schema's with one thing in it that does not belong there.
 *
 * @param {Schema} schema @param {object} document @param {Random} random @returns {any}
 */
export function invalidValue(schema, document, random) {
  const value = validValue(schema, document, random);
  if (typeof value !== 'object' || value === null || random.chance(0.1)) return hostileValue(random);
  const keys = Object.keys(value);
  const fate = random.whole(0, 3);
  if (fate === 0 || keys.length === 0) {
    if (Array.isArray(value)) value.push(hostileValue(random));
    else value[hostileText(random)] = hostileValue(random);
  } else {
    const key = random.pick(keys);
    if (fate === 1) delete value[key];
    else value[key] = hostileValue(random);
  }
  return value;
}

/** @param {string} reference @param {object} document @returns {Schema} */
function resolve(reference, document) {
  /** @type {any} */
  let found = document;
  for (const segment of reference.replace(/^#\//, '').split('/')) found = found[segment];
  return found;
}
