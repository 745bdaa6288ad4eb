import type { TypeName } from 'libpg-query';
import { as, nameOf } from '../syntax.js';

export interface Type {
  /** PostgreSQL's own: `varchar`, `int4`, `timestamptz`. */
  readonly name: string;
  /** Such as the 50 of `varchar(50)`. */
  readonly modifiers: readonly number[];
  readonly isArray: boolean;
}

export interface Domain {
  readonly base: Type;
  isConstrained: boolean;
}

const SERIALS: Readonly<Record<string, string>> = {
  smallserial: 'int2',
  serial2: 'int2',
  serial: 'int4',
  serial4: 'int4',
  bigserial: 'int8',
  serial8: 'int8',
};

/** Casts `WITHOUT FUNCTION` among the types that a column may have: `SELECT * FROM pg_cast WHERE castmethod = 'b'`. */
const SAME_BYTES =
  /^((text|varchar|xml) (varchar|bpchar|text)|bit varbit|varbit bit|cidr inet|int4 oid|oid int4)$/;

/** Fractional digits of a second. */
const FINEST = 6;

/** The modifier of an `interval` without a restriction to some fields. */
const ALL_FIELDS = 0x7fff;

export function typeOf(written: TypeName | undefined): Type & { readonly isSerial: boolean } {
  const name = nameOf(written?.names);
  return {
    name: SERIALS[name] ?? name,
    modifiers: (written?.typmods ?? []).map((modifier) => as(modifier, 'A_Const')?.ival?.ival ?? 0),
    isArray: (written?.arrayBounds ?? []).length > 0,
    isSerial: name in SERIALS,
  };
}

export function describeType({ name, modifiers, isArray }: Type): string {
  const shown = name === 'interval' ? modifiers.slice(1) : modifiers;
  return `${name}${shown.length > 0 ? `(${shown.join(',')})` : ''}${isArray ? '[]' : ''}`;
}

export function sameType(one: Type, other: Type): boolean {
  const [first, second] = [one, other].map(({ name, modifiers, isArray }) => [name, ...modifiers, isArray]);
  return String(first) === String(second);
}

/**
 * Whether `ALTER COLUMN … TYPE` must write every row anew, by ATColumnChangeRequiresRewrite of PostgreSQL's
 * tablecmds.c and the support functions of the length casts (varchar_support, numeric_support, …).
 */
export function rewrites(from: Type, to: Type, domains: ReadonlyMap<string, Domain>): boolean {
  if (sameType(from, to)) return false;
  const source = from.isArray ? undefined : domains.get(from.name);
  // PostgreSQL does not use the length limit of a domain's values here.
  if (source) return rewrites({ ...source.base, modifiers: [] }, to, domains);
  const target = to.isArray ? undefined : domains.get(to.name);
  if (target) return target.isConstrained || rewrites(from, target.base, domains);
  if (from.isArray || to.isArray) {
    // PostgreSQL rewrites arrays for a cast of their elements, but not for none.
    return !(from.isArray && to.isArray && from.name === to.name && to.modifiers.length === 0);
  }
  if (from.name !== to.name) return to.modifiers.length > 0 || !SAME_BYTES.test(`${from.name} ${to.name}`);
  return to.modifiers.length > 0 && !widens(from.name, from.modifiers, to.modifiers);
}

/** Whether every value that fits the former modifiers fits the new ones, as PostgreSQL knows it. */
function widens(name: string, from: readonly number[], to: readonly number[]): boolean {
  const [from0 = 0, from1 = 0] = from;
  const [to0 = 0, to1 = 0] = to;
  const isLimited = from.length > 0;
  switch (name) {
    case 'varchar':
    case 'varbit':
      return isLimited && to0 >= from0;
    case 'numeric':
      return isLimited && to0 >= from0 && to1 === from1;
    case 'timestamp':
    case 'timestamptz':
    case 'time':
    case 'timetz':
      return to0 >= FINEST || (isLimited && to0 >= from0);
    case 'interval':
      if (to0 !== ALL_FIELDS || (isLimited && from0 !== ALL_FIELDS)) return false;
      return to1 >= FINEST || (isLimited && to1 >= from1);
    default:
      return false;
  }
}
