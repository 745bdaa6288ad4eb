import type { Query } from '../../history/migration-history.js';
import { unquoted, type Answers, type Question } from '../answers.js';
import { conversionOf } from '../difference/conversion.js';
import { obstacleOf, renaming, retyping, type Expansion } from './expansions.js';
import type { ColumnRename } from '../renames.js';
import type { Snapshot } from '../snapshot.js';
import { rebuiltEnums } from '../difference/enum-statements.js';

/**
 * Finds the columns to replace while the table is in use: renamed columns, and columns whose new type would rewrite the
 * table. If a column cannot be replaced this way, a person decides.
 *
 * @param query on a database that nobody else uses
 * @throws {Error} if a rename names a field that no entity has
 */
export async function chooseExpansions(
  query: Query,
  before: Snapshot,
  after: Snapshot,
  renames: readonly ColumnRename[],
  answers: Answers,
): Promise<{ readonly expansions: Expansion[]; readonly questions: Question[] }> {
  const expansions: Expansion[] = [];
  const questions: Question[] = [];
  for (const rename of renames) {
    const table = named(before.tables, rename.table);
    const from = named(before.tables[table]?.columns, rename.from);
    const to = named(after.tables[table]?.columns, rename.to);
    const next = after.tables[table]?.columns[to];
    const what = `${rename.table}.${rename.from}`;
    if (next === undefined) throw new Error(`--rename ${what}:${rename.to}: no entity has that field`);
    const obstacle =
      obstacleOf(before, table, from) ??
      (next.type === before.tables[table]?.columns[from]?.type ? undefined : 'its type changes too');
    if (obstacle === undefined) expansions.push(renaming(before, after, table, from, to));
    else
      questions.push({
        text: `${what} cannot be renamed while the release before is running: ${obstacle}`,
        choices: [
          {
            flag: `--in-place ${what}`,
            effect: 'renames it in one statement; the release before fails from then on',
          },
        ],
      });
  }
  const rebuilt = rebuiltEnums(before, after);
  for (const [table, { columns }] of Object.entries(after.tables)) {
    for (const [name, { type, generated }] of Object.entries(columns)) {
      const was = before.tables[table]?.columns[name];
      const what = unquoted(`${table}.${name}`);
      if (was === undefined || was.type === type || (was.generated ?? generated) !== null) continue;
      if (answers.inPlace.has(what) || rebuilt.includes(was.type.replace(/\[\]$/, ''))) continue;
      if (!conversionOf(name, was.type, type, before.enums).keepsValues) continue;
      if (!(await rewrites(query, before, table, name, type))) continue;
      const obstacle = obstacleOf(before, table, name);
      if (obstacle === undefined) expansions.push(retyping(before, after, table, name));
      else
        questions.push({
          text: `${what} becomes ${type}, and ${obstacle}: it cannot be replaced while the table is in use`,
          choices: [
            {
              flag: `--in-place ${what}`,
              effect: 'rewrites the table in one statement, while nobody can read or write it',
            },
          ],
        });
    }
  }
  return { expansions, questions };
}

/** Whether PostgreSQL would rewrite a table or its index, tested on an empty table. */
async function rewrites(
  query: Query,
  before: Snapshot,
  table: string,
  name: string,
  type: string,
): Promise<boolean> {
  const was = before.tables[table]?.columns[name]?.type ?? '';
  const { using, isFreeInUtc } = conversionOf('value', was, type, before.enums);
  const { constraints, indexes } = before.tables[table] ?? { constraints: {}, indexes: {} };
  const isIndexed = [...Object.values(indexes), ...Object.values(constraints)].some(
    ({ kind, columns }) => /INDEX|UNIQUE/.test(kind) && columns.includes(name),
  );
  await query('BEGIN');
  try {
    await query(`SET LOCAL TIME ZONE 'UTC'`);
    await query(`CREATE TABLE probe (value ${was})`);
    if (isIndexed) await query('CREATE INDEX probe_idx ON probe (value)');
    const files = () =>
      query(
        `SELECT array_agg(relfilenode ORDER BY relname) FROM pg_class WHERE relname IN ('probe', 'probe_idx')`,
      );
    const old = await files();
    await query(
      `ALTER TABLE probe ALTER COLUMN value TYPE ${type}${using === undefined || isFreeInUtc ? '' : ` USING ${using}`}`,
    );
    return JSON.stringify(await files()) !== JSON.stringify(old);
  } catch {
    // For example, the new type has no operators for the index.
    return true;
  } finally {
    await query('ROLLBACK');
  }
}

function named(names: object = {}, name: string): string {
  return Object.keys(names).find((each) => unquoted(each) === name) ?? '';
}
