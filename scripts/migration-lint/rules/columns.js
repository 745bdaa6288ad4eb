import { describeType, rewrites, sameType, typeOf } from '../column-types.js';
import { allOf, as, columnsIn, kindOf } from '../syntax.js';
import { volatileFunction } from '../volatility.js';

const NOTES = 'https://www.postgresql.org/docs/current/sql-altertable.html#SQL-ALTERTABLE-NOTES';

/** @type {readonly import('../rule.js').Rule[]} */
export const COLUMN_RULES = [
  {
    name: 'add-required-column',
    why: 'It fails where the table has a row, and the former release, which does not know the column, cannot INSERT.',
    instead: 'Give it a DEFAULT, or add it without NOT NULL, fill it, and set NOT NULL in a later release.',
    source: NOTES,
    alike: ['squawk: adding-required-field'],
    column(column, site) {
      const isFilled =
        column.default !== undefined || column.isSerial || column.isIdentity || column.generated;
      return site.isAdded && column.isNotNull && !isFilled ? `${site.name}.${column.name}` : undefined;
    },
  },
  {
    name: 'add-volatile-default',
    why: 'The default may differ from row to row, so the table is written anew while nobody can read it.',
    instead: 'ADD COLUMN without it, ALTER COLUMN … SET DEFAULT, and fill the old rows in batches.',
    source: NOTES,
    alike: [
      'squawk: adding-field-with-default',
      'strong_migrations: adding a column with a volatile default value',
    ],
    column(column, site) {
      if (!site.isAdded || column.default === undefined) return undefined;
      const called = volatileFunction(column.default, site.schema.steadyFunctions);
      return called && `${site.name}.${column.name}: ${called}() is not known to give every row the same`;
    },
  },
  {
    name: 'add-serial-column',
    why: 'Every row gets a number, so the table is written anew while nobody can read it.',
    instead: 'ADD COLUMN … bigint, fill it in batches, and only then attach a sequence as its default.',
    source: NOTES,
    alike: ['strong_migrations: adding an auto-incrementing column'],
    column(column, site) {
      return site.isAdded && (column.isSerial || column.isIdentity)
        ? `${site.name}.${column.name}`
        : undefined;
    },
  },
  {
    name: 'stored-column',
    why: 'The value of every row is computed and the table written anew while nobody can read it.',
    instead:
      'A VIRTUAL column, an index on the expression, or a plain column that a trigger keeps and batches fill.',
    source: 'https://www.postgresql.org/docs/current/ddl-generated-columns.html',
    alike: ['squawk: ban-alter-generated-expression', 'strong_migrations: adding a stored generated column'],
    column(column, site) {
      return site.isAdded && column.generated === 'stored' ? `${site.name}.${column.name}` : undefined;
    },
    alter: {
      AT_SetExpression({ name = '' }, site) {
        return site.isInUse && site.column(name)?.generated !== 'virtual'
          ? `${site.name}.${name}`
          : undefined;
      },
    },
  },
  {
    name: 'add-domain-column',
    why: 'The domain has a constraint, so the table is written anew, to check it, while nobody can read it.',
    instead: 'A column of the base type, with a CHECK added NOT VALID and validated later.',
    source: NOTES,
    alike: ['squawk: ban-create-domain-with-constraint'],
    column(column, site) {
      const domain = site.schema.domains.get(column.type.name);
      return site.isAdded && domain?.isConstrained
        ? `${site.name}.${column.name}: ${column.type.name}`
        : undefined;
    },
  },
  {
    name: 'set-not-null',
    why: 'Every row is looked at while nobody can read or write the table.',
    instead:
      'CHECK (… IS NOT NULL) NOT VALID; VALIDATE it in the next migration; then SET NOT NULL looks at no row.',
    source:
      'https://www.postgresql.org/docs/current/sql-altertable.html#SQL-ALTERTABLE-DESC-SET-DROP-NOT-NULL',
    alike: ['squawk: adding-not-nullable-field', 'strong_migrations: setting NOT NULL on an existing column'],
    alter: {
      AT_SetNotNull({ name = '' }, site) {
        return site.isInUse && !site.isProvedNotNull(name) ? `${site.name}.${name}` : undefined;
      },
      AT_AddConstraint({ def }, site) {
        const clause = as(def, 'Constraint');
        if (!site.isInUse || !clause) return undefined;
        const keys = allOf(clause.keys, 'String').map(({ sval = '' }) => sval);
        const { contype, skip_validation: isNotValid, indexname } = clause;
        const isNotNull = contype === 'CONSTR_NOTNULL' && isNotValid !== true;
        const isPrimary = contype === 'CONSTR_PRIMARY' && indexname !== undefined;
        const columns = isNotNull
          ? keys
          : isPrimary
            ? (site.schema.indexes.get(site.schema.beside(site.name, indexname))?.keys ?? [indexname])
            : [];
        return columns
          .filter((column) => !site.isProvedNotNull(column))
          .map((column) => `${site.name}.${column}`);
      },
    },
    column(column, site) {
      return site.isAdded && column.generated === 'virtual' && column.isNotNull
        ? `${site.name}.${column.name}`
        : undefined;
    },
  },
  {
    name: 'change-column-type',
    why: 'The table is written or read as a whole while nobody can read or write it.',
    instead:
      'A new column: write both, fill it in batches, read the new one, drop the old one a release later.',
    source: NOTES,
    alike: ['squawk: changing-column-type', 'strong_migrations: changing the type of a column'],
    alter: { AT_AlterColumnType: costOfChange },
  },
];

/**
 * @param {import('libpg-query').AlterTableCmd} command
 * @param {import('../rule.js').AlterSite} site
 * @returns {string | undefined}
 */
function costOfChange({ name = '', def }, site) {
  const definition = as(def, 'ColumnDef');
  if (!site.isInUse || !definition) return undefined;
  const column = site.column(name);
  const place = `${site.name}.${name}`;
  if (!column) return `${place}: its type before is not known`;
  const to = typeOf(definition.typeName);
  const change = `${place}: ${describeType(column.type)} to ${describeType(to)}`;
  if (!isPlain(definition.raw_default, name, to)) return `${change}: USING computes every row anew`;
  if (rewrites(column.type, to, site.schema.domains)) return `${change}: every row is written anew`;

  const checks = [...(site.table?.constraints ?? [])];
  const check = checks.find(([, { kind, columns }]) => kind === 'check' && columns.includes(name));
  if (check) return `${change}: every row is checked by ${check[0]} again`;

  const collation = definition.collClause && allOf(definition.collClause.collname, 'String').at(-1)?.sval;
  const recollates = collation !== column.collation;
  const indexes = site.schema.indexesOf(site.name);
  const index = indexes.find(
    ([, { columns, isComputed }]) => columns.includes(name) && (isComputed || recollates),
  );
  return index && `${change}: index ${index[0]} is built anew`;
}

/**
 * Whether USING says no more than PostgreSQL would do by itself: the column, or its cast to the new type.
 *
 * @param {import('libpg-query').Node | undefined} using
 * @param {string} column
 * @param {import('../column-types.js').Type} to
 */
function isPlain(using, column, to) {
  if (using === undefined) return true;
  const cast = as(using, 'TypeCast');
  const source = cast ? cast.arg : using;
  const isColumn = source !== undefined && kindOf(source) === 'ColumnRef' && columnsIn(source)[0] === column;
  return isColumn && (!cast || sameType(typeOf(cast.typeName), to));
}
