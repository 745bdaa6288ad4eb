import { typeOf } from './column-types.js';
import { declarationOf } from './columns.js';
import { generatedName, newTable } from './schema.js';
import { allOf, as, columnsIn, kindOf, nameOf, qualified, relationName } from './syntax.js';

/** @typedef {import('libpg-query').Node} Node */
/** @typedef {import('./schema.js').Schema} Schema */
/** @typedef {import('./syntax.js').Nodes} Nodes */

/**
 * Takes a statement as done. `ALTER TABLE` is taken command by command, in schema-alterations.js.
 *
 * @param {Schema} schema
 * @param {Node} node
 * @param {number} now
 */
export function applyStatement(schema, node, now) {
  const effect = EFFECTS[/** @type {keyof Nodes} */ (kindOf(node))];
  effect?.(schema, /** @type {never} */ (Object.values(node)[0]), now);
}

/** @type {{ readonly [Kind in keyof Nodes]?: (schema: Schema, body: Nodes[Kind], now: number) => void }} */
const EFFECTS = {
  CreateStmt(schema, { relation, tableElts, inhRelations, constraints, partspec }, now) {
    const name = relationName(relation);
    if (schema.tables.has(name)) return;
    const table = newTable(now, partspec !== undefined);
    schema.tables.set(name, table);
    const models = [
      ...allOf(inhRelations, 'RangeVar'),
      ...allOf(tableElts, 'TableLikeClause').map((like) => like.relation),
    ];
    for (const model of models) {
      const ages = { since: now, namedSince: now, notNullSince: now, filledSince: now };
      for (const [column, like] of schema.table(model)?.columns ?? []) {
        table.columns.set(column, { ...like, ...ages });
      }
    }
    for (const column of allOf(tableElts, 'ColumnDef')) {
      schema.addColumn(table, name, declarationOf(column), now);
    }
    for (const clause of [...allOf(tableElts, 'Constraint'), ...allOf(constraints, 'Constraint')]) {
      schema.addConstraint(table, name, clause, now);
    }
  },
  CreateTableAsStmt: (schema, { into }, now) => schema.addUnknownTable(into, now),
  SelectStmt: (schema, { intoClause }, now) => schema.addUnknownTable(intoClause, now),
  IndexStmt(schema, { idxname, relation, indexParams, indexIncludingParams, whereClause }, now) {
    const table = relationName(relation);
    const elements = allOf(indexParams, 'IndexElem');
    const keys = elements.flatMap(({ name }) => name ?? []);
    const included = allOf(indexIncludingParams, 'IndexElem').flatMap(({ name }) => name ?? []);
    const columns = [...keys, ...included, ...columnsIn([indexParams, whereClause])];
    const isComputed = whereClause !== undefined || elements.some(({ expr }) => expr !== undefined);
    const name = schema.beside(table, idxname ?? generatedName(table, keys, 'idx'));
    if (!schema.indexes.has(name)) schema.indexes.set(name, { table, keys, columns, isComputed, since: now });
  },
  DropStmt(schema, { objects, removeType }) {
    for (const name of droppedNames(objects)) {
      if (removeType === 'OBJECT_TABLE' || removeType === 'OBJECT_MATVIEW') schema.dropTable(name);
      if (removeType === 'OBJECT_INDEX') schema.indexes.delete(name);
      if (removeType === 'OBJECT_TYPE' || removeType === 'OBJECT_DOMAIN') schema.domains.delete(name);
      schema.others.delete(`${removeType} ${name}`);
    }
  },
  RenameStmt(schema, { renameType, relation, subname = '', newname = '' }, now) {
    const from = relationName(relation);
    const table = schema.tables.get(from);
    const inSchema = relation?.schemaname ? [relation.schemaname] : [];
    if (renameType === 'OBJECT_TABLE') schema.renameTable(from, qualified([...inSchema, newname]), now);
    if (renameType === 'OBJECT_INDEX') {
      const index = schema.indexes.get(from);
      schema.indexes.delete(from);
      if (index) schema.indexes.set(qualified([...inSchema, newname]), index);
    }
    if (renameType === 'OBJECT_TABCONSTRAINT' && table) rename(table.constraints, subname, newname);
    if (renameType === 'OBJECT_COLUMN' && table) {
      const column = table.columns.get(subname);
      if (column) column.namedSince = now;
      rename(table.columns, subname, newname);
      const renamed = (/** @type {readonly string[]} */ names) =>
        names.map((name) => (name === subname ? newname : name));
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
  AlterObjectSchemaStmt(schema, { objectType, relation, newschema = '' }, now) {
    if (objectType === 'OBJECT_TABLE') {
      schema.renameTable(relationName(relation), qualified([newschema, relation?.relname ?? '']), now);
    }
  },
  CreateDomainStmt(schema, { domainname, typeName, constraints }, now) {
    const name = nameOf(domainname);
    schema.domains.set(name, { base: typeOf(typeName), isConstrained: constrains(constraints) });
    schema.addOther('OBJECT_DOMAIN', name, now);
  },
  AlterDomainStmt(schema, { subtype, typeName }) {
    const domain = schema.domains.get(nameOf(typeName));
    if (domain && (subtype === 'C' || subtype === 'O')) domain.isConstrained = true;
  },
  CreateFunctionStmt(schema, { funcname, options, is_procedure: isProcedure }, now) {
    const name = nameOf(funcname);
    const volatility = allOf(options, 'DefElem').find(({ defname }) => defname === 'volatility');
    const isSteady = ['stable', 'immutable'].includes(as(volatility?.arg, 'String')?.sval ?? 'volatile');
    if (isSteady) schema.steadyFunctions.add(name);
    else schema.steadyFunctions.delete(name);
    schema.addOther(isProcedure ? 'OBJECT_PROCEDURE' : 'OBJECT_FUNCTION', name, now);
  },
  CreateEnumStmt: (schema, { typeName }, now) => schema.addOther('OBJECT_TYPE', nameOf(typeName), now),
  CompositeTypeStmt: (schema, { typevar }, now) => schema.addOther('OBJECT_TYPE', relationName(typevar), now),
  ViewStmt: (schema, { view }, now) => schema.addOther('OBJECT_VIEW', relationName(view), now),
  CreateSeqStmt: (schema, { sequence }, now) =>
    schema.addOther('OBJECT_SEQUENCE', relationName(sequence), now),
  CreateSchemaStmt: (schema, { schemaname = '' }, now) => schema.addOther('OBJECT_SCHEMA', schemaname, now),
  CreateExtensionStmt: (schema, { extname = '' }, now) => schema.addOther('OBJECT_EXTENSION', extname, now),
  CreateTrigStmt: (schema, { relation, trigname }, now) =>
    schema.addOther('OBJECT_TRIGGER', `${relationName(relation)}.${trigname}`, now),
  DefineStmt: (schema, { kind, defnames }, now) => {
    if (kind) schema.addOther(kind, nameOf(defnames), now);
  },
  CreatePolicyStmt: (schema, { table, policy_name: name }, now) =>
    schema.addOther('OBJECT_POLICY', `${relationName(table)}.${name}`, now),
};

/**
 * The names in a DROP: of a function without its arguments, of a trigger with its table.
 *
 * @param {readonly Node[] | undefined} objects
 * @returns {string[]}
 */
export function droppedNames(objects) {
  return (objects ?? []).map((object) => {
    const parts = as(object, 'List')?.items ??
      as(object, 'TypeName')?.names ??
      as(object, 'ObjectWithArgs')?.objname ?? [object];
    return nameOf(parts);
  });
}

/**
 * @template Thing
 * @param {Map<string, Thing>} things
 * @param {string} from
 * @param {string} to
 */
function rename(things, from, to) {
  const thing = things.get(from);
  things.delete(from);
  if (thing !== undefined) things.set(to, thing);
}

/**
 * Whether a domain refuses a value of its base type.
 *
 * @param {readonly Node[] | undefined} clauses
 */
function constrains(clauses) {
  return allOf(clauses, 'Constraint').some(
    ({ contype }) => contype === 'CONSTR_CHECK' || contype === 'CONSTR_NOTNULL',
  );
}
