import { literal } from './difference/statement.js';
import { unquoted, type Answers } from './answers.js';
import type { Definition, Snapshot } from './snapshot.js';

/** A statement, and the one that undoes it; null if there is nothing to do. */
export interface Change {
  readonly up: string | null;
  readonly down: string | null;
}

/** Names without quotes. The table has its new name. */
export interface ColumnRename {
  readonly table: string;
  readonly from: string;
  readonly to: string;
}

export function inverse({ up, down }: Change): Change {
  return { up: down, down: up };
}

/**
 * What `--rename` asks for: statements for tables, enum values and the columns of `--in-place`, names for other columns.
 *
 * @throws {Error} if a name is not in the schema
 */
export function answeredRenames(
  before: Snapshot,
  { rename: answers, inPlace }: Answers,
): { readonly inPlace: Change[]; readonly columns: ColumnRename[] } {
  const tableOf = (name: string) => Object.keys(before.tables).find((table) => unquoted(table) === name);
  const tables = [...answers].flatMap(([from, to]) => {
    const table = tableOf(from);
    return table === undefined ? [] : [{ table, to }];
  });
  const renamed = new Map(tables.map(({ table, to }) => [unquoted(to), table]));
  const changes = tables.map(({ table, to }) =>
    renaming(`TABLE ${table}`, `TABLE ${quoted(to)}`, table, quoted(to)),
  );
  const columns: ColumnRename[] = [];
  for (const [from, to] of answers) {
    if (tableOf(from) !== undefined) continue;
    const [, owner = '', name = ''] = /^(.*)\.([^.]+)$/.exec(from) ?? [];
    const type = Object.keys(before.enums).find((each) => unquoted(each) === owner);
    if (type !== undefined && before.enums[type]?.includes(name)) {
      const value = (a: string, b: string) =>
        `ALTER TYPE ${type} RENAME VALUE ${literal(a)} TO ${literal(b)}`;
      changes.push({ up: value(name, to), down: value(to, name) });
      continue;
    }
    const table = renamed.get(owner) ?? tableOf(owner) ?? '';
    const column = Object.keys(before.tables[table]?.columns ?? {}).find((each) => unquoted(each) === name);
    if (column === undefined) {
      throw new Error(`--rename ${from}:${to}: there is no table, column or enum value ${from}`);
    }
    if (inPlace.has(from)) {
      const now = renamed.has(owner) ? quoted(owner) : table;
      const rename = (a: string, b: string) => `ALTER TABLE ${now} RENAME COLUMN ${a} TO ${b}`;
      changes.push({ up: rename(column, quoted(to)), down: rename(quoted(to), column) });
    } else columns.push({ table: owner, from: name, to });
  }
  return { inPlace: changes, columns };
}

/** Objects of which only the name changes: enums of a column, constraints, indexes and sequences of columns. */
export function impliedRenames(before: Snapshot, after: Snapshot): Change[] {
  const renames = new Map<string, Change>();
  const add = (object: string, from: string, to: string) =>
    renames.set(`${object} ${from}`, renaming(`${object} ${from}`, `${object} ${to}`, from, to));
  for (const [table, { columns, constraints, indexes }] of Object.entries(after.tables)) {
    const old = before.tables[table];
    if (old === undefined) continue;
    for (const [name, { type }] of Object.entries(columns)) {
      const was = old.columns[name]?.type.replace(/\[\]$/, '') ?? '';
      const now = type.replace(/\[\]$/, '');
      const isRenamed =
        was !== now &&
        before.enums[was] !== undefined &&
        after.enums[was] === undefined &&
        before.enums[now] === undefined &&
        after.enums[now] !== undefined;
      if (isRenamed) add('TYPE', was, now);
    }
    for (const [from, to] of sameButNamed(old.constraints, constraints)) {
      const rename = (a: string, b: string) => `ALTER TABLE ${table} RENAME CONSTRAINT ${a} TO ${b}`;
      renames.set(`CONSTRAINT ${table} ${from}`, { up: rename(from, to), down: rename(to, from) });
    }
    for (const [from, to] of sameButNamed(old.indexes, indexes)) add('INDEX', from, to);
  }
  return [...renames.values()];
}

function sameButNamed(
  old: Readonly<Record<string, Definition>>,
  next: Readonly<Record<string, Definition>>,
): [string, string][] {
  const gone = Object.entries(old).filter(([name]) => next[name] === undefined);
  const added = new Map(Object.entries(next).filter(([name]) => old[name] === undefined));
  const pairs: [string, string][] = [];
  for (const [from, { sql }] of gone) {
    const shape = shapeOf(sql, from);
    const to = [...added].find(([name, each]) => shapeOf(each.sql, name) === shape)?.[0];
    if (to === undefined) continue;
    added.delete(to);
    pairs.push([from, to]);
  }
  return pairs;
}

/** A definition without the name that `CREATE INDEX` gives. */
function shapeOf(sql: string, name: string): string {
  return sql.replace(`INDEX ${name} ON`, 'INDEX ON');
}

function renaming(old: string, renamed: string, from: string, to: string): Change {
  // ALTER … RENAME TO takes the new name without its schema.
  const bare = (name: string) => name.replace(/^(?:"(?:[^"]|"")+"|\w+)\./, '');
  return { up: `ALTER ${old} RENAME TO ${bare(to)}`, down: `ALTER ${renamed} RENAME TO ${bare(from)}` };
}

/** @param name with its schema, if it has one */
function quoted(name: string): string {
  return unquoted(name)
    .split('.')
    .map((part) => `"${part}"`)
    .join('.');
}
