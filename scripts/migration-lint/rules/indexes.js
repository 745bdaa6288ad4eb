import { droppedNames } from '../schema-statements.js';
import { isOn, relationName } from '../syntax.js';

/** @type {readonly import('../rule.js').Rule[]} */
export const INDEX_RULES = [
  {
    name: 'index-not-concurrent',
    why: 'Every INSERT, UPDATE and DELETE on the table waits until the index is built.',
    instead: 'CREATE INDEX CONCURRENTLY, in a migration of its own with `transaction = false`.',
    source: 'https://www.postgresql.org/docs/current/sql-createindex.html#SQL-CREATEINDEX-CONCURRENTLY',
    alike: [
      'squawk: require-concurrent-index-creation',
      'strong_migrations: adding an index non-concurrently',
      'strong_migrations: adding a reference',
    ],
    on: {
      IndexStmt({ concurrent, relation }, site) {
        // On a partitioned table alone it is but an entry in the catalog: the partitions get theirs concurrently.
        const isEntryOnly = relation?.inh !== true && site.schema.table(relation)?.isPartitioned;
        return !concurrent && !isEntryOnly && site.inUse(relation) ? relationName(relation) : undefined;
      },
    },
  },
  {
    name: 'drop-index-not-concurrent',
    why: 'It waits for every query on the table to end, and every later query waits behind it.',
    instead: 'DROP INDEX CONCURRENTLY, in a migration of its own with `transaction = false`.',
    source: 'https://www.postgresql.org/docs/current/sql-dropindex.html',
    alike: [
      'squawk: require-concurrent-index-deletion',
      'strong_migrations: removing an index non-concurrently',
    ],
    on: {
      DropStmt({ removeType, concurrent, objects }, site) {
        if (removeType !== 'OBJECT_INDEX' || concurrent) return undefined;
        return droppedNames(objects).filter((name) => {
          const table = site.schema.tables.get(site.schema.indexes.get(name)?.table ?? '');
          return !site.isOwn(table?.since);
        });
      },
    },
  },
  {
    name: 'reindex-not-concurrent',
    why: 'Writes to the table, and reads that would use the index, wait until it is built anew.',
    instead: 'REINDEX … CONCURRENTLY, in a migration of its own with `transaction = false`.',
    source: 'https://www.postgresql.org/docs/current/sql-reindex.html#SQL-REINDEX-CONCURRENTLY',
    alike: ['squawk: require-concurrent-reindex'],
    on: {
      ReindexStmt({ kind, relation, name = '', params }, site) {
        if (isOn(params, 'concurrently')) return undefined;
        if (relation === undefined) return name || 'the database';
        const index = site.schema.indexes.get(relationName(relation));
        const table =
          kind === 'REINDEX_OBJECT_INDEX' && index ? site.schema.tables.get(index.table) : undefined;
        return table
          ? ownless(site, table.since, relation)
          : site.inUse(relation)
            ? relationName(relation)
            : undefined;
      },
    },
  },
];

/**
 * @param {import('../rule.js').Site} site
 * @param {number} since
 * @param {import('libpg-query').RangeVar} relation
 */
function ownless(site, since, relation) {
  return site.isOwn(since) ? undefined : relationName(relation);
}
