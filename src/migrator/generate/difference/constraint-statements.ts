import { type Definition, type Table } from '../snapshot.js';
import { type Statement, now, schemaOf } from './statement.js';

/** Includes constraints to drop and add again, such as a foreign key when one of its columns changes its type. */
export function constraintsDropped(
  table: string,
  old: Table,
  next: Table,
  touched: ReadonlySet<string>,
): Statement[] {
  const isKept = (name: string, definition: Definition) =>
    next.constraints[name]?.sql === definition.sql && !mustGo(table, definition, touched);
  const gone = Object.entries(old.constraints).filter(([name, each]) => !isKept(name, each));
  // Foreign keys first, because they depend on the keys that they refer to.
  const ordered = [...gone].sort(
    (a, b) => Number(b[1].kind === 'FOREIGN KEY') - Number(a[1].kind === 'FOREIGN KEY'),
  );
  return [
    ...ordered.map(([name]) => now(dropConstraint(table, name))),
    ...Object.entries(old.indexes)
      .filter(([name, { sql }]) => next.indexes[name]?.sql !== sql)
      .map(([name]) => now(`DROP INDEX ${schemaOf(table)}${name}`)),
  ];
}

export function constraintsAdded(
  table: string,
  old: Table,
  next: Table,
  touched: ReadonlySet<string>,
  isSafe: boolean,
): Statement[] {
  const added = Object.entries(next.constraints).filter(
    ([name, each]) => old.constraints[name]?.sql !== each.sql || mustGo(table, each, touched),
  );
  const ordered = [...added].sort(
    (a, b) => Number(a[1].kind === 'FOREIGN KEY') - Number(b[1].kind === 'FOREIGN KEY'),
  );
  return [
    ...ordered.flatMap(([name, { kind, sql }]) =>
      isSafe ? safeConstraint(table, name, kind, sql) : [now(addConstraint(table, name, sql))],
    ),
    ...Object.entries(next.indexes)
      .filter(([name, { sql }]) => old.indexes[name]?.sql !== sql)
      .map(([, { sql }]): Statement => (isSafe ? { sql: concurrently(sql), step: 2 } : now(sql))),
  ];
}

function safeConstraint(table: string, name: string, kind: string, sql: string): Statement[] {
  if ((kind === 'FOREIGN KEY' || kind === 'CHECK') && !sql.endsWith('NOT VALID')) {
    return [
      now(`${addConstraint(table, name, sql)} NOT VALID`),
      { sql: `ALTER TABLE ${table} VALIDATE CONSTRAINT ${name}`, step: 3 },
    ];
  }
  const [, columns, rest = ''] = /^(?:UNIQUE|PRIMARY KEY) (\([^)]*\))(.*)$/.exec(sql) ?? [];
  // Unchanged if it has INCLUDE, NULLS NOT DISTINCT or similar.
  if (columns === undefined || /INCLUDE|NULLS|WITH/.test(sql)) return [now(addConstraint(table, name, sql))];
  return [
    { sql: `CREATE UNIQUE INDEX CONCURRENTLY ${name} ON ${table} ${columns}`, step: 2 },
    { sql: `ALTER TABLE ${table} ADD CONSTRAINT ${name} ${kind} USING INDEX ${name}${rest}`, step: 3 },
  ];
}

function mustGo(table: string, { kind, sql, columns }: Definition, touched: ReadonlySet<string>): boolean {
  if (kind !== 'FOREIGN KEY') return false;
  const [, target = '', list = ''] = /REFERENCES (\S+?)\(([^)]*)\)/.exec(sql) ?? [];
  return [
    ...columns.map((column) => `${table}.${column}`),
    ...list.split(', ').map((column) => `${target}.${column}`),
  ].some((each) => touched.has(each));
}

export function foreignKeys(table: Table | undefined): string[] {
  return constraintsOf(table, 'FOREIGN KEY').map(([name]) => name);
}

export function constraintsOf(table: Table | undefined, kind: string): [string, Definition][] {
  return Object.entries(table?.constraints ?? {}).filter(([, each]) => each.kind === kind);
}

export function addConstraint(table: string, name: string, sql: string): string {
  return `ALTER TABLE ${table} ADD CONSTRAINT ${name} ${sql}`;
}

export function dropConstraint(table: string, name: string): string {
  return `ALTER TABLE ${table} DROP CONSTRAINT ${name}`;
}

function concurrently(sql: string): string {
  return sql.replace(/^(CREATE (?:UNIQUE )?INDEX) /, '$1 CONCURRENTLY ');
}
