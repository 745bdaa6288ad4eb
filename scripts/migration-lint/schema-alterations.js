import { declarationOf } from './columns.js';
import { as, relationName } from './syntax.js';

/**
 * Takes a command of an `ALTER TABLE` as done.
 *
 * @param {import('./schema.js').Schema} schema
 * @param {import('libpg-query').RangeVar | undefined} relation
 * @param {import('libpg-query').AlterTableCmd} command
 * @param {number} now
 */
export function applyAlteration(schema, relation, command, now) {
  const name = relationName(relation);
  const table = schema.tables.get(name);
  if (table && command.subtype) ALTERATIONS[command.subtype]?.({ schema, name, table, command, now });
}

/**
 * @typedef {object} Alteration
 * @property {import('./schema.js').Schema} schema
 * @property {string} name the table's
 * @property {import('./schema.js').Table} table
 * @property {import('libpg-query').AlterTableCmd} command
 * @property {number} now
 */

/** @type {{ readonly [Subtype in import('libpg-query').AlterTableType]?: (alteration: Alteration) => void }} */
const ALTERATIONS = {
  AT_AddColumn({ schema, name, table, command, now }) {
    const definition = as(command.def, 'ColumnDef');
    if (definition) schema.addColumn(table, name, declarationOf(definition), now);
  },
  AT_DropColumn({ schema, name, table, command }) {
    const column = command.name ?? '';
    table.columns.delete(column);
    for (const [constraint, { columns }] of table.constraints) {
      if (columns.includes(column)) table.constraints.delete(constraint);
    }
    for (const [index, { columns }] of schema.indexesOf(name)) {
      if (columns.includes(column)) schema.indexes.delete(index);
    }
  },
  AT_AlterColumnType({ table, command }) {
    const definition = as(command.def, 'ColumnDef');
    const column = table.columns.get(command.name ?? '');
    if (!definition || !column) return;
    const { type, collation } = declarationOf(definition);
    Object.assign(column, { type, collation });
  },
  AT_SetNotNull: ({ schema, table, command, now }) => schema.setNotNull(table, [command.name ?? ''], now),
  AT_DropNotNull({ table, command }) {
    const name = command.name ?? '';
    const column = table.columns.get(name);
    if (column) column.isNotNull = false;
    for (const [constraint, { kind, columns }] of table.constraints) {
      if (kind === 'not null' && columns.includes(name)) table.constraints.delete(constraint);
    }
  },
  AT_ColumnDefault({ table, command, now }) {
    const column = table.columns.get(command.name ?? '');
    if (!column) return;
    if (command.def) column.filledSince = now;
    column.isFilled = command.def !== undefined;
  },
  AT_AddIdentity({ table, command, now }) {
    const column = table.columns.get(command.name ?? '');
    if (column) Object.assign(column, { isFilled: true, filledSince: now });
  },
  AT_DropIdentity({ table, command }) {
    const column = table.columns.get(command.name ?? '');
    if (column) column.isFilled = false;
  },
  AT_DropExpression({ table, command }) {
    const column = table.columns.get(command.name ?? '');
    if (column) Object.assign(column, { generated: undefined, isFilled: false });
  },
  AT_AddConstraint({ schema, name, table, command, now }) {
    const clause = as(command.def, 'Constraint');
    if (clause) schema.addConstraint(table, name, clause, now);
  },
  AT_ValidateConstraint({ schema, table, command, now }) {
    const constraint = table.constraints.get(command.name ?? '');
    if (!constraint) return;
    constraint.isValid = true;
    if (constraint.kind === 'not null') schema.setNotNull(table, constraint.columns, now);
  },
  AT_DropConstraint({ schema, name: tableName, table, command }) {
    const name = command.name ?? '';
    const constraint = table.constraints.get(name);
    if (constraint?.kind === 'not null') {
      for (const column of constraint.columns)
        Object.assign(table.columns.get(column) ?? {}, { isNotNull: false });
    }
    table.constraints.delete(name);
    schema.indexes.delete(schema.beside(tableName, name));
  },
};
