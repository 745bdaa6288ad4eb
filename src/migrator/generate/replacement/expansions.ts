import { createHash } from 'node:crypto';
import { literal, schemaOf } from '../difference/statement.js';
import { unquoted } from '../answers.js';
import { conversionFunction, conversionOf, lossyConversion } from '../difference/conversion.js';
import { inverse, type Change } from '../renames.js';
import type { Column, Definition, Snapshot, Table } from '../snapshot.js';

/**
 * A column that is replaced while the table is in use: a second column is added beside it (expand), a trigger keeps it
 * current, existing rows are copied in batches (backfill), and then it takes the place of the first (contract).
 * https://martinfowler.com/bliki/ParallelChange.html
 */
export interface Expansion {
  readonly table: string;
  readonly from: string;
  /** The column that is added. */
  readonly to: string;
  readonly kind: 'rename' | 'retype';
  readonly expand: readonly Change[];
  /** None for a rename: the previous release uses the old column until a later migration drops it. */
  readonly contract: readonly Change[];
}

const RETIRED = /^renamed to (.+), and kept equal to it for the release before$/;

/** Bytes of the longest identifier. https://www.postgresql.org/docs/current/limits.html */
const IDENTIFIER_LIMIT = 63;

/** Types that PostgreSQL cannot compare, or compares only by area. */
const WITHOUT_EQUALITY = /^(?:json|xml|point|lseg|box|path|polygon|circle)(?:\[\])?$/;

const CONSTANT =
  /^\(?(?:NULL|true|false|-?\d+(?:\.\d+)?|'(?:[^']|'')*')\)?(?:::(?:"[^"]+"|[\w ])+(?:\(\d+(?:,\d+)?\))?(?:\[\])?)?$/;

/** The column that a retired one was renamed to. */
export function renamedTo({ comment }: Column): string | undefined {
  return RETIRED.exec(comment ?? '')?.[1];
}

/** The column that a trigger keeps equal to this one. */
export function replacedBy({ columns, triggers }: Table, name: string): string | undefined {
  if (triggers[triggerOf(name)] === undefined) return undefined;
  return Object.entries(columns).find(
    ([from, column]) => renamedTo(column) === unquoted(name) || suffixed(from, 'new') === name,
  )?.[0];
}

/** Why a column cannot be replaced by a second column; undefined if it can. */
export function obstacleOf({ tables, views }: Snapshot, table: string, name: string): string | undefined {
  const { columns = {}, constraints = {} } = tables[table] ?? {};
  const column = columns[name];
  if (column === undefined) return undefined;
  const mentions = (sql: string | null) => replaceIdentifier(sql ?? '', name, '') !== sql;
  if (column.identity !== null || column.sequence !== null) return 'it takes its values from a sequence';
  if (column.generated !== null) return 'its values are generated';
  if (Object.values(columns).some((each) => each.generated !== null && mentions(each.default)))
    return 'a generated column reads it';
  const own = Object.values(constraints).filter((each) => each.columns.includes(name));
  if (own.some(({ kind }) => kind === 'PRIMARY KEY')) return 'it belongs to the primary key';
  if (own.some(({ kind }) => kind === 'EXCLUDE')) return 'an exclusion constraint reads it';
  const isReferenced = Object.values(tables).some((each) =>
    Object.values(each.constraints).some(({ sql }) => references(sql, table, name)),
  );
  if (isReferenced) return 'a foreign key refers to it';
  const replaced = Object.entries(columns).find(([, each]) => renamedTo(each) === unquoted(name))?.[0];
  if (replaced !== undefined) return `it replaces ${replaced}, which is still there`;
  const view = Object.entries(views).find(([, { reads }]) => reads.includes(`${table}.${name}`))?.[0];
  return view === undefined ? undefined : `the view ${view} reads it`;
}

