import { unquoted } from './answers.js';
import { conversionFunction, conversionOf, lossyConversion } from './conversion.js';
import type { Column, Definition, Snapshot, Table } from './snapshot.js';

/** What to do about values that the schema afterwards cannot hold. */
export interface Losses {
  /** SQL for the rows that a new column finds, by `table.column`; undefined: nobody said. */
  readonly fill: (column: string, type: string) => string | undefined;
}

/** Where a statement belongs: some need a migration of their own, so that nobody waits for long. */
export interface Statement {
  readonly sql: string;
  /** 0: in a transaction before the others; 1: in a transaction; 2: outside of one; 3: in a later transaction. */
  readonly step: 0 | 1 | 2 | 3;
}

const now = (sql: string): Statement => ({ sql, step: 1 });

/** A sequence as `serial` makes it. */
const SERIAL: Readonly<Record<string, string>> = {
  smallint: 'smallserial',
  integer: 'serial',
  bigint: 'bigserial',
};

/**
 * The statements that lead from one schema to another, in the order in which they can be run. Every value stays that the
 * schema afterwards can hold.
 *
 * @param isSafe whether the tables are in use: then indexes are built concurrently, and constraints are added without a
 *   look at the rows and validated later. Such statements come last.
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
  /** `table.column` whose type is altered, or which goes. */
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
  return [
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
}

/** Enums of which a value is gone, or that are in another order: PostgreSQL cannot alter them. */
export function rebuiltEnums(before: Snapshot, after: Snapshot): string[] {
  return Object.entries(before.enums)
    .filter(([name, labels]) => {
      const next = after.enums[name];
      return (
        next !== undefined && next.filter((label) => labels.includes(label)).join('\0') !== labels.join('\0')
      );
    })
    .map(([name]) => name);
}

/** A value that no row minds, for a column that is added again without one. */
export function neutralValue(type: string, enums: Snapshot['enums']): string {
  if (type.endsWith('[]')) return `'{}'`;
  const [label] = enums[type] ?? [];
  if (label !== undefined) return literal(label);
  if (/^(smallint|integer|bigint|numeric|real|double precision|money)/.test(type)) return '0';
  if (/^timestamp|^date/.test(type)) return `'epoch'`;
  if (/^time/.test(type)) return `'00:00+00'`;
  if (/^bit(?! varying)/.test(type)) return `0::${type}`;
  const others: Readonly<Record<string, string>> = {
    boolean: 'false',
    uuid: `'00000000-0000-0000-0000-000000000000'`,
    json: `'null'`,
    jsonb: `'null'`,
    interval: `'0'`,
    inet: `'0.0.0.0'`,
    cidr: `'0.0.0.0/32'`,
    macaddr: `'00:00:00:00:00:00'`,
    macaddr8: `'00:00:00:00:00:00:00:00'`,
    point: `'(0,0)'`,
    line: `'{1,0,0}'`,
    lseg: `'[(0,0),(0,0)]'`,
    box: `'((0,0),(0,0))'`,
    path: `'((0,0))'`,
    polygon: `'((0,0))'`,
    circle: `'<(0,0),0>'`,
  };
  return (
    others[type] ??
    (/range$/.test(type) && !/multirange$/.test(type) ? `'empty'` : /multirange$/.test(type) ? `'{}'` : `''`)
  );
}

function columnStatements(
  table: string,
  old: Table,
  next: Table,
  before: Snapshot,
  after: Snapshot,
  isSafe: boolean,
  losses: Losses,
): Statement[] {
  const alter = (action: string) => now(`ALTER TABLE ${table} ${action}`);
  const statements: Statement[] = [];
  for (const name of Object.keys(old.columns)) {
    if (next.columns[name] === undefined) statements.push(alter(`DROP COLUMN ${name}`));
  }
  for (const [name, column] of Object.entries(next.columns)) {
    const was = old.columns[name];
    if (was === undefined) {
      const needsFill = column.notNull && column.default === null && column.identity === null;
      const fill = needsFill ? losses.fill(`${table}.${name}`, column.type) : undefined;
      if (fill === undefined) statements.push(alter(`ADD COLUMN ${name} ${columnSql(column, table, name)}`));
      else {
        statements.push(
          alter(`ADD COLUMN ${name} ${columnSql({ ...column, default: fill }, table, name)}`),
          alter(`ALTER COLUMN ${name} DROP DEFAULT`),
        );
      }
    } else if (
      was.generated !== column.generated ||
      (column.generated !== null && was.default !== column.default)
    ) {
      // Its values are made from those of other columns.
      statements.push(
        alter(`DROP COLUMN ${name}`),
        alter(`ADD COLUMN ${name} ${columnSql(column, table, name)}`),
      );
    } else {
      statements.push(...alteredColumn(table, name, was, column, before, after, isSafe));
    }
  }
  return statements;
}

