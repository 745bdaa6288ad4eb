import { unquoted } from '../generate/answers.js';
import { renamedTo } from '../generate/replacement/expansions.js';
import type { Snapshot } from '../generate/snapshot.js';
import type { Query } from '../history/migration-history.js';

interface Column {
  readonly name: string;
  /** Does not change when the column is renamed. */
  readonly number: number;
  readonly type: string;
}

interface TableValues {
  /** Does not change when the table is renamed. */
  readonly oid: number;
  readonly name: string;
  /** Columns of the primary key. */
  readonly key: readonly string[];
  readonly columns: readonly Column[];
  /** By the row's key as text: the values as text, by column. */
  readonly rows: ReadonlyMap<string, Readonly<Record<string, string | null>>>;
}

/** The rows of a database, as text. */
export interface Values {
  readonly snapshot: Snapshot;
  readonly tables: readonly TableValues[];
  /** Ids of enum labels by `type.label`. An id does not change when its label is renamed. */
  readonly labels: ReadonlyMap<string, number>;
}

/** How many values are lost, by `table` or `table.column`. */
export type Losses = ReadonlyMap<string, number>;

const TABLES = `
  SELECT c.oid::int, c.oid::regclass::text AS name,
         coalesce((SELECT jsonb_agg(quote_ident(attname) ORDER BY ord)
                     FROM pg_constraint, unnest(conkey) WITH ORDINALITY u (num, ord)
                     JOIN pg_attribute ON attrelid = c.oid AND attnum = num
                    WHERE conrelid = c.oid AND contype = 'p'), '[]') AS key,
         (SELECT jsonb_agg(jsonb_build_object('name', quote_ident(attname), 'number', attnum,
                                              'type', format_type(atttypid, atttypmod)) ORDER BY attnum)
            FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped) AS columns
    FROM pg_class c WHERE c.oid::regclass::text = ANY ($1)`;

const LABELS = `
  SELECT e.oid::int, enumtypid::regtype::text || '.' || enumlabel AS label FROM pg_enum e`;

/** @param query outside of a transaction, on a connection of its own, whose `search_path` becomes `public` */
export async function readValues(query: Query, snapshot: Snapshot): Promise<Values> {
  await query(
    `SELECT set_config('search_path', 'public', false), set_config('TimeZone', 'UTC', false), set_config('IntervalStyle', 'postgres', false)`,
  );
  const found = (await query(TABLES, [Object.keys(snapshot.tables)])) as Omit<TableValues, 'rows'>[];
  const tables: TableValues[] = [];
  for (const table of found) {
    const columns = table.columns.map(({ name }) => name);
    tables.push({ ...table, rows: await readRows(query, table, columns, columns) });
  }
  const labels = (await query(LABELS)) as { oid: number; label: string }[];
  return { snapshot, tables, labels: new Map(labels.map(({ oid, label }) => [label, oid])) };
}

/**
 * Finds the values that are lost. A column is found by its name, or by its number if it was renamed. A value of a new type
 * is kept if converting it back gives the old value.
 *
 * @param ignore values that were already lost
 */
export async function lostValues(
  query: Query,
  before: Values,
  after: Values,
  ignore: Losses = new Map(),
): Promise<{ readonly lost: Losses; readonly compared: number }> {
  const lost = new Map<string, number>();
  let compared = 0;
  for (const table of before.tables) {
    const next =
      after.tables.find(({ oid }) => oid === table.oid) ??
      after.tables.find(({ name }) => name === table.name);
    if (next === undefined) {
      if (table.rows.size > 0) lost.set(unquoted(table.name), table.rows.size);
      continue;
    }
    if (table.key.length === 0) {
      // Without a key, its rows cannot be identified.
      const gone = table.rows.size - next.rows.size;
      if (gone > 0) lost.set(unquoted(table.name), gone);
      continue;
    }
    const pairs = table.columns.map((column) => ({
      column,
      now: successorOf(column, table, next, before.snapshot),
    }));
    const key = table.key.map((name) => pairs.find(({ column }) => column.name === name)?.now?.name ?? '');
    const rows = !key.includes('') ? await readRows(query, { ...next, key }, [], []) : undefined;
    for (const { column, now } of pairs) {
      const what = unquoted(`${table.name}.${column.name}`);
      if (ignore.has(what) || ignore.has(unquoted(table.name))) continue;
      const given = [...table.rows].map(([id, row]) => [id, row[column.name] ?? null] as const);
      compared += given.length;
      const forms =
        now === undefined || rows === undefined ? [] : await formsOf(query, { ...next, key }, now, column);
      const isKept = ([id, value]: readonly [string, string | null]) =>
        forms.some((form) => form.has(id) && same(value, form.get(id) ?? null, before, after, column, now));
      const gone = given.filter((each) => each[1] !== null && !isKept(each)).length;
      if (gone > 0) lost.set(what, gone);
    }
  }
  return { lost, compared };
}

/** The values of a column as text: unchanged, converted back to the old type, and the first element of an array. */
async function formsOf(
  query: Query,
  table: Omit<TableValues, 'rows'>,
  { name, type }: Column,
  was: Column,
): Promise<ReadonlyMap<string, string | null>[]> {
  const expressions = [
    `${name}::text`,
    ...(type === was.type ? [] : [`${name}::${was.type}::text`]),
    ...(type === `${was.type}[]` ? [`(${name})[1]::text`] : []),
  ];
  const forms: ReadonlyMap<string, string | null>[] = [];
  for (const expression of expressions) {
    try {
      const rows = await readRows(query, table, ['value'], [expression]);
      forms.push(new Map([...rows].map(([id, row]) => [id, row['value'] ?? null])));
    } catch {
      // PostgreSQL cannot convert to that type.
    }
  }
  return forms;
}

function same(
  old: string | null,
  now: string | null,
  before: Values,
  after: Values,
  column: Column,
  next: Column | undefined,
): boolean {
  if (old === now) return true;
  const label = (values: Values, type: string | undefined, text: string | null) =>
    values.labels.get(`${type ?? ''}.${text ?? ''}`);
  const id = label(before, column.type, old);
  return id !== undefined && id === label(after, next?.type, now);
}

function successorOf(
  column: Column,
  table: TableValues,
  next: TableValues,
  { tables }: Snapshot,
): Column | undefined {
  const named = next.columns.find(({ name }) => name === column.name);
  if (named !== undefined) return named;
  const shape = tables[table.name]?.columns[column.name];
  const copy = shape && renamedTo(shape);
  return next.columns.find(
    ({ name, number }) => unquoted(name) === copy || (next.oid === table.oid && number === column.number),
  );
}

/** @param expressions read as text, under the names given */
async function readRows(
  query: Query,
  { name, key }: Omit<TableValues, 'rows'>,
  names: readonly string[],
  expressions: readonly string[],
): Promise<Map<string, Record<string, string | null>>> {
  const list = [
    `jsonb_build_array(${key.map((column) => `${column}::text`).join(', ')})::text AS id`,
    ...expressions.map((expression, index) => `(${expression})::text AS value${index}`),
  ];
  const rows = (await query(`SELECT ${list.join(', ')} FROM ${name}`)) as Record<string, string | null>[];
  return new Map(
    rows.map((row, index) => [
      key.length > 0 ? (row['id'] ?? '') : String(index),
      Object.fromEntries(names.map((column, position) => [column, row[`value${position}`] ?? null])),
    ]),
  );
}
