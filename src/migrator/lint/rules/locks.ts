import type { AlterTableCmd } from 'libpg-query';
import { POSTGRES_DOCS, type Rule, type TableSite } from '../rule.js';
import { allOf, as, isOn, relationName } from '../syntax.js';

/** From here on a lock mode keeps others from writing: SHARE, in PostgreSQL's lockdefs.h. */
const SHARE_LOCK = 5;

const onTableInUse = (_command: AlterTableCmd, site: TableSite) => site.isInUse && site.name;

export const LOCK_RULES: readonly Rule[] = [
  {
    name: 'lock-table',
    why: 'Nobody can write (or read) the table until the migration has committed.',
    instead:
      'Leave it out: each statement takes the lock that it needs, and waits for it no longer than 2 s.',
    source: `${POSTGRES_DOCS}/explicit-locking.html#LOCKING-TABLES`,
    on: {
      LockStmt: ({ relations, mode = SHARE_LOCK }, site) =>
        mode >= SHARE_LOCK && allOf(relations, 'RangeVar').filter(site.inUse).map(relationName),
    },
  },
  {
    name: 'rewrite-table',
    why: 'The table is rewritten while nobody can read it.',
    instead: 'Not in a migration. To shrink a table: pg_repack, or let autovacuum reuse the space.',
    source: `${POSTGRES_DOCS}/sql-vacuum.html`,
    on: {
      VacuumStmt: ({ options, is_vacuumcmd: isVacuum }) => isVacuum && isOn(options, 'full') && 'VACUUM FULL',
      ClusterStmt: ({ relation }) => (relation ? relationName(relation) : 'every clustered table'),
      AlterTableMoveAllStmt: ({ orig_tablespacename: space = '' }) => `everything in ${space}`,
      RefreshMatViewStmt: ({ concurrent, relation }, site) =>
        !concurrent && site.inUse(relation) && relationName(relation),
    },
    alter: {
      AT_SetTableSpace: onTableInUse,
      AT_SetLogged: onTableInUse,
      AT_SetUnLogged: onTableInUse,
      AT_SetAccessMethod: onTableInUse,
    },
  },
  {
    name: 'detach-partition',
    why: 'It waits for every query on the parent to end, and every later query waits behind it.',
    instead:
      'DETACH PARTITION … CONCURRENTLY with `transaction = false`, and a waiver of not-repeatable that names FINALIZE.',
    source: `${POSTGRES_DOCS}/sql-altertable.html#SQL-ALTERTABLE-DETACH-PARTITION`,
    alter: {
      AT_DetachPartition: ({ def }, site) =>
        site.isInUse && !as(def, 'PartitionCmd')?.concurrent && site.name,
    },
  },
  {
    name: 'disable-trigger',
    why: 'Rows that others write in that time are not checked or guarded: foreign keys are triggers too.',
    instead: 'Leave triggers, rules and row security on; write the rows so that they pass.',
    source: `${POSTGRES_DOCS}/sql-altertable.html#SQL-ALTERTABLE-DESC-DISABLE-ENABLE-TRIGGER`,
    on: {
      VariableSetStmt: ({ name, args }) =>
        name === 'session_replication_role' &&
        allOf(args, 'A_Const').some(({ sval }) => sval?.sval !== 'origin') &&
        name,
    },
    alter: {
      AT_DisableTrig: onTableInUse,
      AT_DisableTrigAll: onTableInUse,
      AT_DisableTrigUser: onTableInUse,
      AT_DisableRule: onTableInUse,
      AT_DisableRowSecurity: onTableInUse,
      AT_NoForceRowSecurity: onTableInUse,
    },
  },
];
