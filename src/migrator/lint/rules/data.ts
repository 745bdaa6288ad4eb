import { POSTGRES_DOCS, type Rule } from '../rule.js';
import { allOf, as, relationName, writesIn } from '../syntax.js';

export const DATA_RULES: readonly Rule[] = [
  {
    name: 'truncate',
    why: 'All rows are lost (with CASCADE those of other tables too), and nobody can read the table meanwhile.',
    instead: 'Delete what must go, by WHERE and in batches, from the application.',
    source: `${POSTGRES_DOCS}/sql-truncate.html`,
    on: {
      TruncateStmt: ({ relations, behavior }, site) =>
        allOf(relations, 'RangeVar')
          .filter((relation) => behavior === 'DROP_CASCADE' || site.inUse(relation))
          .map(relationName),
    },
  },
  {
    name: 'whole-table-write',
    why: 'One transaction writes every row: others wait for those rows until it commits, and the table doubles.',
    instead: 'Batches by WHERE, in a migration with `transaction = false` or from the application.',
    source: `${POSTGRES_DOCS}/routine-vacuuming.html#VACUUM-FOR-SPACE-RECOVERY`,
    each: ({ node }, site) =>
      writesIn(node)
        .filter(
          ({ relation, whereClause: where }) => (!where || as(where, 'A_Const')) && site.inUse(relation),
        )
        .map(({ relation }) => relationName(relation)),
  },
];
