import { POSTGRES_DOCS, type Rule } from '../rule.js';
import { droppedNames } from '../schema/apply-statement.js';
import { isOn, relationName } from '../syntax.js';

export const INDEX_RULES: readonly Rule[] = [
  {
    name: 'index-not-concurrent',
    why: 'Every INSERT, UPDATE and DELETE on the table waits until the index is built.',
    instead: 'CREATE INDEX CONCURRENTLY, in a migration of its own with `transaction = false`.',
    source: `${POSTGRES_DOCS}/sql-createindex.html#SQL-CREATEINDEX-CONCURRENTLY`,
    on: {
      IndexStmt({ concurrent, relation }, site) {
        // On a partitioned table ONLY it is an entry in the catalog: the partitions get theirs concurrently.
        const isEntryOnly = relation?.inh !== true && site.schema.table(relation)?.isPartitioned;
        return !concurrent && !isEntryOnly && site.inUse(relation) && relationName(relation);
      },
    },
  },
  {
    name: 'drop-index-not-concurrent',
    why: 'It waits for every query on the table to end, and every later query waits behind it.',
    instead: 'DROP INDEX CONCURRENTLY, in a migration of its own with `transaction = false`.',
    source: `${POSTGRES_DOCS}/sql-dropindex.html`,
    on: {
      DropStmt({ removeType, concurrent, objects }, site) {
        const { tables, indexes } = site.schema;
        const isOwn = (index: string) => site.isOwn(tables.get(indexes.get(index)?.table ?? '')?.since);
        return (
          removeType === 'OBJECT_INDEX' && !concurrent && droppedNames(objects).filter((name) => !isOwn(name))
        );
      },
    },
  },
  {
    name: 'reindex-not-concurrent',
    why: 'Writes to the table, and reads that would use the index, wait until it is rebuilt.',
    instead: 'REINDEX … CONCURRENTLY, in a migration of its own with `transaction = false`.',
    source: `${POSTGRES_DOCS}/sql-reindex.html#SQL-REINDEX-CONCURRENTLY`,
    on: {
      ReindexStmt({ kind, relation, name = '', params }, site) {
        if (isOn(params, 'concurrently')) return undefined;
        if (relation === undefined) return name || 'the database';
        const { tables, indexes } = site.schema;
        const target = relationName(relation);
        const table = kind === 'REINDEX_OBJECT_INDEX' ? (indexes.get(target)?.table ?? target) : target;
        return !site.isOwn(tables.get(table)?.since) && target;
      },
    },
  },
];
