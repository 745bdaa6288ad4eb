import type { Node } from 'libpg-query';
import { allOf, as, columnsIn, dispatch, nameOf, qualified, relationName, type ByKind } from '../syntax.js';
import { declarationOf } from './column-declaration.js';
import { typeOf } from './column-type.js';
import { beside, generatedName, type Schema } from './schema.js';

/** Takes a statement as done. For `ALTER TABLE`, see apply-alteration.ts. */
export function applyStatement(schema: Schema, node: Node): void {
  dispatch(EFFECTS, node, schema);
}

const EFFECTS: ByKind<[schema: Schema], void> = {
  CreateStmt({ relation, tableElts, inhRelations, constraints, partspec }, schema) {
    const name = relationName(relation);
    if (schema.tables.has(name)) return;
    const table = schema.addTable(name, partspec !== undefined);
    const likes = allOf(tableElts, 'TableLikeClause').map((like) => like.relation);
    for (const model of [...allOf(inhRelations, 'RangeVar'), ...likes]) {
      for (const [column, like] of schema.table(model)?.columns ?? []) {
        table.columns.set(column, { ...like, ...schema.ages });
      }
    }
    for (const column of allOf(tableElts, 'ColumnDef')) schema.addColumn(table, name, declarationOf(column));
    for (const clause of [...allOf(tableElts, 'Constraint'), ...allOf(constraints, 'Constraint')]) {
      schema.addConstraint(table, name, clause);
    }
  },
  CreateTableAsStmt: ({ into }, schema) => schema.addUnknownTable(into),
  SelectStmt: ({ intoClause }, schema) => schema.addUnknownTable(intoClause),
  IndexStmt({ idxname, relation, indexParams, indexIncludingParams, whereClause }, schema) {
    const table = relationName(relation);
    const elements = allOf(indexParams, 'IndexElem');
    const keys = elements.flatMap(({ name }) => name ?? []);
    const included = allOf(indexIncludingParams, 'IndexElem').flatMap(({ name }) => name ?? []);
    const columns = [...keys, ...included, ...columnsIn([indexParams, whereClause])];
    const isComputed = whereClause !== undefined || elements.some(({ expr }) => expr !== undefined);
    const name = beside(table, idxname ?? generatedName(table, keys, 'idx'));
    if (!schema.indexes.has(name)) schema.indexes.set(name, { table, keys, columns, isComputed });
  },
  DropStmt({ objects, removeType }, schema) {
    for (const name of droppedNames(objects)) {
      if (removeType === 'OBJECT_TABLE' || removeType === 'OBJECT_MATVIEW') schema.dropTable(name);
      if (removeType === 'OBJECT_INDEX') schema.indexes.delete(name);
      if (removeType === 'OBJECT_TYPE' || removeType === 'OBJECT_DOMAIN') schema.domains.delete(name);
      schema.dropOther(removeType, name);
    }
  },
  RenameStmt({ renameType, relation, subname = '', newname = '' }, schema) {
    const from = relationName(relation);
    const to = qualified([...(relation?.schemaname ? [relation.schemaname] : []), newname]);
    const table = schema.tables.get(from);
    if (renameType === 'OBJECT_TABLE') schema.renameTable(from, to);
    if (renameType === 'OBJECT_INDEX') rename(schema.indexes, from, to);
    if (renameType === 'OBJECT_TABCONSTRAINT' && table) rename(table.constraints, subname, newname);
    if (renameType === 'OBJECT_COLUMN' && table) {
      const column = table.columns.get(subname);
      if (column) column.namedSince = schema.now;
      rename(table.columns, subname, newname);
      const renamed = (names: readonly string[]) => names.map((name) => (name === subname ? newname : name));
      for (const constraint of table.constraints.values()) {
        constraint.columns = renamed(constraint.columns);
        constraint.notNull = renamed(constraint.notNull);
      }
      for (const [, index] of schema.indexesOf(from)) {
        index.keys = renamed(index.keys);
        index.columns = renamed(index.columns);
      }
    }
  },
  AlterObjectSchemaStmt({ objectType, relation, newschema = '' }, schema) {
    const to = qualified([newschema, relation?.relname ?? '']);
    if (objectType === 'OBJECT_TABLE') schema.renameTable(relationName(relation), to);
  },
  CreateDomainStmt({ domainname, typeName, constraints }, schema) {
    const name = nameOf(domainname);
    const isConstrained = allOf(constraints, 'Constraint').some(
      ({ contype }) => contype === 'CONSTR_CHECK' || contype === 'CONSTR_NOTNULL',
    );
    schema.domains.set(name, { base: typeOf(typeName), isConstrained });
    schema.addOther('OBJECT_DOMAIN', name);
  },
  AlterDomainStmt({ subtype, typeName }, schema) {
    const domain = schema.domains.get(nameOf(typeName));
    if (domain && (subtype === 'C' || subtype === 'O')) domain.isConstrained = true;
  },
  CreateFunctionStmt({ funcname, options, is_procedure: isProcedure }, schema) {
    const name = nameOf(funcname);
    const volatility = allOf(options, 'DefElem').find(({ defname }) => defname === 'volatility');
    const isSteady = /^(stable|immutable)$/.test(as(volatility?.arg, 'String')?.sval ?? '');
    if (isSteady) schema.steadyFunctions.add(name);
    else schema.steadyFunctions.delete(name);
    schema.addOther(isProcedure ? 'OBJECT_PROCEDURE' : 'OBJECT_FUNCTION', name);
  },
  CreateEnumStmt: ({ typeName }, schema) => schema.addOther('OBJECT_TYPE', nameOf(typeName)),
  CompositeTypeStmt: ({ typevar }, schema) => schema.addOther('OBJECT_TYPE', relationName(typevar)),
  ViewStmt: ({ view }, schema) => schema.addOther('OBJECT_VIEW', relationName(view)),
  CreateSeqStmt: ({ sequence }, schema) => schema.addOther('OBJECT_SEQUENCE', relationName(sequence)),
  CreateSchemaStmt: ({ schemaname = '' }, schema) => schema.addOther('OBJECT_SCHEMA', schemaname),
  CreateExtensionStmt: ({ extname = '' }, schema) => schema.addOther('OBJECT_EXTENSION', extname),
  CreateTrigStmt: ({ relation, trigname = '' }, schema) =>
    schema.addOther('OBJECT_TRIGGER', `${relationName(relation)}.${trigname}`),
  DefineStmt({ kind, defnames }, schema) {
    if (kind) schema.addOther(kind, nameOf(defnames));
  },
  CreatePolicyStmt: ({ table, policy_name: name = '' }, schema) =>
    schema.addOther('OBJECT_POLICY', `${relationName(table)}.${name}`),
};

/** The names in a DROP: of a function without its arguments, of a trigger with its table. */
export function droppedNames(objects: readonly Node[] | undefined): string[] {
  return (objects ?? []).map((object) =>
    nameOf(
      as(object, 'List')?.items ??
        as(object, 'TypeName')?.names ??
        as(object, 'ObjectWithArgs')?.objname ?? [object],
    ),
  );
}

function rename<Thing>(things: Map<string, Thing>, from: string, to: string): void {
  const thing = things.get(from);
  things.delete(from);
  if (thing !== undefined) things.set(to, thing);
}