/** A column of another type under the same name. */
export function retyping(before: Snapshot, after: Snapshot, table: string, from: string): Expansion {
  const [was, next] = [columnOf(before, table, from), columnOf(after, table, from)];
  const to = suffixed(from, 'new');
  const { using } = conversionOf(`NEW.${from}`, was.type, next.type, before.enums);
  const trigger = syncTrigger(table, to, `  NEW.${to} := ${using ?? `NEW.${from}::${next.type}`};`);
  const back = lossyConversion(to, next.type, was.type, was.notNull ? was.default : null);
  return {
    table,
    from,
    to,
    kind: 'retype',
    expand: [addColumn(table, to, next), ...setAside(before, after, table, from), ...trigger],
    contract: [
      ...[...trigger].reverse().map(inverse),
      { up: `ALTER TABLE ${table} DROP COLUMN ${from}`, down: `UPDATE ${table} SET ${from} = ${back}` },
      { up: null, down: conversionFunction(next.type, was.type) },
      { up: null, down: addColumn(table, from, was).up },
      {
        up: `ALTER TABLE ${table} RENAME COLUMN ${to} TO ${from}`,
        down: `ALTER TABLE ${table} RENAME COLUMN ${from} TO ${to}`,
      },
    ],
  };
}

/** A column of the same type under another name. Each release sees what the other writes. */
export function renaming(
  before: Snapshot,
  after: Snapshot,
  table: string,
  from: string,
  to: string,
): Expansion {
  const [was, next] = [columnOf(before, table, from), columnOf(after, table, to)];
  const value = constantDefault(next);
  const differ = (a: string, b: string) =>
    WITHOUT_EQUALITY.test(was.type) ? `${a}::text IS DISTINCT FROM ${b}::text` : `${a} IS DISTINCT FROM ${b}`;
  const trigger = syncTrigger(
    table,
    to,
    `  IF TG_OP = 'INSERT' AND ${differ(`NEW.${to}`, value ?? 'NULL')} THEN
    NEW.${from} := NEW.${to};
  ELSIF TG_OP = 'UPDATE' AND ${differ(`NEW.${to}`, `OLD.${to}`)} THEN
    NEW.${from} := NEW.${to};
  ELSE
    NEW.${to} := NEW.${from};
  END IF;`,
  );
  const comment = `COMMENT ON COLUMN ${table}.${from} IS`;
  return {
    table,
    from,
    to,
    kind: 'rename',
    expand: [
      addColumn(table, to, next),
      // Not in ADD COLUMN, because existing rows would get the default.
      ...(value === null
        ? []
        : [{ up: `ALTER TABLE ${table} ALTER COLUMN ${to} SET DEFAULT ${value}`, down: null }]),
      ...setAside(before, after, table, from),
      ...trigger,
      {
        up: `${comment} ${literal(`renamed to ${unquoted(to)}, and kept equal to it for the release before`)}`,
        down: `${comment} ${was.comment === null ? 'NULL' : literal(was.comment)}`,
      },
    ],
    contract: [],
  };
}

/** The schema that the entities describe, plus columns of another type that are still being replaced. */
export function withExpansions(
  target: Snapshot,
  expanded: Snapshot,
  expansions: readonly Expansion[],
): Snapshot {
  if (expansions.length === 0) return target;
  const tables = { ...target.tables };
  for (const name of new Set(expansions.map(({ table }) => table))) {
    const [old, next] = [expanded.tables[name], tables[name]];
    const own = expansions.filter(({ table, kind }) => table === name && kind === 'retype');
    if (old === undefined || next === undefined || own.length === 0) continue;
    const columns: Record<string, Column> = { ...next.columns };
    for (const { from, to } of own) {
      columns[to] = { ...(columns[from] as Column), default: null, comment: null };
      columns[from] = old.columns[from] as Column;
    }
    const moved = (definitions: Table['indexes'], before: Table['indexes']) => ({
      ...Object.fromEntries(
        Object.entries(before).filter(([, each]) => own.some(({ from }) => each.columns.includes(from))),
      ),
      ...Object.fromEntries(
        Object.entries(definitions).map(([key, each]) => [
          key,
          own.reduce((definition, { from, to }) => onColumn(definition, from, to), each),
        ]),
      ),
    });
    tables[name] = {
      ...next,
      columns,
      constraints: moved(next.constraints, old.constraints),
      indexes: moved(next.indexes, old.indexes),
    };
  }
  // The type of a column that is still there.
  const types = new Set(
    expansions.map(({ table, from }) => expanded.tables[table]?.columns[from]?.type.replace(/\[\]$/, '')),
  );
  const enums = Object.entries(expanded.enums).filter(([name]) => types.has(name));
  return { ...target, tables, enums: { ...target.enums, ...Object.fromEntries(enums) } };
}

