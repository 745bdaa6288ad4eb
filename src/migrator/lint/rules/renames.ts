import type { RangeVar } from 'libpg-query';
import { type Rule, type Site } from '../rule.js';
import { droppedNames } from '../schema/apply-statement.js';
import { nameOf, relationName } from '../syntax.js';

const EXPAND = 'docs/rename-a-column.md';

export const RENAME_RULES: readonly Rule[] = [
  {
    name: 'rename-column',
    why: 'Replicas of the previous release still use the old name while this one rolls out.',
    instead:
      'A new column: write both, fill it in batches, read the new one, drop the old one a release later.',
    source: EXPAND,
    on: {
      RenameStmt({ renameType, relation, subname = '' }, site) {
        const column = site.schema.table(relation)?.columns.get(subname);
        const isUsed = site.inUse(relation) && !site.isOwn(column?.namedSince);
        return renameType === 'OBJECT_COLUMN' && isUsed && `${relationName(relation)}.${subname}`;
      },
    },
  },
  {
    name: 'rename-table',
    why: 'Replicas of the previous release still use the old name while this one rolls out.',
    instead:
      'A view by the new name (simple ones can be written to); rename when no release uses the old one.',
    source: EXPAND,
    on: {
      RenameStmt: ({ renameType, relation }, site) =>
        renameType === 'OBJECT_TABLE' && renamedTable(relation, site),
      AlterObjectSchemaStmt: ({ objectType, relation }, site) =>
        objectType === 'OBJECT_TABLE' && renamedTable(relation, site),
    },
  },
  {
    name: 'rename-object',
    why: 'The previous release, or what it calls, still uses the old name while this one rolls out.',
    instead: 'Make a new one beside it, and drop the old one when no release uses it.',
    source: EXPAND,
    on: {
      RenameStmt({ renameType = 'OBJECT_TABLE', relation, object, subname = '' }, site) {
        const name = relation ? relationName(relation) : object ? droppedNames([object]).join() : subname;
        const isOwn = site.isOwn(site.schema.madeOther(renameType, name));
        return RENAMED_OBJECTS.test(renameType) && !isOwn && name;
      },
      AlterObjectSchemaStmt({ objectType, relation, object }, site) {
        const name = relation ? relationName(relation) : droppedNames(object && [object]).join();
        const isOwn = site.isOwn(site.schema.madeOther(objectType, name));
        return objectType !== 'OBJECT_TABLE' && !isOwn && name;
      },
      AlterEnumStmt({ typeName, oldVal }, site) {
        const name = nameOf(typeName);
        const isOwn = site.isOwn(site.schema.madeOther('OBJECT_TYPE', name));
        return oldVal !== undefined && !isOwn && `${name}: ${oldVal}`;
      },
    },
  },
];

const RENAMED_OBJECTS =
  /^OBJECT_(ATTRIBUTE|DOMAIN|FUNCTION|MATVIEW|PROCEDURE|ROUTINE|SCHEMA|SEQUENCE|TYPE|VIEW)$/;

function renamedTable(relation: RangeVar | undefined, site: Site) {
  return !site.isOwn(site.schema.table(relation)?.namedSince) && relationName(relation);
}
