import type { Snapshot, Table } from '../generate/snapshot.js';
import type { Query } from '../history/migration-history.js';
import { sampleValues } from './sample-values.js';

/** How often a row that breaks a constraint is tried again with other values. */
const ATTEMPTS = 60;

/** What a database in another encoding takes too: in SQL_ASCII, a type's length counts bytes and cuts characters. */
const ASCII = /^[\t\n\x20-\x7e]*$/;

interface Failure {
  readonly code?: string;
  readonly constraint?: string;
  readonly column?: string;
  readonly message: string;
}

interface Reference {
  readonly columns: readonly string[];
  readonly target: string;
  readonly keys: readonly string[];
  /** The values of `keys`, by row of `target`. */
  parents: readonly Readonly<Record<string, string>>[];
}

/**
 * Empties the tables and inserts rows that the constraints allow: edge values of each type, NULL in nullable columns, and
 * foreign keys that are NULL or refer to such a row.
 *
 * @param query outside of a transaction
 * @returns tables that stayed empty because their constraints refused every row, and why
 */
export async function insertSampleRows(query: Query, snapshot: Snapshot): Promise<string[]> {
  const empty: string[] = [];
  const names = parentsFirst(snapshot);
  const [{ server_encoding: encoding }] = (await query('SHOW server_encoding')) as [
    { server_encoding: string },
  ];
  if (names.length > 0) await query(`TRUNCATE ${names.join(', ')}`);
  for (const name of names) {
    const reason = await fillTable(query, name, snapshot, encoding === 'UTF8');
    if (reason !== undefined) empty.push(`${name}: ${reason}`);
  }
  return empty;
}

/** @returns why the table is still empty; undefined if it has rows */
async function fillTable(
  query: Query,
  name: string,
  snapshot: Snapshot,
  isUnicode: boolean,
): Promise<string | undefined> {
  const table = snapshot.tables[name] as Table;
  const candidates = candidatesOf(table, snapshot, isUnicode);
  const references = await referencesOf(query, table);
  const most = Math.max(1, ...[...candidates.values()].map((values) => values.length));
  let reason: string | undefined;
  let inserted = 0;
  for (let index = 0; index < most; index += 1) {
    const shift = new Map([...candidates.keys()].map((column) => [column, index]));
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      const row = new Map(
        [...candidates].map(([column, values]) => [
          column,
          values[(shift.get(column) ?? 0) % values.length] ?? 'DEFAULT',
        ]),
      );
      for (const reference of references) refer(reference, index + attempt, row);
      const failure = await insert(query, name, row);
      if (failure === undefined) {
        inserted += 1;
        for (const reference of references)
          if (reference.target === name) await readParents(query, reference);
        break;
      }
      reason = failure.message;
      const columns = columnsOf(failure, table).filter((column) => candidates.has(column));
      // Change the columns of the constraint in turn, to try all their combinations.
      const next =
        columns[attempt % Math.max(1, columns.length)] ?? [...candidates.keys()][attempt % candidates.size];
      if (next !== undefined) shift.set(next, (shift.get(next) ?? 0) + 1);
    }
  }
  return inserted > 0 ? undefined : reason;
}

/** SQL expressions by column. */
function candidatesOf(table: Table, { enums }: Snapshot, isUnicode: boolean): Map<string, readonly string[]> {
  return new Map(
    Object.entries(table.columns)
      .filter(([, { generated, identity, sequence }]) => (generated ?? identity ?? sequence) === null)
      .map(([name, { type, notNull }]) => {
        // The values that a check compares the column with.
        const literals = Object.values(table.constraints)
          .filter(({ kind, columns }) => kind === 'CHECK' && columns.includes(name))
          .flatMap(({ sql }) => sql.match(/'(?:[^']|'')*'|\b\d+(?:\.\d+)?\b/g) ?? [])
          .map((value) => `(${value})::text::${type}`);
        return [
          name,
          [
            ...sampleValues(type, enums).filter((value) => isUnicode || ASCII.test(value)),
            ...new Set(literals),
            ...(notNull ? [] : ['NULL']),
          ],
        ];
      }),
  );
}

async function referencesOf(query: Query, { constraints }: Table): Promise<Reference[]> {
  const references: Reference[] = [];
  for (const { kind, sql } of Object.values(constraints)) {
    if (kind !== 'FOREIGN KEY') continue;
    const [, own = '', target = '', keys = ''] =
      /^FOREIGN KEY \(([^)]*)\) REFERENCES (\S+?)\(([^)]*)\)/.exec(sql) ?? [];
    const reference = { columns: own.split(', '), target, keys: keys.split(', '), parents: [] };
    await readParents(query, reference);
    references.push(reference);
  }
  return references;
}

async function readParents(query: Query, reference: Reference): Promise<void> {
  const { target, keys } = reference;
  reference.parents = (await query(
    `SELECT ${keys.map((column, position) => `quote_nullable(${column}::text) AS value${position}`).join(', ')}
       FROM ${target} ORDER BY ${keys.join(', ')}`,
  )) as Record<string, string>[];
}

/** Sets the columns of a foreign key to those of an existing row, or to NULL. */
function refer({ columns, parents }: Reference, index: number, row: Map<string, string>): void {
  const parent = parents[index % Math.max(1, parents.length)];
  for (const [position, column] of columns.entries()) {
    const isOpen = row.get(column) === 'NULL';
    if (!isOpen) row.set(column, parent?.[`value${position}`] ?? 'NULL');
  }
}

async function insert(
  query: Query,
  table: string,
  row: ReadonlyMap<string, string>,
): Promise<Failure | undefined> {
  try {
    await query(
      row.size === 0
        ? `INSERT INTO ${table} DEFAULT VALUES`
        : `INSERT INTO ${table} (${[...row.keys()].join(', ')}) OVERRIDING SYSTEM VALUE VALUES (${[...row.values()].join(', ')})`,
    );
    return undefined;
  } catch (error) {
    return error as Failure;
  }
}

function columnsOf({ constraint, column }: Failure, { constraints, indexes }: Table): readonly string[] {
  const bare = (name: string) => name.replaceAll('"', '');
  const rule = [...Object.entries(constraints), ...Object.entries(indexes)].find(
    ([name]) => bare(name) === constraint,
  )?.[1];
  return rule?.columns ?? (column === undefined ? [] : [column]);
}

function parentsFirst({ tables }: Snapshot): string[] {
  const ordered: string[] = [];
  const visit = (name: string, path: readonly string[]) => {
    if (ordered.includes(name) || path.includes(name)) return;
    for (const { sql } of Object.values(tables[name]?.constraints ?? {})) {
      const target = /^FOREIGN KEY .* REFERENCES (\S+?)\(/.exec(sql)?.[1];
      if (target !== undefined && tables[target] !== undefined) visit(target, [...path, name]);
    }
    ordered.push(name);
  };
  for (const name of Object.keys(tables)) visit(name, []);
  return ordered;
}