/** Its own definitions free their names for the replacing column. */
function setAside(before: Snapshot, after: Snapshot, table: string, from: string): Change[] {
  const [old, next] = [before.tables[table], after.tables[table]];
  const clashing = (key: 'constraints' | 'indexes') =>
    Object.entries(old?.[key] ?? {})
      .filter(([name, { columns }]) => columns.includes(from) && next?.[key][name] !== undefined)
      .map(([name]) => [name, suffixed(name, 'old')] as const);
  const schema = schemaOf(table);
  const constraint = (a: string, b: string) => `ALTER TABLE ${table} RENAME CONSTRAINT ${a} TO ${b}`;
  const index = (a: string, b: string) => `ALTER INDEX ${schema}${a} RENAME TO ${b}`;
  return [
    ...clashing('constraints').map(([a, b]) => ({ up: constraint(a, b), down: constraint(b, a) })),
    ...clashing('indexes').map(([a, b]) => ({ up: index(a, b), down: index(b, a) })),
  ];
}

function addColumn(table: string, name: string, { type, collation }: Column): Change {
  const collate = collation === null ? '' : ` COLLATE ${collation}`;
  return {
    up: `ALTER TABLE ${table} ADD COLUMN ${name} ${type}${collate}`,
    down: `ALTER TABLE ${table} DROP COLUMN ${name}`,
  };
}

function syncTrigger(table: string, to: string, body: string): Change[] {
  const { procedure, trigger } = namesOf(table, to);
  return [
    {
      up: `CREATE FUNCTION ${procedure}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
${body}
  RETURN NEW;
END $$`,
      down: `DROP FUNCTION ${procedure}()`,
    },
    {
      up: `CREATE TRIGGER ${trigger} BEFORE INSERT OR UPDATE ON ${table} FOR EACH ROW EXECUTE FUNCTION ${procedure}()`,
      down: `DROP TRIGGER ${trigger} ON ${table}`,
    },
  ];
}

/** Triggers of a table run in the order of their names: this one runs last and sees the changes of the others. */
export function triggerOf(to: string): string {
  return suffixed('zz_sync', to);
}

function namesOf(table: string, to: string) {
  const bare = table.slice(schemaOf(table).length);
  return {
    procedure: `${schemaOf(table)}${suffixed(suffixed('sync', bare), to)}`,
    trigger: triggerOf(to),
  };
}

function onColumn(definition: Definition, from: string, to: string): Definition {
  if (!definition.columns.includes(from)) return definition;
  // The columns that a foreign key refers to belong to another table.
  const [, own = definition.sql, rest = ''] = /^(.*?)( REFERENCES .*)$/s.exec(definition.sql) ?? [];
  return {
    ...definition,
    sql: replaceIdentifier(own, from, to) + rest,
    columns: definition.columns.map((column) => (column === from ? to : column)),
  };
}

/** @param sql as PostgreSQL writes it: other identifiers of the same name are types, functions or follow a dot */
export function replaceIdentifier(sql: string, from: string, to: string): string {
  return sql.replace(/'(?:[^']|'')*'|(?:::|\.)?(?:"(?:[^"]|"")+"|[A-Za-z_][\w$]*)(?![\w$(])/g, (token) =>
    token === from ? to : token,
  );
}

function references(sql: string, table: string, column: string): boolean {
  const [, target, list = ''] = /REFERENCES (\S+?)\(([^)]*)\)/.exec(sql) ?? [];
  return target === table && list.split(', ').includes(column);
}

/** Whether a default is the same for every row. */
export function constantDefault(column: Column): string | null {
  return column.default !== null && CONSTANT.test(column.default) ? column.default : null;
}

function columnOf(snapshot: Snapshot, table: string, name: string): Column {
  const column = snapshot.tables[table]?.columns[name];
  if (column === undefined) throw new Error(`There is no column ${table}.${name}`);
  return column;
}

/** Both names as one identifier. If it would be too long, a hash shortens it. */
function suffixed(name: string, suffix: string): string {
  const full = `${unquoted(name)}_${unquoted(suffix)}`;
  if (Buffer.byteLength(full) <= IDENTIFIER_LIMIT) return quotedIfNeeded(full);
  const hash = createHash('sha256').update(full).digest('hex').slice(0, 8);
  return quotedIfNeeded(`${full.slice(0, 40).replace(/[^\x20-\x7e]/g, '')}_${hash}`);
}

function quotedIfNeeded(name: string): string {
  return /^[a-z_][a-z0-9_]*$/.test(name) ? name : `"${name}"`;
}
