/** How a column's values are converted from one type to another. */
export interface Conversion {
  /** Whether each value of the old type has its own distinct value in the new type. */
  readonly keepsValues: boolean;
  /** For `USING`; undefined if PostgreSQL converts by itself. */
  readonly using: string | undefined;
  /** Whether a session whose time zone is UTC needs no `USING`, and rewrites nothing. */
  readonly isFreeInUtc?: boolean;
}

interface Type {
  readonly base: string;
  readonly length: number | undefined;
  readonly scale: number | undefined;
}

/**
 * Types that each key can be converted to without loss, apart from text. `integer` to `real` and `bigint` to
 * `double precision` are not listed, because they round from 2^24 and 2^53.
 * https://www.postgresql.org/docs/current/datatype-numeric.html
 */
const WIDER: Readonly<Record<string, readonly string[]>> = {
  smallint: ['integer', 'bigint', 'numeric', 'real', 'double precision'],
  integer: ['bigint', 'numeric', 'double precision'],
  bigint: ['numeric'],
  real: ['double precision'],
  date: ['timestamp without time zone', 'timestamp with time zone'],
  'timestamp without time zone': ['timestamp with time zone'],
  'timestamp with time zone': ['timestamp without time zone'],
  json: ['jsonb'],
  jsonb: ['json'],
  cidr: ['inet'],
  macaddr: ['macaddr8'],
  text: ['citext'],
  'character varying': ['citext'],
  bit: ['bit varying'],
  int4range: ['int4multirange'],
};

const TEXT = new Set(['text', 'character varying', 'citext']);

/** The most digits before the decimal point. */
const DIGITS: Readonly<Record<string, number>> = { smallint: 5, integer: 10, bigint: 19 };

/**
 * @param column quoted if necessary
 * @param enums labels by type
 */
export function conversionOf(
  column: string,
  from: string,
  to: string,
  enums: Readonly<Record<string, readonly string[]>>,
): Conversion {
  if (to === `${from}[]`) {
    return { keepsValues: true, using: `CASE WHEN ${column} IS NOT NULL THEN ARRAY[${column}] END` };
  }
  const [old, now] = [elementOf(from), elementOf(to)];
  if (from.endsWith('[]') !== to.endsWith('[]')) return { keepsValues: false, using: undefined };
  const isArray = from.endsWith('[]');
  const [a, b] = [parse(old), parse(now)];
  const labels = enums[old];
  const keepsValues =
    labels === undefined
      ? isWider(a, b)
      : TEXT.has(b.base) && labels.every((label) => label.length <= (b.length ?? Infinity));
  const isFreeInUtc =
    !isArray && a.base.startsWith('timestamp') && b.base.startsWith('timestamp') && a.base !== b.base;
  return { keepsValues, using: keepsValues ? usingOf(column, a, b, to, isArray) : undefined, isFreeInUtc };
}

/** Values that do not fit the new type become the column's default, or NULL. An array keeps its first element. */
export function lossyConversion(column: string, from: string, to: string, fallback: string | null): string {
  const converted = from === `${to}[]` ? `${column}[1]` : `pg_temp."${from} to ${to}"(${column})::${to}`;
  return fallback === null
    ? converted
    : `CASE WHEN ${column} IS NOT NULL THEN coalesce(${converted}, ${fallback}) END`;
}

/** Creates the function that `lossyConversion` calls. It exists until the connection ends. */
export function conversionFunction(from: string, to: string): string {
  return `CREATE OR REPLACE FUNCTION pg_temp."${from} to ${to}"(value ${from}) RETURNS ${to} LANGUAGE plpgsql AS $$
BEGIN
  RETURN value::${to};
EXCEPTION
  WHEN data_exception THEN
    RETURN NULL;
  WHEN cannot_coerce THEN
    BEGIN
      RETURN value::text::${to};
    EXCEPTION WHEN data_exception THEN
      RETURN NULL;
    END;
END $$`;
}

function usingOf(column: string, from: Type, to: Type, target: string, isArray: boolean): string | undefined {
  const zones = [from.base, to.base].filter((base) => base.endsWith('with time zone')).length;
  // Without a time zone, PostgreSQL would use that of the migrating session.
  if (!isArray && zones === 1) {
    return from.base === 'date' ? `${column}::timestamp AT TIME ZONE 'UTC'` : `${column} AT TIME ZONE 'UTC'`;
  }
  return from.base === to.base ? undefined : `${column}::${target}`;
}

function isWider(from: Type, to: Type): boolean {
  if (from.base === to.base) return fits(from, to);
  if (TEXT.has(to.base)) {
    return (
      to.length === undefined ||
      (TEXT.has(from.base) && from.length !== undefined && from.length <= to.length)
    );
  }
  if (!WIDER[from.base]?.includes(to.base)) return false;
  if (to.base === 'numeric' && to.length !== undefined) {
    return to.length - (to.scale ?? 0) >= (DIGITS[from.base] ?? Infinity);
  }
  // A date has no fractions of a second.
  return from.base === 'date' || !to.base.startsWith('timestamp') || fits(from, to);
}

function fits(from: Type, to: Type): boolean {
  if (to.length === undefined) return true;
  if (from.base === 'bit') return from.length === to.length;
  if (from.length === undefined) return /^time/.test(from.base) && to.length === 6;
  const [scale, wider] = [from.scale ?? 0, to.scale ?? 0];
  return wider >= scale && to.length - wider >= from.length - scale;
}

function elementOf(type: string): string {
  return type.replace(/\[\]$/, '');
}

/** Parses what `format_type` writes: `numeric(10,2)`, `timestamp(3) with time zone`. */
function parse(type: string): Type {
  const [, name = type, length, scale, zone = ''] =
    /^(.+?)\((\d+)(?:,(-?\d+))?\)( with(?:out)? time zone)?$/.exec(type) ?? [];
  return {
    base: `${name}${zone}`,
    length: length === undefined ? undefined : Number(length),
    scale: scale === undefined ? undefined : Number(scale),
  };
}
