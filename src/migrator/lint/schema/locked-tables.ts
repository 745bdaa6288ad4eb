import type { AlterTableCmd, Node, RangeVar } from 'libpg-query';
import { allOf, as, dispatch, relationName, type ByKind } from '../syntax.js';

/** Commands of `ALTER TABLE` under which others go on writing. */
const GENTLE =
  /^AT_(ClusterOn|DropCluster|(Set|Reset)(Rel)?Options|SetStatistics|ValidateConstraint|AttachPartition)$/;

/**
 * The tables that a command of an `ALTER TABLE` keeps others from writing to until its transaction ends.
 * https://www.postgresql.org/docs/current/explicit-locking.html#LOCKING-TABLES
 */
export function lockedByCommand(relation: RangeVar | undefined, { subtype, def }: AlterTableCmd) {
  return GENTLE.test(String(subtype)) ? [] : named(relation, as(def, 'Constraint')?.pktable);
}

/** The same for a statement that is no `ALTER TABLE`. */
export function lockedByStatement(node: Node): string[] {
  return dispatch(LOCKS, node) ?? [];
}

const LOCKS: ByKind<[], string[]> = {
  IndexStmt: ({ concurrent, relation }) => (concurrent ? [] : named(relation)),
  RenameStmt: ({ relation }) => named(relation),
  CreateTrigStmt: ({ relation }) => named(relation),
  LockStmt: ({ relations }) => named(...allOf(relations, 'RangeVar')),
};

function named(...relations: readonly (RangeVar | undefined)[]): string[] {
  return relations.flatMap((relation) => (relation ? relationName(relation) : []));
}
