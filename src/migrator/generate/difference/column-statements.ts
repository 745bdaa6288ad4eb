import { unquoted } from '../answers.js';
import { conversionFunction, conversionOf, lossyConversion } from './conversion.js';
import { rebuiltEnums } from './enum-statements.js';
import { type Column, type Snapshot, type Table } from '../snapshot.js';
import { type Statement, now, literal, elementType } from './statement.js';

/** What to do with values that the new schema cannot hold. */
export interface Losses {
  /** SQL of the value for existing rows, by `table.column`; undefined if none was given. */
  readonly fill: (column: string, type: string) => string | undefined;
}

/** For the rest of the transaction. */
export const IN_UTC = `SET LOCAL TIME ZONE 'UTC'`;

/** A sequence as `serial` makes it. */
const SERIAL: Readonly<Record<string, string>> = {
  smallint: 'smallserial',
  integer: 'serial',
  bigint: 'bigserial',
};

/** A neutral value for existing rows, for a column that is added again without a default. */
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

export function columnStatements(
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
      // PostgreSQL computes its values from other columns.
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
    const { keepsValues, using, isFreeInUtc } = conversionOf(name, was.type, column.type, before.enums);
    if (current !== null) {
      statements.push(alter(`ALTER COLUMN ${name} DROP DEFAULT`));
      current = null;
    }
    const collation = column.collation === null ? '' : ` COLLATE ${column.collation}`;
    const type = `ALTER COLUMN ${name} TYPE ${column.type}${collation}`;
    if (keepsValues && isFreeInUtc) statements.push(now(IN_UTC), alter(type));
    else if (keepsValues) statements.push(alter(using === undefined ? type : `${type} USING ${using}`));
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
  // Replacing the type has also replaced the default.
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
      // With a validated check, PostgreSQL does not scan the rows while it holds its lock.
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

export function createTable(name: string, table: Table): Statement[] {
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
