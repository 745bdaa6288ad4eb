import { allOf, as, qualified } from './syntax.js';

/**
 * @typedef {object} Type
 * @property {string} name PostgreSQL's own: `varchar`, `int4`, `timestamptz`
 * @property {readonly number[]} modifiers such as the 50 of `varchar(50)`
 * @property {boolean} isArray
 */

/** @typedef {{ base: Type, isConstrained: boolean }} Domain */

/** @type {Readonly<Record<string, string>>} */
const SERIALS = {
  smallserial: 'int2',
  serial2: 'int2',
  serial: 'int4',
  serial4: 'int4',
  bigserial: 'int8',
  serial8: 'int8',
};

/** Casts `WITHOUT FUNCTION` among the types that a column may have: `SELECT * FROM pg_cast WHERE castmethod = 'b'`. */
const SAME_BYTES = new Set([
  'text varchar',
  'text bpchar',
  'varchar text',
  'varchar bpchar',
  'xml text',
  'xml varchar',
  'xml bpchar',
  'bit varbit',
  'varbit bit',
  'cidr inet',
  'int4 oid',
  'oid int4',
]);

/** Fractional digits of a second. */
const FINEST = 6;

/** How `interval` says that it keeps every field. */
const ALL_FIELDS = 0x7fff;

/**
 * @param {import('libpg-query').TypeName | undefined} written
 * @returns {Type & { isSerial: boolean }}
 */
export function typeOf(written) {
  const name = qualified(allOf(written?.names, 'String').map(({ sval }) => sval ?? ''));
  return {
    name: SERIALS[name] ?? name,
    modifiers: (written?.typmods ?? []).map((modifier) => as(modifier, 'A_Const')?.ival?.ival ?? 0),
    isArray: (written?.arrayBounds ?? []).length > 0,
    isSerial: name in SERIALS,
  };
}

/** @param {Type} type */
export function describeType({ name, modifiers, isArray }) {
  const shown = name === 'interval' ? modifiers.slice(1) : modifiers;
  return `${name}${shown.length > 0 ? `(${shown.join(',')})` : ''}${isArray ? '[]' : ''}`;
}

/**
 * Whether `ALTER COLUMN … TYPE` must write every row anew, by ATColumnChangeRequiresRewrite of PostgreSQL's
 * tablecmds.c and the support functions of the length casts (varchar_support, numeric_support, …).
 *
 * @param {Type} from
 * @param {Type} to
 * @param {ReadonlyMap<string, Domain>} domains
 * @returns {boolean}
 */
export function rewrites(from, to, domains) {
  if (sameType(from, to)) return false;
  const source = from.isArray ? undefined : domains.get(from.name);
  // Of a domain PostgreSQL does not remember here how long its values may be.
  if (source) return rewrites({ ...source.base, modifiers: [] }, to, domains);
  const target = to.isArray ? undefined : domains.get(to.name);
  if (target) return target.isConstrained || rewrites(from, target.base, domains);
  if (from.isArray || to.isArray) {
    // An array is walked through for a cast of its elements, but not for none.
    return !(from.isArray && to.isArray && from.name === to.name && to.modifiers.length === 0);
  }
  if (from.name !== to.name) return to.modifiers.length > 0 || !SAME_BYTES.has(`${from.name} ${to.name}`);
  return to.modifiers.length > 0 && !widens(from.name, from.modifiers, to.modifiers);
}

/**
 * Whether every value that fits the former modifiers fits the new ones, as PostgreSQL knows it.
 *
 * @param {string} name
 * @param {readonly number[]} from
 * @param {readonly number[]} to
 */
function widens(name, from, to) {
  switch (name) {
    case 'varchar':
    case 'varbit':
      return from.length > 0 && at(to, 0) >= at(from, 0);
    case 'numeric':
      return from.length > 0 && at(to, 0) >= at(from, 0) && at(to, 1) === at(from, 1);
    case 'timestamp':
    case 'timestamptz':
    case 'time':
    case 'timetz':
      return at(to, 0) >= FINEST || (from.length > 0 && at(to, 0) >= at(from, 0));
    case 'interval':
      if (at(to, 0) !== ALL_FIELDS || (from.length > 0 && at(from, 0) !== ALL_FIELDS)) return false;
      return at(to, 1) >= FINEST || (from.length > 0 && at(to, 1) >= at(from, 1));
    default:
      return false;
  }
}

/**
 * @param {readonly number[]} modifiers
 * @param {number} index
 */
function at(modifiers, index) {
  return modifiers[index] ?? 0;
}

/**
 * @param {Type} one
 * @param {Type} other
 */
export function sameType(one, other) {
  return describe(one) === describe(other);
}

/** @param {Type} type */
function describe({ name, modifiers, isArray }) {
  return [name, ...modifiers, isArray].join(' ');
}
