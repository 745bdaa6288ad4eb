import { droppedNames } from '../schema-statements.js';

const EXPAND = 'docs/rename-a-column.md';

/** @type {readonly import('../rule.js').Rule[]} */
export const DROP_RULES = [
  {
    name: 'drop-column',
    why: 'Replicas of the former release still read and write the column while this one rolls out.',
    instead: 'First a release that does not name it; then drop it, with a waiver that names that release.',
    source: EXPAND,
    alike: ['squawk: ban-drop-column', 'strong_migrations: removing a column'],
    alter: {
      AT_DropColumn({ name = '' }, site) {
        return site.isInUse && !site.isOwn(site.column(name)?.since) ? `${site.name}.${name}` : undefined;
      },
    },
  },
  {
    name: 'drop-table',
    why: 'Replicas of the former release still read and write the table while this one rolls out.',
    instead: 'First a release that does not name it; then drop it, with a waiver that names that release.',
    source: EXPAND,
    alike: ['squawk: ban-drop-table', 'strong_migrations: creating a table with the force option'],
    on: {
      DropStmt({ removeType, objects }, site) {
        if (removeType !== 'OBJECT_TABLE') return undefined;
        return droppedNames(objects).filter((name) => !site.isOwn(site.schema.tables.get(name)?.since));
      },
    },
  },
  {
    name: 'drop-object',
    why: 'The former release, or what it calls, may still need it while this one rolls out.',
    instead: 'First a release that does not need it; then drop it, with a waiver that names that release.',
    source: EXPAND,
    alike: [
      'squawk: ban-drop-database',
      'squawk: ban-drop-schema',
      'squawk: ban-drop-view',
      'squawk: ban-drop-type',
      'squawk: ban-drop-domain',
      'squawk: ban-drop-function',
      'squawk: ban-drop-trigger',
      'squawk: ban-drop-sequence',
      'squawk: ban-drop-policy',
      'squawk: ban-drop-extension',
    ],
    on: {
      DropStmt({ removeType, objects }, site) {
        if (removeType === 'OBJECT_TABLE' || removeType === 'OBJECT_INDEX') return undefined;
        return droppedNames(objects).filter((name) => {
          const since = site.schema.other(removeType, name) ?? site.schema.tables.get(name)?.since;
          return !site.isOwn(since);
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
    source: 'https://www.postgresql.org/docs/current/ddl-depend.html',
    alike: ['strong_migrations: creating a table with the force option'],
    on: {
      DropStmt: ({ behavior, objects }) =>
        behavior === 'DROP_CASCADE' ? droppedNames(objects).join(', ') : undefined,
      DropOwnedStmt: ({ behavior }) => (behavior === 'DROP_CASCADE' ? 'all that a role owns' : undefined),
    },
    alter: {
      AT_DropColumn: cascades,
      AT_DropConstraint: cascades,
    },
  },
  {
    name: 'drop-not-null',
    why: 'The former release, still running, reads rows with a NULL that it was promised not to meet.',
    instead: 'First a release that can read NULL; then DROP NOT NULL, with a waiver that names that release.',
    source: EXPAND,
    alike: ['squawk: ban-drop-not-null'],
    alter: {
      AT_DropNotNull: ({ name = '' }, site) => mayBeNull(name, site),
      AT_DropConstraint({ name = '' }, site) {
        const constraint = site.table?.constraints.get(name);
        const columns = constraint?.kind === 'not null' ? constraint.columns : [];
        return columns.flatMap((column) => mayBeNull(column, site) ?? []);
      },
    },
  },
  {
    name: 'drop-default',
    why: 'The former release leaves the column out of its INSERT, which then fails or writes NULL.',
    instead:
      'First a release that writes the column itself; then drop it, with a waiver that names that release.',
    source: EXPAND,
    alike: ['squawk: ban-drop-default', 'squawk: ban-drop-generated-expression'],
    alter: {
      AT_ColumnDefault: ({ name, def }, site) => (def ? undefined : unfilled(name, site)),
      AT_DropExpression: ({ name }, site) => unfilled(name, site),
      AT_DropIdentity: ({ name }, site) => unfilled(name, site),
    },
  },
];

/**
 * @param {import('libpg-query').AlterTableCmd} command
 * @param {import('../rule.js').AlterSite} site
 */
function cascades({ behavior, name = '' }, site) {
  return behavior === 'DROP_CASCADE' ? `${site.name}.${name}` : undefined;
}

/**
 * @param {string} name
 * @param {import('../rule.js').AlterSite} site
 */
function mayBeNull(name, site) {
  const column = site.column(name);
  const wasFree =
    column?.isNotNull === false || site.isOwn(column?.since) || site.isOwn(column?.notNullSince);
  return site.isInUse && !wasFree ? `${site.name}.${name}` : undefined;
}

/**
 * Also of a column that this migration adds: the former release does not know it, and leaves it out the more.
 *
 * @param {string | undefined} name
 * @param {import('../rule.js').AlterSite} site
 */
function unfilled(name = '', site) {
  const column = site.column(name);
  const isTakenBack = site.direction === 'down' && site.isOwn(column?.filledSince);
  return site.isInUse && column?.isFilled !== false && !isTakenBack ? `${site.name}.${name}` : undefined;
}
