import type { AlterTableCmd, Node } from 'libpg-query';
import { POSTGRES_DOCS, type Rule, type TableSite } from '../rule.js';
import { describeType, rewrites, sameType, typeOf, type Type } from '../schema/column-type.js';
import { beside } from '../schema/schema.js';
import { as, columnsIn, textsOf } from '../syntax.js';
import { volatileFunction } from '../volatility.js';

const NOTES = `${POSTGRES_DOCS}/sql-altertable.html#SQL-ALTERTABLE-NOTES`;

export const COLUMN_RULES: readonly Rule[] = [
  {
    name: 'add-required-column',
    why: 'It fails where the table has a row, and the previous release, which does not know the column, cannot INSERT.',
    instead: 'Give it a DEFAULT, or add it without NOT NULL, fill it, and set NOT NULL in a later release.',
    source: NOTES,
    column(column, site) {
      const isFilled = column.default ?? column.generated ?? (column.isSerial || column.isIdentity);
      return site.isAdded && column.isNotNull && !isFilled && site.path(column.name);
    },
  },
  {
    name: 'add-volatile-default',
    why: 'The default may differ from row to row, so the table is rewritten while nobody can read it.',
    instead: 'ADD COLUMN without it, ALTER COLUMN … SET DEFAULT, and fill the old rows in batches.',
    source: NOTES,
    column(column, site) {
      if (!site.isAdded || column.default === undefined) return undefined;
      const called = volatileFunction(column.default, site.schema.steadyFunctions);
      return called && `${site.path(column.name)}: ${called}() is not known to give every row the same`;
    },
  },
  {
    name: 'add-serial-column',
    why: 'Every row gets a number, so the table is rewritten while nobody can read it.',
    instead: 'ADD COLUMN … bigint, fill it in batches, and only then attach a sequence as its default.',
    source: NOTES,
    column: ({ name, isSerial, isIdentity }, site) =>
      site.isAdded && (isSerial || isIdentity) && site.path(name),
  },
  {
    name: 'stored-column',
    why: 'The value of every row is computed and the table rewritten while nobody can read it.',
    instead:
      'A VIRTUAL column, an index on the expression, or a plain column that a trigger keeps and batches fill.',
    source: `${POSTGRES_DOCS}/ddl-generated-columns.html`,
    column: ({ name, generated }, site) => site.isAdded && generated === 'stored' && site.path(name),
    alter: {
      AT_SetExpression: ({ name = '' }, site) =>
        site.isInUse && site.column(name)?.generated !== 'virtual' && site.path(name),
    },
  },
  {
    name: 'add-domain-column',
    why: 'The domain has a constraint, so the table is rewritten, to check it, while nobody can read it.',
    instead: 'A column of the base type, with a CHECK added NOT VALID and validated later.',
    source: NOTES,
    column({ name, type }, site) {
      const isConstrained = site.schema.domains.get(type.name)?.isConstrained;
      return site.isAdded && isConstrained && `${site.path(name)}: ${type.name}`;
    },
  },
  {
    name: 'set-not-null',
    why: 'Every row is scanned while nobody can read or write the table.',
    instead:
      'CHECK (… IS NOT NULL) NOT VALID; VALIDATE it in the next migration; then SET NOT NULL scans no row.',
    source: `${POSTGRES_DOCS}/sql-altertable.html#SQL-ALTERTABLE-DESC-SET-DROP-NOT-NULL`,
    alter: {
      AT_SetNotNull: ({ name = '' }, site) => site.isInUse && !site.isProvedNotNull(name) && site.path(name),
      AT_AddConstraint({ def }, site) {
        const clause = as(def, 'Constraint');
        if (!site.isInUse || !clause) return undefined;
        const { contype, skip_validation: isNotValid, indexname } = clause;
        let columns: readonly string[] = [];
        if (contype === 'CONSTR_NOTNULL' && !isNotValid) columns = textsOf(clause.keys);
        if (contype === 'CONSTR_PRIMARY' && indexname)
          columns = site.schema.indexes.get(beside(site.name, indexname))?.keys ?? [indexname];
        return columns.filter((column) => !site.isProvedNotNull(column)).map(site.path);
      },
    },
    column: ({ name, generated, isNotNull }, site) =>
      site.isAdded && generated === 'virtual' && isNotNull && site.path(name),
  },
  {
    name: 'change-column-type',
    why: 'The table is rewritten or scanned while nobody can read or write it.',
    instead:
      'A new column: write both, fill it in batches, read the new one, drop the old one a release later.',
    source: NOTES,
    alter: { AT_AlterColumnType: costOfChange },
  },
];

function costOfChange({ name = '', def }: AlterTableCmd, site: TableSite): string | undefined {
  const definition = as(def, 'ColumnDef');
  if (!site.isInUse || !definition) return undefined;
  const column = site.column(name);
  if (!column) return `${site.path(name)}: its type before is not known`;
  const to = typeOf(definition.typeName);
  const change = `${site.path(name)}: ${describeType(column.type)} to ${describeType(to)}`;
  if (!isPlain(definition.raw_default, name, to)) return `${change}: USING recomputes every row`;
  if (rewrites(column.type, to, site.schema.domains)) return `${change}: every row is rewritten`;

  const check = [...(site.table?.constraints ?? [])].find(
    ([, { kind, columns }]) => kind === 'check' && columns.includes(name),
  );
  if (check) return `${change}: every row is checked by ${check[0]} again`;

  const recollates = textsOf(definition.collClause?.collname).at(-1) !== column.collation;
  const index = site.schema
    .indexesOf(site.name)
    .find(([, { columns, isComputed }]) => columns.includes(name) && (isComputed || recollates));
  return index && `${change}: index ${index[0]} is rebuilt`;
}

/** Whether USING is what PostgreSQL would do without it: the column, or its cast to the new type. */
function isPlain(using: Node | undefined, column: string, to: Type): boolean {
  if (using === undefined) return true;
  const cast = as(using, 'TypeCast');
  const source = cast ? cast.arg : using;
  return (
    as(source, 'ColumnRef') !== undefined &&
    columnsIn(source)[0] === column &&
    (!cast || sameType(typeOf(cast.typeName), to))
  );
}
