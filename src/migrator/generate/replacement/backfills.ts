import { unquoted, type Answers } from '../answers.js';
import type { Snapshot } from '../snapshot.js';
import type { Expansion } from './expansions.js';

/** Pages in one transaction of a backfill: about a megabyte. */
const PAGES = 128;

/** A column that becomes NOT NULL. */
export interface Requirement {
  readonly table: string;
  /** Its name before the migration. */
  readonly column: string;
  /** `table.column` as the entity has it. */
  readonly what: string;
  readonly default: string | null;
}

/** Columns that allow NULL now and become NOT NULL. */
export function requirementsOf(
  before: Snapshot,
  after: Snapshot,
  expansions: readonly Expansion[],
): Requirement[] {
  return Object.entries(after.tables).flatMap(([table, { columns }]) =>
    Object.entries(columns).flatMap(([name, shape]) => {
      const from = expansions.find((each) => each.table === table && each.to === name)?.from ?? name;
      const was = before.tables[table]?.columns[from];
      const isRequired = was?.notNull === false && shape.notNull && was.generated === null;
      return isRequired
        ? [{ table, column: from, what: unquoted(`${table}.${name}`), default: shape.default }]
        : [];
    }),
  );
}

/**
 * Statements that fill existing rows, with a transaction for every few pages. Send them outside a transaction. They can be
 * interrupted at any point. A row that is locked by a writer is skipped until the next pass.
 */
export function backfillsOf(
  expansions: readonly Expansion[],
  requirements: readonly Requirement[],
  { fill }: Answers,
): string[] {
  const tables = new Set([...expansions, ...requirements].map(({ table }) => table));
  return [...tables].flatMap((table) => {
    const own = expansions.filter((each) => each.table === table);
    const required = requirements.filter((each) => each.table === table);
    const [first] = own;
    return [
      ...required.map(({ column, what }) =>
        inBatches(table, `${column} = ${fill.get(what) ?? 'NULL'}`, `${column} IS NULL`),
      ),
      // The trigger does the work.
      ...(first === undefined
        ? []
        : [
            inBatches(
              table,
              `${first.from} = ${first.from}`,
              own.map(({ from, to }) => `(${to} IS NULL AND ${from} IS NOT NULL)`).join(' OR '),
            ),
          ]),
    ];
  });
}

function inBatches(table: string, assignment: string, isOpen: string): string {
  const size = `pg_relation_size('${table}') / current_setting('block_size')::int`;
  return `DO $$
DECLARE
  pages bigint := ${size};
  page bigint;
  first tid;
  last tid;
BEGIN
  LOOP
    page := 0;
    WHILE page <= pages LOOP
      first := format('(%s,0)', page);
      last := format('(%s,0)', page + ${PAGES});
      UPDATE ${table} SET ${assignment} WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM ${table} WHERE ctid >= first AND ctid < last AND (${isOpen})
           FOR NO KEY UPDATE SKIP LOCKED));
      COMMIT;
      page := page + ${PAGES};
    END LOOP;
    EXIT WHEN NOT EXISTS (SELECT FROM ${table} WHERE ${isOpen});
    PERFORM pg_sleep(0.1);
    COMMIT;
    pages := ${size};
  END LOOP;
END $$`;
}