function alteredColumn(
  table: string,
  name: string,
  was: Column,
  column: Column,
  before: Snapshot,
  after: Snapshot,
  isSafe: boolean,
): Statement[] {
  const alter = (action: string, step: Statement['step'] = 1): Statement => ({
    sql: `ALTER TABLE ${table} ${action}`,
    step,
  });
  const statements: Statement[] = [];
  const isRebuilt = rebuiltEnums(before, after).includes(elementType(was.type)) && was.type === column.type;
  const isRetyped = was.type !== column.type || was.collation !== column.collation;
  let current = was.default;
  if (isRetyped && was.generated === null) {
    const { keepsValues, using } = conversionOf(name, was.type, column.type, before.enums);
    if (current !== null) {
      statements.push(alter(`ALTER COLUMN ${name} DROP DEFAULT`));
      current = null;
    }
    const collation = column.collation === null ? '' : ` COLLATE ${column.collation}`;
    const type = `ALTER COLUMN ${name} TYPE ${column.type}${collation}`;
    if (keepsValues) statements.push(alter(using === undefined ? type : `${type} USING ${using}`));
    else {
      statements.push(
        now(conversionFunction(was.type, column.type)),
        alter(
          `${type} USING ${lossyConversion(name, was.type, column.type, column.notNull ? column.default : null)}`,
        ),
      );
    }
    if (was.sequence !== null && was.sequence === column.sequence && SERIAL[column.type] !== undefined) {
      statements.push(now(`ALTER SEQUENCE ${was.sequence} AS ${column.type}`));
    }
  }
  // The type was replaced under it, and its default with it.
  if (isRebuilt) current = null;
  if (was.identity !== column.identity) {
    if (was.identity !== null) statements.push(alter(`ALTER COLUMN ${name} DROP IDENTITY`));
  }
  if (current !== column.default && column.generated === null) {
    if (column.sequence !== null && was.sequence === null) {
      statements.push(
        now(`CREATE SEQUENCE ${column.sequence} AS ${column.type} OWNED BY ${table}.${name}`),
        now(
          `SELECT setval('${column.sequence}', greatest((SELECT max(${name}) FROM ${table}), 0) + 1, false)`,
        ),
      );
    }
    statements.push(
      alter(
        column.default === null
          ? `ALTER COLUMN ${name} DROP DEFAULT`
          : `ALTER COLUMN ${name} SET DEFAULT ${column.default}`,
      ),
    );
    if (was.sequence !== null && column.sequence === null)
      statements.push(now(`DROP SEQUENCE ${was.sequence}`));
  }
  if (was.notNull && !column.notNull) statements.push(alter(`ALTER COLUMN ${name} DROP NOT NULL`));
  if (!was.notNull && column.notNull) {
    if (isSafe) {
      // With a check that is validated, PostgreSQL need not look at the rows under its lock.
      const check = `${unquoted(table)}_${unquoted(name)}_not_null`;
      statements.push(
        alter(`ADD CONSTRAINT "${check}" CHECK (${name} IS NOT NULL) NOT VALID`),
        alter(`VALIDATE CONSTRAINT "${check}"`, 3),
        alter(`ALTER COLUMN ${name} SET NOT NULL`, 3),
        alter(`DROP CONSTRAINT "${check}"`, 3),
      );
    } else statements.push(alter(`ALTER COLUMN ${name} SET NOT NULL`));
  }
  if (was.identity !== column.identity && column.identity !== null) {
    statements.push(
      alter(
        `ALTER COLUMN ${name} ADD GENERATED ${column.identity} AS IDENTITY`,
        column.notNull && !was.notNull ? 3 : 1,
      ),
      {
        sql: `SELECT setval(pg_get_serial_sequence('${table}', '${unquoted(name)}'), greatest((SELECT max(${name}) FROM ${table}), 0) + 1, false)`,
        step: column.notNull && !was.notNull ? 3 : 1,
      },
    );
  }
  return statements;
}

function createTable(name: string, table: Table): Statement[] {
  const columns = Object.entries(table.columns).map(
    ([column, shape]) => `${column} ${columnSql(shape, name, column)}`,
  );
  const constraints = Object.entries(table.constraints)
    .filter(([, { kind }]) => kind !== 'FOREIGN KEY')
    .map(([constraint, { sql }]) => `CONSTRAINT ${constraint} ${sql}`);
  return [now(`CREATE TABLE ${name} (\n  ${[...columns, ...constraints].join(',\n  ')}\n)`)];
}

function columnSql(column: Column, table: string, name: string): string {
  const serial = SERIAL[column.type];
  const isSerial =
    serial !== undefined &&
    column.sequence !== null &&
    unquoted(column.sequence) === `${unquoted(table)}_${unquoted(name)}_seq` &&
    column.default === `nextval('${column.sequence}'::regclass)`;
  if (isSerial) return `${serial}${column.notNull ? '' : ' NULL'}`;
  return [
    column.type,
    column.collation && `COLLATE ${column.collation}`,
    column.generated
      ? `GENERATED ALWAYS AS (${column.default ?? ''}) ${column.generated}`
      : column.default && `DEFAULT ${column.default}`,
    column.identity && `GENERATED ${column.identity} AS IDENTITY`,
    column.notNull && 'NOT NULL',
  ]
    .filter(Boolean)
    .join(' ');
}

