import { applyMigrations, MigrationError } from '../apply/apply-migrations.js';
import { createHistory, type Query } from '../history/migration-history.js';
import { findMigrations } from '../history/migration-files.js';
import type { MigrationLog } from '../migration-log.js';
import type { DatabaseOptions, MigratorOptions } from '../migrator-options.js';
import { differences, readCatalog } from '../verify/catalog.js';
import { withScratchDatabase } from '../verify/scratch-database.js';
import { unquoted, type Answers, type Question } from './answers.js';
import { migrationSource, type MigrationSource } from './migration-source.js';
import { questionsOf } from './questions.js';
import { answeredRenames, impliedRenames, type Rename } from './renames.js';
import { readSnapshot, type Snapshot } from './snapshot.js';
import { neutralValue, statementsBetween, type Statement } from './statements.js';
import { readTarget, withClient, type Target } from './target.js';

/** Exactly one of `questions` and `migrations` has something in it, or neither where nothing has changed. */
export interface Generated {
  readonly questions: readonly Question[];
  readonly migrations: readonly MigrationSource[];
  /** Statements of TypeORM's that change nothing. */
  readonly phantoms: readonly string[];
  /** What to know before the migration is applied. */
  readonly notes: readonly string[];
}

/** A migration in the making. */
interface Draft {
  readonly suffix: string;
  readonly transaction: boolean;
  readonly up: readonly string[];
  readonly down: readonly string[];
}

/**
 * The migrations that lead from what the present ones make to what the entities describe. Each is carried out in a scratch
 * database before it is given back: `up` makes what the entities describe, and `down` restores the schema before.
 *
 * @param name of the class, without the timestamp
 * @param timestamp ms since the epoch
 * @throws {MigrationError} where TypeORM's proposal cannot be carried out, an answer names nothing, or the result is not
 *   what the entities describe
 */
export async function generateMigration(
  config: MigratorOptions,
  log: MigrationLog,
  { name, timestamp, answers }: { name: string; timestamp: number; answers: Answers },
): Promise<Generated> {
  return withScratchDatabase(config.database, log, async ({ database }) => {
    await applyPresent(config, database, log);
    // On a copy, as the proposal is not what is generated.
    const targetOf = () =>
      withScratchDatabase(database, log, (copy) => readTarget(copy.database, config.entities), database.name);
    const original = await withClient(database, catalogOf);
    const before = await withClient(database, readSnapshot);
    const asked = answered(() => answeredRenames(before, answers.rename));
    await withClient(database, (query) => runAll(query, upOf(asked)));
    let target = await targetOf();
    const implied = impliedRenames(await withClient(database, readSnapshot), target.snapshot);
    await withClient(database, (query) => runAll(query, upOf(implied)));
    if (implied.length > 0) target = await targetOf();

    const renamed = await withClient(database, readSnapshot);
    const after = withoutDropped(target, renamed, answers);
    checkAnswers(answers, before, renamed, after);
    const questions = questionsOf(renamed, after, orphansOf(target, renamed), answers);
    if (questions.length > 0) return { questions, migrations: [], phantoms: [], notes: [] };

    const renames = [...asked, ...implied];
    const statements = statementsBetween(renamed, after, true, {
      fill: (column) => answers.fill.get(unquoted(column)),
    });
    if (renames.length === 0 && statements.length === 0) {
      return { questions: [], migrations: [], phantoms: target.proposal, notes: [] };
    }
    return withClient(database, async (query) => {
      const drafts = await carryOut(query, renames, renamed, statements);
      if (after === target.snapshot) {
        prove('up does not make what the entities describe', target.catalog, await catalogOf(query));
      }
      for (const { down } of [...drafts].reverse()) await runAll(query, down);
      prove('down does not restore the schema', original, await catalogOf(query));
      const lossy = [...answers.drop, ...answers.lossy];
      return {
        questions: [],
        migrations: drafts.map((draft, index) =>
          migrationSource({ ...draft, name: `${name}${draft.suffix}`, timestamp: timestamp + index, lossy }),
        ),
        phantoms: [],
        notes: notesOf(statements),
      };
    });
  });
}

/**
 * The statements that lead from a database to what the entities describe; none where it is that already.
 *
 * @param database that nobody else uses
 */
export async function missingStatements(
  database: DatabaseOptions,
  entities: MigratorOptions['entities'],
): Promise<string[]> {
  return withClient(database, async (query) => {
    await createHistory(query);
    const before = await readSnapshot(query);
    const { snapshot } = await readTarget(database, entities);
    return statementsBetween(before, snapshot, false, { fill: () => undefined }).map(({ sql }) => sql);
  });
}

