import { POSTGRES_DOCS, type Rule } from '../rule.js';
import { isRepeatable } from '../repeatable.js';
import { allOf, as, isOn, nameOf, relationName, within, writesIn } from '../syntax.js';

export const TRANSACTION_RULES: readonly Rule[] = [
  {
    name: 'work-under-lock',
    why: 'The transaction has locked the table already, and keeps it locked for as long as this reads or writes rows.',
    instead: 'Put it into the next migration: each is a transaction of its own.',
    source: `${POSTGRES_DOCS}/explicit-locking.html#LOCKING-TABLES`,
    alter: {
      AT_ValidateConstraint: ({ name = '' }, site) =>
        site.isInUse && site.locked.has(site.name) && `${site.name}: ${name}`,
    },
    each: ({ node }, site) =>
      writesIn(node)
        .filter(({ relation }) => site.inUse(relation) && site.locked.has(relationName(relation)))
        .map(({ relation }) => relationName(relation)),
  },
  {
    name: 'not-in-transaction',
    why: 'PostgreSQL refuses it in a transaction: of the migration, or of several statements sent as one.',
    instead:
      'Set `transaction = false` on the migration, and send each statement by its own queryRunner.query.',
    source: `${POSTGRES_DOCS}/sql-createindex.html#SQL-CREATEINDEX-CONCURRENTLY`,
    each({ node, kind }, site) {
      if (!site.inTransaction && site.together.length === 1) return undefined;
      const isConcurrent =
        as(node, 'IndexStmt')?.concurrent ??
        as(node, 'DropStmt')?.concurrent ??
        isOn(as(node, 'ReindexStmt')?.params, 'concurrently');
      const detaches = within(node, 'PartitionCmd').some(({ concurrent }) => concurrent);
      const isVacuum = as(node, 'VacuumStmt')?.is_vacuumcmd === true;
      if (!isConcurrent && !detaches && !isVacuum && !NEVER_IN_TRANSACTION.test(kind)) return undefined;
      return site.inTransaction
        ? 'the migration runs in a transaction'
        : 'sent together with other statements';
    },
  },
  {
    name: 'not-repeatable',
    why: 'Outside a transaction a migration may be interrupted, and then runs again from its beginning.',
    instead: 'IF [NOT] EXISTS, a named index CONCURRENTLY, WHERE … IS NULL; or a migration in a transaction.',
    source: `${POSTGRES_DOCS}/sql-createindex.html#SQL-CREATEINDEX-CONCURRENTLY`,
    each: (statement, site) =>
      !site.inTransaction &&
      !isRepeatable(statement, site.earlier) &&
      'fails, or does it twice, when it is run again',
  },
  {
    name: 'transaction-statement',
    why: 'The runner begins and commits, for the schema and its history together; this would separate them.',
    instead: 'Leave it out. What must not run in one transaction goes into migrations of their own.',
    source: `${POSTGRES_DOCS}/sql-begin.html`,
    on: {
      TransactionStmt: ({ kind = '' }) =>
        !/^TRANS_STMT_(SAVEPOINT|RELEASE|ROLLBACK_TO)$/.test(kind) && 'begins or ends a transaction',
    },
  },
  {
    name: 'enum-value-used',
    why: 'PostgreSQL refuses a new enum value until the transaction that added it has committed.',
    instead: 'Add the value in one migration, and use it in the next.',
    source: `${POSTGRES_DOCS}/sql-altertype.html`,
    each({ node }, site) {
      if (!site.inTransaction) return undefined;
      const used = new Set(within(node, 'A_Const').map(({ sval }) => sval?.sval));
      const earlier = site.earlier.map((statement) => statement.node);
      return allOf(earlier, 'AlterEnumStmt')
        .filter(({ typeName }) => !site.isOwn(site.schema.madeOther('OBJECT_TYPE', nameOf(typeName))))
        .flatMap(({ oldVal, newVal, typeName }) =>
          oldVal === undefined && used.has(newVal) ? `${nameOf(typeName)}: ${newVal}` : [],
        );
    },
  },
];

const NEVER_IN_TRANSACTION = /^(Createdb|Dropdb|AlterSystem|CreateTableSpace|DropTableSpace)Stmt$/;
