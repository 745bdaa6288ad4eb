/** Ensures that a key column has enough different values. */
const DIGITS = ['1', '2', '3', '4', '5', '6', '7', '8', '9'];

/** SQL expressions for the edge values of each type, without NULL. `n` is the declared length or precision. */
const EDGES: Readonly<Record<string, (n?: number, scale?: number) => readonly string[]>> = {
  smallint: () => ['0', '-32768', '32767', ...DIGITS],
  integer: () => ['0', '-2147483648', '2147483647', ...DIGITS],
  bigint: () => ['0', '-9223372036854775808', '9223372036854775807', ...DIGITS],
  numeric: (n, scale = 0) => {
    if (n === undefined) return ['0', `'NaN'`, '-1e30', '0.000000001'];
    const largest = `${'9'.repeat(Math.max(n - scale, 0)) || '0'}${scale > 0 ? `.${'9'.repeat(scale)}` : ''}`;
    return ['0', largest, `-${largest}`];
  },
  real: () => ['0', '1.1', '-3.4e38', `'Infinity'`, `'NaN'`],
  'double precision': () => ['0', '1.1', '-1.7e308', `'Infinity'`, `'NaN'`],
  money: () => ['0', '-92233720368547758.08'],
  boolean: () => ['false', 'true'],
  text: (n) => TEXTS.map((text) => (n === undefined ? text : `left(${text}, ${n})`)),
  bytea: () => [`''`, `'\\x00ff'`],
  date: () => [`'2024-02-29'`, `'infinity'`, `'-infinity'`, `'0001-01-01 BC'`],
  timestamp: () => [`'2024-02-29 23:59:59.999999'`, `'infinity'`, `'-infinity'`, `'1970-01-01'`],
  time: () => [`'00:00'`, `'23:59:59.999999'`, `'24:00'`],
  'time with time zone': () => [`'00:00+14'`, `'23:59:59.999999-12'`],
  interval: () => [`'0'`, `'1 year -2 mons 3 days -04:05:06.789'`],
  uuid: () => ['gen_random_uuid()'],
  json: () => [`'null'`, `'{}'`, `'{"a": {"b": [null, 1, "ü", {"c": []}]}}'`, `'"text"'`],
  inet: () => [`'0.0.0.0'`, `'::1/64'`, `'192.168.0.1/24'`],
  cidr: () => [`'10.0.0.0/8'`, `'2001:db8::/32'`],
  macaddr: () => [`'00:00:00:00:00:00'`, `'ff:ff:ff:ff:ff:ff'`],
  macaddr8: () => [`'00:00:00:00:00:00:00:00'`],
  bit: (n = 1) => [`repeat('0', ${n})`, `repeat('1', ${n})`],
  'bit varying': (n = 70) => [`''`, `repeat('1', ${n})`],
  point: () => [`'(0,0)'`, `'(1.5,-2)'`],
  line: () => [`'{1,2,3}'`],
  lseg: () => [`'[(0,0),(1,1)]'`],
  box: () => [`'((1,1),(0,0))'`],
  path: () => [`'[(0,0),(1,1)]'`],
  polygon: () => [`'((0,0),(1,1),(1,0))'`],
  circle: () => [`'<(0,0),1>'`],
  tsvector: () => [`''`, `'a b'`],
  tsquery: () => [`'a & b'`],
  xml: () => [`'<a/>'`],
  hstore: () => [`''`, `'a=>1, b=>NULL'`],
};

const TEXTS = [
  `'a'`,
  `''`,
  `' '`,
  `'日記 🙂 é'`,
  `E'it''s "quoted" \\\\ %_\\n'`,
  `repeat('ü', 1000)`,
  `'Ärger'`,
  `'another'`,
];

/**
 * Values for a column that a conversion is likely to lose, as SQL expressions of its type.
 *
 * @param type as `format_type` writes it
 * @param enums labels by type
 */
export function sampleValues(
  type: string,
  enums: Readonly<Record<string, readonly string[]>>,
): readonly string[] {
  if (type.endsWith('[]')) {
    const element = type.slice(0, -2);
    const values = sampleValues(element, enums);
    const [first = 'NULL', second = first] = values;
    return [`'{}'::${type}`, `ARRAY[NULL]::${type}`, `ARRAY[${first}, NULL, ${second}]::${type}`];
  }
  const labels = enums[type];
  if (labels !== undefined) return labels.map((label) => `'${label.replaceAll("'", "''")}'::${type}`);
  const [, name = type, length, scale, zone = ''] =
    /^(.+?)\((\d+)(?:,(-?\d+))?\)( with(?:out)? time zone)?$/.exec(type) ?? [];
  const n = length === undefined ? undefined : Number(length);
  const edges = EDGES[baseOf(`${name}${zone}`)];
  if (edges !== undefined) {
    return edges(n, scale === undefined ? undefined : Number(scale)).map((value) => `(${value})::${type}`);
  }
  if (/multirange$/.test(type)) return [`'{}'::${type}`];
  return /range$/.test(type) ? [`'empty'::${type}`, `'(,)'::${type}`] : [];
}

function baseOf(type: string): string {
  if (/^(?:character varying|character|citext|"char"|name)$/.test(type)) return 'text';
  if (type === 'jsonb') return 'json';
  if (type === 'time without time zone') return 'time';
  return type.startsWith('timestamp') ? 'timestamp' : type;
}