async function applyPresent(
  config: MigratorOptions,
  database: DatabaseOptions,
  log: MigrationLog,
): Promise<void> {
  const present = { ...config, database, direct: true, backUp: undefined };
  if ((await findMigrations(config.migrations)).length > 0) {
    await applyMigrations(present, { info: () => {}, warn: (line) => log.warn(line) });
  } else await withClient(database, createHistory);
}

function answered<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new MigrationError((error as Error).message, { cause: error });
  }
}

function upOf(renames: readonly Rename[]): string[] {
  return renames.map(({ up }) => up);
}

async function runAll(query: Query, statements: readonly string[]): Promise<void> {
  for (const sql of statements) {
    await query(sql).catch((error: unknown) => {
      throw new MigrationError(`The migration cannot be generated: ${(error as Error).message} in: ${sql}`, {
        cause: error,
      });
    });
  }
}

/** Runs the statements, and finds out on the way how each step is taken back. */
async function carryOut(
  query: Query,
  renames: readonly Rename[],
  renamed: Snapshot,
  statements: readonly Statement[],
): Promise<Draft[]> {
  const drafts: Draft[] = [];
  let before = renamed;
  const suffixes = { 0: 'Values', 1: '', 2: 'Indexes', 3: 'Constraints' } as const;
  for (const step of [0, 1, 2, 3] as const) {
    const up = statements.filter((each) => each.step === step).map(({ sql }) => sql);
    const first = step === 1 ? renames : [];
    if (up.length + first.length === 0) continue;
    if (step !== 2) await query('BEGIN');
    await runAll(query, up);
    if (step !== 2) await query('COMMIT');
    const after = await readSnapshot(query);
    const down = statementsBetween(after, before, false, {
      fill: (_column, type) => neutralValue(type, before.enums),
    }).map(({ sql }) => (step === 2 ? sql.replace(/^DROP INDEX /, 'DROP INDEX CONCURRENTLY ') : sql));
    drafts.push({
      suffix: suffixes[step],
      transaction: step !== 2,
      up: [...first.map(({ up: sql }) => sql), ...up],
      down: [...down, ...[...first].reverse().map(({ down: sql }) => sql)],
    });
    before = after;
  }
  // A single one needs no name to tell it from others.
  return drafts.length === 1 ? drafts.map((draft) => ({ ...draft, suffix: '' })) : drafts;
}

/** Tables that no entity describes. */
function orphansOf({ described }: Target, { tables }: Snapshot): string[] {
  return Object.keys(tables).filter((name) => !described.has(unquoted(name)));
}

/** What the entities describe, without the tables that are to go. */
function withoutDropped(target: Target, before: Snapshot, { drop }: Answers): Snapshot {
  const gone = new Set(orphansOf(target, before).filter((name) => drop.has(unquoted(name))));
  if (gone.size === 0) return target.snapshot;
  const tables = Object.entries(target.snapshot.tables).filter(([name]) => !gone.has(name));
  return { ...target.snapshot, tables: Object.fromEntries(tables) };
}

function checkAnswers(answers: Answers, before: Snapshot, renamed: Snapshot, after: Snapshot): void {
  const has = ({ tables }: Snapshot, what: string) =>
    Object.entries(tables).some(
      ([table, { columns }]) =>
        unquoted(table) === what ||
        Object.keys(columns).some((column) => unquoted(`${table}.${column}`) === what),
    );
  for (const what of answers.drop) {
    if (!has(renamed, what)) throw new MigrationError(`--drop ${what}: there is no such table or column`);
    if (has(after, what)) throw new MigrationError(`--drop ${what}: an entity describes it`);
  }
  for (const what of answers.lossy) {
    if (!has(renamed, what) && !has(before, what))
      throw new MigrationError(`--lossy ${what}: there is no such column`);
  }
  for (const what of answers.fill.keys()) {
    if (!has(after, what)) throw new MigrationError(`--fill ${what}: there is no such column`);
    if (has(renamed, what)) throw new MigrationError(`--fill ${what}: the column is not new`);
  }
}

function notesOf(statements: readonly Statement[]): string[] {
  return statements
    .filter(({ sql }) => / TYPE .* USING /.test(sql))
    .map(({ sql }) => `rewrites its table, and nobody can use it meanwhile: ${sql}`);
}

function prove(fault: string, wanted: readonly string[], made: readonly string[]): void {
  const lines = differences(wanted, made);
  if (lines.length > 0) {
    throw new MigrationError(`The migration cannot be generated: ${fault}:\n  ${lines.join('\n  ')}`);
  }
}

async function catalogOf(query: Query): Promise<string[]> {
  const lines = await readCatalog(query);
  await query(`SELECT set_config('search_path', 'public', false)`);
  return lines;
}
