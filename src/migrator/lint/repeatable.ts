import { allOf, as, columnsIn, dispatch, isOn, relationName, type ByKind, type Statement } from './syntax.js';

/**
 * Whether a statement that was done, or broken off, can be run again and does no more than it did: a migration outside
 * a transaction must bear that. src/migrator/apply/concurrent-index.ts takes care of an index that is built
 * concurrently; it knows it by the first words of the statement.
 *
 * @param earlier statements of the same migration
 */
export function isRepeatable({ kind, node, lead }: Statement, earlier: readonly Statement[]): boolean {
  return ALWAYS.test(kind) || dispatch(SOMETIMES, node, { earlier, isFirst: lead.trim() === '' }) === true;
}

const ALWAYS = /^(Cluster|Comment|Delete|Grant|RefreshMatView|Select|Vacuum|VariableSet)Stmt$/;

const REPEATABLE_ALTERATIONS =
  /^AT_(ColumnDefault|DropNotNull|SetNotNull|SetOptions|SetRelOptions|SetStatistics|SetStorage|ValidateConstraint)$/;

interface Place {
  readonly earlier: readonly Statement[];
  /** Nothing, no comment, stands before it. */
  readonly isFirst: boolean;
}

const ifNotExists = ({ if_not_exists: asNeeded }: { if_not_exists?: boolean }) => asNeeded;
const orReplace = ({ replace }: { replace?: boolean }) => replace;

const SOMETIMES: ByKind<[place: Place], boolean | undefined> = {
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
  CreateStmt: ifNotExists,
  CreateTableAsStmt: ifNotExists,
  CreateSchemaStmt: ifNotExists,
  CreateSeqStmt: ifNotExists,
  CreateExtensionStmt: ifNotExists,
  CreateFunctionStmt: orReplace,
  CreateTrigStmt: orReplace,
  ViewStmt: orReplace,
  AlterEnumStmt: ({ skipIfNewValExists }) => skipIfNewValExists,
  InsertStmt: ({ onConflictClause }) => onConflictClause !== undefined,
  // The second time its WHERE skips the rows that were done.
  UpdateStmt({ targetList, whereClause }) {
    const asked = columnsIn(whereClause);
    return allOf(targetList, 'ResTarget').some(({ name }) => asked.includes(name ?? ''));
  },
  AlterTableStmt: ({ relation, cmds }, { earlier }) =>
    allOf(cmds, 'AlterTableCmd').every(({ subtype = '', missing_ok: asNeeded, def }) => {
      if (asNeeded || REPEATABLE_ALTERATIONS.test(subtype)) return true;
      const added = subtype === 'AT_AddConstraint' ? as(def, 'Constraint')?.conname : undefined;
      return added !== undefined && dropsIfExists(earlier, relationName(relation), added);
    }),
};

function dropsIfExists(statements: readonly Statement[], table: string, constraint: string): boolean {
  return statements
    .flatMap(({ node }) => as(node, 'AlterTableStmt') ?? [])
    .filter(({ relation }) => relationName(relation) === table)
    .flatMap(({ cmds }) => allOf(cmds, 'AlterTableCmd'))
    .some(
      ({ subtype, name, missing_ok: asNeeded }) =>
        subtype === 'AT_DropConstraint' && asNeeded && name === constraint,
    );
}
