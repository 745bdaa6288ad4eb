import { type Losses, IN_UTC, columnStatements, createTable } from './column-statements.js';
import {
  constraintsDropped,
  constraintsAdded,
  foreignKeys,
  constraintsOf,
  addConstraint,
  dropConstraint,
} from './constraint-statements.js';
import { rebuiltEnums, enumStatements } from './enum-statements.js';
import { type Snapshot, type Table } from '../snapshot.js';
import { type Statement, now, missing, literal, elementType } from './statement.js';

/**
 * The statements that change one schema into another, in an order in which they can run. They keep every value that the
 * new schema can hold.
 *
 * @param isSafe whether the tables are in use. If so, indexes are built concurrently, and constraints are added NOT VALID
 *   and validated later. These statements come last.
 */
export function statementsBetween(
  before: Snapshot,
  after: Snapshot,
  isSafe: boolean,
  losses: Losses,
): Statement[] {
  const shared = Object.keys(after.tables).filter((name) => before.tables[name] !== undefined);
  const created = Object.keys(after.tables).filter((name) => before.tables[name] === undefined);
  const dropped = Object.keys(before.tables).filter((name) => after.tables[name] === undefined);
  /** `table.column` of columns that change their type or are dropped. */
  const touched = new Set(
    shared.flatMap((name) =>
      Object.entries(before.tables[name]?.columns ?? {})
        .filter(([column, { type }]) => {
          const next = after.tables[name]?.columns[column];
          return next?.type !== type || rebuiltEnums(before, after).includes(elementType(type));
        })
        .map(([column]) => `${name}.${column}`),
    ),
  );
  const pairs = shared.map((name) => ({
    name,
    old: before.tables[name] as Table,
    next: after.tables[name] as Table,
  }));
  const statements = [
    ...missing(before.schemas, after.schemas).map((name) => now(`CREATE SCHEMA ${name}`)),
    ...missing(before.extensions, after.extensions).map((name) =>
      now(`CREATE EXTENSION IF NOT EXISTS ${name}`),
    ),
    ...viewsDropped(before, after, touched).map(({ name, kind }) => now(`DROP ${kind} ${name}`)),
    ...dropped.flatMap((name) =>
      foreignKeys(before.tables[name]).map((key) => now(dropConstraint(name, key))),
    ),
    ...pairs.flatMap(({ name, old, next }) => constraintsDropped(name, old, next, touched)),
    ...Object.entries(after.enums).flatMap(([name, labels]) => enumStatements(name, labels, before, after)),
    ...created.flatMap((name) => createTable(name, after.tables[name] as Table)),
    ...pairs.flatMap(({ name, old, next }) =>
      columnStatements(name, old, next, before, after, isSafe, losses),
    ),
    ...dropped.map((name) => now(`DROP TABLE ${name}`)),
    ...Object.keys(before.enums)
      .filter((name) => after.enums[name] === undefined)
      .map((name) => now(`DROP TYPE ${name}`)),
    ...created.flatMap((name) =>
      Object.values((after.tables[name] as Table).indexes).map(({ sql }) => now(sql)),
    ),
    ...created.flatMap((name) =>
      constraintsOf(after.tables[name], 'FOREIGN KEY').map(([key, { sql }]) =>
        now(addConstraint(name, key, sql)),
      ),
    ),
    ...pairs.flatMap(({ name, old, next }) => constraintsAdded(name, old, next, touched, isSafe)),
    ...viewsCreated(before, after, touched),
    ...[
      ...created.map((name) => ({ name, old: undefined, next: after.tables[name] as Table })),
      ...pairs,
    ].flatMap(({ name, old, next }) => commentStatements(name, old, next)),
    ...missing(after.metadata, before.metadata).map((row) => now(metadataStatement(row, 'delete'))),
    ...missing(before.metadata, after.metadata).map((row) => now(metadataStatement(row, 'insert'))),
    ...missing(after.extensions, before.extensions).map((name) => now(`DROP EXTENSION ${name}`)),
    ...missing(after.schemas, before.schemas).map((name) => now(`DROP SCHEMA ${name}`)),
  ];
  const isFirst = ({ sql }: Statement, index: number) =>
    sql !== IN_UTC || statements.findIndex((each) => each.sql === IN_UTC) === index;
  return statements.filter(isFirst);
}

function viewsDropped(before: Snapshot, after: Snapshot, touched: ReadonlySet<string>) {
  return Object.entries(before.views)
    .filter(
      ([name, view]) =>
        after.views[name]?.sql !== view.sql || view.reads.some((column) => touched.has(column)),
    )
    .map(([name, { kind }]) => ({ name, kind }))
    .reverse();
}

function viewsCreated(before: Snapshot, after: Snapshot, touched: ReadonlySet<string>): Statement[] {
  return Object.entries(after.views)
    .filter(([name, view]) => {
      const old = before.views[name];
      return old?.sql !== view.sql || old.reads.some((column) => touched.has(column));
    })
    .map(([name, { kind, sql }]) => now(`CREATE ${kind} ${name} AS ${sql.trim()}`));
}

function commentStatements(table: string, old: Table | undefined, next: Table): Statement[] {
  const comment = (object: string, was: string | null, is: string | null) =>
    was === is ? [] : [now(`COMMENT ON ${object} IS ${is === null ? 'NULL' : literal(is)}`)];
  return [
    ...comment(`TABLE ${table}`, old?.comment ?? null, next.comment),
    ...Object.entries(next.columns).flatMap(([name, column]) =>
      comment(`COLUMN ${table}.${name}`, old?.columns[name]?.comment ?? null, column.comment),
    ),
  ];
}

function metadataStatement(row: string, action: 'insert' | 'delete'): string {
  const values = Object.entries(JSON.parse(row) as Record<string, string | boolean | null>).flatMap(
    ([column, value]): [string, string][] => {
      if (value === true) return [[`"${column}"`, 'current_database()']];
      return typeof value === 'string' ? [[`"${column}"`, literal(value)]] : [];
    },
  );
  return action === 'insert'
    ? `INSERT INTO typeorm_metadata (${values.map(([column]) => column).join(', ')}) VALUES (${values.map(([, sql]) => sql).join(', ')})`
    : `DELETE FROM typeorm_metadata WHERE ${values.map(([column, sql]) => `${column} = ${sql}`).join(' AND ')}`;
}
