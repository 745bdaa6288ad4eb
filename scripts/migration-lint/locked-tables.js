import { allOf, as, kindOf, relationName } from './syntax.js';

/** Commands of `ALTER TABLE` under which others go on writing. */
const GENTLE = new Set([
  'AT_ClusterOn',
  'AT_DropCluster',
  'AT_SetOptions',
  'AT_ResetOptions',
  'AT_SetRelOptions',
  'AT_ResetRelOptions',
  'AT_SetStatistics',
  'AT_ValidateConstraint',
  'AT_AttachPartition',
]);

/**
 * The tables that a command of an `ALTER TABLE` keeps others from writing to until its transaction ends.
 * https://www.postgresql.org/docs/current/explicit-locking.html#LOCKING-TABLES
 *
 * @param {import('libpg-query').RangeVar | undefined} relation
 * @param {import('libpg-query').AlterTableCmd} command
 * @returns {string[]}
 */
export function lockedBy(relation, { subtype, def }) {
  if (GENTLE.has(subtype ?? '')) return [];
  const referenced = as(def, 'Constraint')?.pktable;
  return [relationName(relation), ...(referenced ? [relationName(referenced)] : [])];
}

/**
 * The same for a statement that is no `ALTER TABLE`.
 *
 * @param {import('./syntax.js').Node} node
 * @returns {string[]}
 */
export function lockedByStatement(node) {
  switch (kindOf(node)) {
    case 'IndexStmt':
    case 'RenameStmt':
    case 'CreateTrigStmt': {
      const { concurrent, relation } = /** @type {import('libpg-query').IndexStmt} */ (
        Object.values(node)[0]
      );
      return concurrent || !relation ? [] : [relationName(relation)];
    }
    case 'LockStmt':
      return allOf(as(node, 'LockStmt')?.relations, 'RangeVar').map(relationName);
    default:
      return [];
  }
}
