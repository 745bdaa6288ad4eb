import type { AlterTableCmd } from 'libpg-query';
import { POSTGRES_DOCS, type Rule, type TableSite } from '../rule.js';
import { droppedNames } from '../schema/apply-statement.js';

const EXPAND = 'docs/rename-a-column.md';

export const DROP_RULES: readonly Rule[] = [
  {
    name: 'drop-column',
    why: 'Replicas of the previous release still read and write the column while this one rolls out.',
    instead: 'First a release that does not name it; then drop it, with a waiver that names that release.',
    source: EXPAND,
    alter: {
      AT_DropColumn: ({ name = '' }, site) =>
        site.isInUse && !site.isOwn(site.column(name)?.since) && site.path(name),
    },
  },
  {
    name: 'drop-table',
    why: 'Replicas of the previous release still read and write the table while this one rolls out.',
    instead: 'First a release that does not name it; then drop it, with a waiver that names that release.',
    source: EXPAND,
    on: {
      DropStmt: ({ removeType, objects }, site) =>
        removeType === 'OBJECT_TABLE' &&
        droppedNames(objects).filter((name) => !site.isOwn(site.schema.tables.get(name)?.since)),
    },
  },
  {
    name: 'drop-object',
    why: 'The previous release, or what it calls, may still need it while this one rolls out.',
    instead: 'First a release that does not need it; then drop it, with a waiver that names that release.',
    source: EXPAND,
    on: {
      DropStmt({ removeType, objects }, site) {
        if (removeType === 'OBJECT_TABLE' || removeType === 'OBJECT_INDEX') return undefined;
        return droppedNames(objects).filter((name) => {
          const { schema } = site;
          return !site.isOwn(schema.madeOther(removeType, name) ?? schema.tables.get(name)?.since);
        });
      },
      DropdbStmt: ({ dbname }) => dbname,
      DropOwnedStmt: () => 'all that a role owns',
      DropRoleStmt: () => 'a role',
    },
  },
  {
    name: 'drop-cascade',
    why: 'CASCADE also drops what is not named here and nobody reviewed: views, foreign keys, columns.',
    instead: 'Name each thing in a statement of its own, and leave CASCADE out.',
    source: `${POSTGRES_DOCS}/ddl-depend.html`,
    on: {
      DropStmt: ({ behavior, objects }) => behavior === 'DROP_CASCADE' && droppedNames(objects).join(', '),
      DropOwnedStmt: ({ behavior }) => behavior === 'DROP_CASCADE' && 'all that a role owns',
    },
    alter: {
      AT_DropColumn: cascades,
      AT_DropConstraint: cascades,
    },
  },
  {
    name: 'drop-not-null',
    why: 'The previous release, still running, does not expect the NULLs in rows that it reads.',
    instead: 'First a release that can read NULL; then DROP NOT NULL, with a waiver that names that release.',
    source: EXPAND,
    alter: {
      AT_DropNotNull: ({ name = '' }, site) => becomesNullable(name, site) && site.path(name),
      AT_DropConstraint({ name = '' }, site) {
        const { kind, columns = [] } = site.table?.constraints.get(name) ?? {};
        return (
          kind === 'not null' && columns.filter((column) => becomesNullable(column, site)).map(site.path)
        );
      },
    },
  },
  {
    name: 'drop-default',
    why: 'The previous release leaves the column out of its INSERT, which then fails or writes NULL.',
    instead:
      'First a release that writes the column itself; then drop it, with a waiver that names that release.',
    source: EXPAND,
    alter: {
      AT_ColumnDefault: ({ name, def }, site) => !def && unfilled(name, site),
      AT_DropExpression: ({ name }, site) => unfilled(name, site),
      AT_DropIdentity: ({ name }, site) => unfilled(name, site),
    },
  },
];

function cascades({ behavior, name = '' }: AlterTableCmd, site: TableSite) {
  return behavior === 'DROP_CASCADE' && site.path(name);
}

function becomesNullable(name: string, site: TableSite): boolean {
  const { isNotNull, since, notNullSince } = site.column(name) ?? {};
  return site.isInUse && isNotNull !== false && !site.isOwn(since) && !site.isOwn(notNullSince);
}

/** Also of a column that this migration adds: the previous release does not know it, and leaves it out. */
function unfilled(name = '', site: TableSite) {
  const { isFilled, filledSince } = site.column(name) ?? {};
  const isTakenBack = site.direction === 'down' && site.isOwn(filledSince);
  return site.isInUse && isFilled !== false && !isTakenBack && site.path(name);
}
