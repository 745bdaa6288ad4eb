import { allOf, as, columnsIn, isOn, relationName } from './syntax.js';

/** @typedef {import('./syntax.js').Nodes} Nodes */
/** @typedef {import('./syntax.js').Statement} Statement */

/**
 * Whether a statement that was done, or broken off, may be run again and does no more than it did: what a migration
 * outside a transaction must bear. Of an index that is built concurrently, src/migrator/apply/concurrent-index.ts takes
 * care, which knows it by the first words of the statement.
 *
 * @param {Statement} statement
 * @param {readonly Statement[]} earlier in the same migration
 */
export function isRepeatable({ kind, node, lead }, earlier) {
  if (ALWAYS.has(kind)) return true;
  const test = SOMETIMES[/** @type {keyof Nodes} */ (kind)];
  return (
    test?.(/** @type {never} */ (Object.values(node)[0]), { earlier, isFirst: lead.trim() === '' }) ?? false
  );
}

const ALWAYS = new Set([
  'ClusterStmt',
  'CommentStmt',
  'DeleteStmt',
  'GrantStmt',
  'RefreshMatViewStmt',
  'SelectStmt',
  'VacuumStmt',
  'VariableSetStmt',
]);

const REPEATABLE_ALTERATIONS = new Set([
  'AT_ColumnDefault',
  'AT_DropNotNull',
  'AT_SetNotNull',
  'AT_SetOptions',
  'AT_SetRelOptions',
  'AT_SetStatistics',
  'AT_SetStorage',
  'AT_ValidateConstraint',
]);

/** @typedef {{ earlier: readonly Statement[], isFirst: boolean }} Place isFirst: nothing, no comment, stands before it */
/** @type {{ readonly [Kind in keyof Nodes]?: (body: Nodes[Kind], place: Place) => boolean | undefined }} */
const SOMETIMES = {
  IndexStmt: ({ idxname, concurrent, if_not_exists: asNeeded }, { isFirst }) =>
    idxname !== undefined && (concurrent ? isFirst : asNeeded),
  DropStmt: ({ removeType, concurrent, missing_ok: asNeeded, objects, behavior }, { isFirst }) =>
    asNeeded ||
    (removeType === 'OBJECT_INDEX' &&
      concurrent &&
      isFirst &&
      objects?.length === 1 &&
      behavior === 'DROP_RESTRICT'),
  ReindexStmt: ({ params }) => isOn(params, 'concurrently'),
  CreateStmt: ({ if_not_exists: asNeeded }) => asNeeded,
  CreateTableAsStmt: ({ if_not_exists: asNeeded }) => asNeeded,
  CreateSchemaStmt: ({ if_not_exists: asNeeded }) => asNeeded,
  CreateSeqStmt: ({ if_not_exists: asNeeded }) => asNeeded,
  CreateExtensionStmt: ({ if_not_exists: asNeeded }) => asNeeded,
  CreateFunctionStmt: ({ replace }) => replace,
  CreateTrigStmt: ({ replace }) => replace,
  ViewStmt: ({ replace }) => replace,
  AlterEnumStmt: ({ skipIfNewValExists }) => skipIfNewValExists,
  InsertStmt: ({ onConflictClause }) => onConflictClause !== undefined,
  // Rows that were done once are passed over the second time.
  UpdateStmt({ targetList, whereClause }) {
    const asked = columnsIn(whereClause);
    return allOf(targetList, 'ResTarget').some(({ name }) => asked.includes(name ?? ''));
  },
  AlterTableStmt: ({ relation, cmds }, { earlier }) =>
    allOf(cmds, 'AlterTableCmd').every(({ subtype = '', missing_ok: asNeeded, def }) => {
      if (asNeeded || REPEATABLE_ALTERATIONS.has(subtype)) return true;
      const added = subtype === 'AT_AddConstraint' ? as(def, 'Constraint')?.conname : undefined;
      return added !== undefined && dropsIfThere(earlier, relationName(relation), added);
    }),
};

/**
 * @param {readonly Statement[]} statements
 * @param {string} table
 * @param {string} constraint
 */
function dropsIfThere(statements, table, constraint) {
  return statements.some(({ node }) => {
    const { relation, cmds } = as(node, 'AlterTableStmt') ?? {};
    return (
      relationName(relation) === table &&
      allOf(cmds, 'AlterTableCmd').some(
        ({ subtype, name, missing_ok: asNeeded }) =>
          subtype === 'AT_DropConstraint' && asNeeded && name === constraint,
      )
    );
  });
}