function enumStatements(
  name: string,
  labels: readonly string[],
  before: Snapshot,
  after: Snapshot,
): Statement[] {
  const list = labels.map(literal).join(', ');
  const old = before.enums[name];
  if (old === undefined) return [now(`CREATE TYPE ${name} AS ENUM (${list})`)];
  if (rebuiltEnums(before, after).includes(name)) {
    const retired = `"${unquoted(name).replace(/^.*\./, '')}_retired"`;
    return [
      now(`ALTER TYPE ${name} RENAME TO ${retired}`),
      now(`CREATE TYPE ${name} AS ENUM (${list})`),
      ...columnsOfType(name, before, after).flatMap(({ table, column, shape, next }) =>
        retypeEnum(table, column, shape, next, name, old, labels),
      ),
      now(`DROP TYPE ${retired}`),
    ];
  }
  return labels.flatMap((label, index) => {
    if (old.includes(label)) return [];
    const [previous, next] = [labels[index - 1], labels[index + 1]];
    const position =
      previous !== undefined
        ? ` AFTER ${literal(previous)}`
        : next === undefined
          ? ''
          : ` BEFORE ${literal(labels.find((each) => old.includes(each)) ?? next)}`;
    return [{ sql: `ALTER TYPE ${name} ADD VALUE ${literal(label)}${position}`, step: 0 } as const];
  });
}

function retypeEnum(
  table: string,
  column: string,
  shape: Column,
  next: Column | undefined,
  name: string,
  old: readonly string[],
  labels: readonly string[],
): Statement[] {
  const list = labels.map(literal).join(', ');
  const fallback =
    next?.notNull && next.default !== null && !shape.type.endsWith('[]') ? next.default : 'NULL';
  const removed = old.filter((label) => !labels.includes(label));
  const using = shape.type.endsWith('[]')
    ? `${removed.reduce((array, label) => `array_remove(${array}, ${literal(label)})`, `${column}::text[]`)}::${name}[]`
    : `CASE WHEN ${column}::text IN (${list}) THEN ${column}::text::${name} WHEN ${column} IS NOT NULL THEN ${fallback} END`;
  return [
    ...(shape.default === null ? [] : [now(`ALTER TABLE ${table} ALTER COLUMN ${column} DROP DEFAULT`)]),
    now(`ALTER TABLE ${table} ALTER COLUMN ${column} TYPE ${shape.type} USING ${using}`),
  ];
}

function columnsOfType(name: string, before: Snapshot, after: Snapshot) {
  return Object.entries(before.tables).flatMap(([table, { columns }]) =>
    Object.entries(columns)
      .filter(
        ([column, { type }]) =>
          elementType(type) === name && after.tables[table]?.columns[column]?.type === type,
      )
      .map(([column, shape]) => ({ table, column, shape, next: after.tables[table]?.columns[column] })),
  );
}

/** Also of those that must go and come back: a foreign key between columns of which one changes its type. */
function constraintsDropped(
  table: string,
  old: Table,
  next: Table,
  touched: ReadonlySet<string>,
): Statement[] {
  const isKept = (name: string, definition: Definition) =>
    next.constraints[name]?.sql === definition.sql && !mustGo(table, definition, touched);
  const gone = Object.entries(old.constraints).filter(([name, each]) => !isKept(name, each));
  // Foreign keys first, as others may stand on them.
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

function constraintsAdded(
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
  // With INCLUDE, NULLS NOT DISTINCT and the like, as it stands.
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

function foreignKeys(table: Table | undefined): string[] {
  return constraintsOf(table, 'FOREIGN KEY').map(([name]) => name);
}

function constraintsOf(table: Table | undefined, kind: string): [string, Definition][] {
  return Object.entries(table?.constraints ?? {}).filter(([, each]) => each.kind === kind);
}

function addConstraint(table: string, name: string, sql: string): string {
  return `ALTER TABLE ${table} ADD CONSTRAINT ${name} ${sql}`;
}

function dropConstraint(table: string, name: string): string {
  return `ALTER TABLE ${table} DROP CONSTRAINT ${name}`;
}

function concurrently(sql: string): string {
  return sql.replace(/^(CREATE (?:UNIQUE )?INDEX) /, '$1 CONCURRENTLY ');
}

/** `schema.` of a table outside of `public`. */
function schemaOf(table: string): string {
  return /^(?:"(?:[^"]|"")+"|\w+)\./.exec(table)?.[0] ?? '';
}

function elementType(type: string): string {
  return type.replace(/\[\]$/, '');
}

function missing(from: readonly string[], to: readonly string[]): string[] {
  return to.filter((each) => !from.includes(each));
}

function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
