import type { AlterTableCmd, AlterTableType, ColumnDef, RangeVar } from 'libpg-query';
import { as, relationName } from '../syntax.js';
import { declarationOf } from './column-declaration.js';
import { beside, type Column, type Schema, type Table } from './schema.js';

interface Alteration {
  readonly schema: Schema;
  readonly tableName: string;
  readonly table: Table;
  /** Of the column or constraint. */
  readonly name: string;
  readonly column: Column | undefined;
  readonly definition: ColumnDef | undefined;
  readonly def: AlterTableCmd['def'];
}

/** Takes a command of an `ALTER TABLE` as done. */
export function applyAlteration(
  schema: Schema,
  relation: RangeVar | undefined,
  command: AlterTableCmd,
): void {
  const table = schema.table(relation);
  if (!table || !command.subtype) return;
  const { subtype, name = '', def } = command;
  const column = table.columns.get(name);
  const definition = as(def, 'ColumnDef');
  ALTERATIONS[subtype]?.({ schema, tableName: relationName(relation), table, name, column, definition, def });
}

const ALTERATIONS: { readonly [Subtype in AlterTableType]?: (alteration: Alteration) => void } = {
  AT_AddColumn({ schema, tableName, table, definition }) {
    if (definition) schema.addColumn(table, tableName, declarationOf(definition));
  },
  AT_DropColumn({ schema, tableName, table, name }) {
    table.columns.delete(name);
    for (const [constraint, { columns }] of table.constraints) {
      if (columns.includes(name)) table.constraints.delete(constraint);
    }
    for (const [index, { columns }] of schema.indexesOf(tableName)) {
      if (columns.includes(name)) schema.indexes.delete(index);
    }
  },
  AT_AlterColumnType({ column, definition }) {
    if (!definition) return;
    const { type, collation } = declarationOf(definition);
    change(column, { type, collation });
  },
  AT_SetNotNull: ({ schema, table, name }) => schema.setNotNull(table, [name]),
  AT_DropNotNull({ table, name, column }) {
    change(column, { isNotNull: false });
    for (const [constraint, { kind, columns }] of table.constraints) {
      if (kind === 'not null' && columns.includes(name)) table.constraints.delete(constraint);
    }
  },
  AT_ColumnDefault: ({ schema, column, def }) =>
    change(column, def ? { isFilled: true, filledSince: schema.now } : { isFilled: false }),
  AT_AddIdentity: ({ schema, column }) => change(column, { isFilled: true, filledSince: schema.now }),
  AT_DropIdentity: ({ column }) => change(column, { isFilled: false }),
  AT_DropExpression: ({ column }) => change(column, { generated: undefined, isFilled: false }),
  AT_AddConstraint({ schema, tableName, table, def }) {
    const clause = as(def, 'Constraint');
    if (clause) schema.addConstraint(table, tableName, clause);
  },
  AT_ValidateConstraint({ schema, table, name }) {
    const constraint = table.constraints.get(name);
    if (!constraint) return;
    constraint.isValid = true;
    if (constraint.kind === 'not null') schema.setNotNull(table, constraint.columns);
  },
  AT_DropConstraint({ schema, tableName, table, name }) {
    const { kind, columns = [] } = table.constraints.get(name) ?? {};
    if (kind === 'not null') {
      for (const column of columns) change(table.columns.get(column), { isNotNull: false });
    }
    table.constraints.delete(name);
    schema.indexes.delete(beside(tableName, name));
  },
};

function change(column: Column | undefined, fields: Partial<Column>): void {
  if (column) Object.assign(column, fields);
}
