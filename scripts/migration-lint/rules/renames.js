import { droppedNames } from '../schema-statements.js';
import { nameOf, relationName } from '../syntax.js';

const EXPAND = 'docs/rename-a-column.md';

/** @type {readonly import('../rule.js').Rule[]} */
export const RENAME_RULES = [
  {
    name: 'rename-column',
    why: 'Replicas of the former release still use the old name while this one rolls out.',
    instead:
      'A new column: write both, fill it in batches, read the new one, drop the old one a release later.',
    source: EXPAND,
    alike: ['squawk: renaming-column', 'strong_migrations: renaming a column'],
    on: {
      RenameStmt({ renameType, relation, subname = '' }, site) {
        if (renameType !== 'OBJECT_COLUMN' || !site.inUse(relation)) return undefined;
        const column = site.schema.table(relation)?.columns.get(subname);
        return site.isOwn(column?.namedSince) ? undefined : `${relationName(relation)}.${subname}`;
      },
    },
  },
  {
    name: 'rename-table',
    why: 'Replicas of the former release still use the old name while this one rolls out.',
    instead:
      'A view by the new name (simple ones can be written to); rename when no release uses the old one.',
    source: EXPAND,
    alike: ['squawk: renaming-table', 'squawk: ban-set-schema', 'strong_migrations: renaming a table'],
    on: {
      RenameStmt: ({ renameType, relation }, site) =>
        renameType === 'OBJECT_TABLE' ? renamed(relation, site) : undefined,
      AlterObjectSchemaStmt: ({ objectType, relation }, site) =>
        objectType === 'OBJECT_TABLE' ? renamed(relation, site) : undefined,
    },
  },
  {
    name: 'rename-object',
    why: 'The former release, or what it calls, still uses the old name while this one rolls out.',
    instead: 'Make a new one beside it, and drop the old one when no release uses it.',
    source: EXPAND,
    alike: ['squawk: renaming-object', 'squawk: ban-set-schema', 'strong_migrations: renaming a schema'],
    on: {
      RenameStmt({ renameType = 'OBJECT_TABLE', relation, object, subname }, site) {
        if (!RENAMED_OBJECTS.has(renameType)) return undefined;
        const name = relation
          ? relationName(relation)
          : object
            ? droppedNames([object]).join()
            : (subname ?? '');
        return site.isOwn(site.schema.other(renameType, name)) ? undefined : name;
      },
      AlterObjectSchemaStmt({ objectType, relation, object }, site) {
        if (objectType === 'OBJECT_TABLE') return undefined;
        const name = relation ? relationName(relation) : droppedNames(object ? [object] : []).join();
        return site.isOwn(site.schema.other(objectType, name)) ? undefined : name;
      },
      AlterEnumStmt({ typeName, oldVal }, site) {
        const name = nameOf(typeName);
        const isOwn = site.isOwn(site.schema.other('OBJECT_TYPE', name));
        return oldVal === undefined || isOwn ? undefined : `${name}: ${oldVal}`;
      },
    },
  },
];

/** @type {ReadonlySet<import('libpg-query').ObjectType>} */
const RENAMED_OBJECTS = new Set([
  'OBJECT_ATTRIBUTE',
  'OBJECT_DOMAIN',
  'OBJECT_FUNCTION',
  'OBJECT_MATVIEW',
  'OBJECT_PROCEDURE',
  'OBJECT_ROUTINE',
  'OBJECT_SCHEMA',
  'OBJECT_SEQUENCE',
  'OBJECT_TYPE',
  'OBJECT_VIEW',
]);

/**
 * @param {import('libpg-query').RangeVar | undefined} relation
 * @param {import('../rule.js').Site} site
 */
function renamed(relation, site) {
  return site.isOwn(site.schema.table(relation)?.namedSince) ? undefined : relationName(relation);
}
