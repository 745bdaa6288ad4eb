import { applyMigrations } from '../apply/apply-migrations.js';
import { MigrationError } from '../migrator-errors.js';
import { createHistory, type Query } from '../history/migration-history.js';
import { findMigrations } from '../history/migration-files.js';
import type { MigrationLog } from '../migration-log.js';
import type { DatabaseOptions, MigratorOptions } from '../migrator-options.js';
import { differences, readCatalog } from '../verify/catalog.js';
import { withScratchDatabase } from '../verify/scratch-database.js';
import { unquoted, type Answers, type Question } from './answers.js';
import { migrationSource, type MigrationSource } from './migration-source.js';
import { carryOut, NOTHING_TO_FILL, runAll, upOf, waiversOf } from './drafts.js';
import { chooseExpansions } from './replacement/choose-expansions.js';
import { backfillsOf, requirementsOf, type Requirement } from './replacement/backfills.js';
import { renamedTo, withExpansions, type Expansion } from './replacement/expansions.js';
import { retirements, withRetired } from './replacement/retired-columns.js';
import { fillQuestions, questionsOf } from './questions.js';
import { answeredRenames, impliedRenames } from './renames.js';
import { readSnapshot, type Snapshot } from './snapshot.js';
import type { Statement } from './difference/statement.js';
import { statementsBetween } from './difference/statements-between.js';
import { readTarget, withClient, type Target } from './target.js';

/** At most one of `questions` and `migrations` is filled. Both are empty if nothing has changed. */
export interface Generated {
  readonly questions: readonly Question[];
  readonly migrations: readonly MigrationSource[];
  /** TypeORM's statements that change nothing. */
  readonly phantoms: readonly string[];
  /** What to know before applying the migration. */
  readonly notes: readonly string[];
}

/**
 * Generates the migrations from the current schema to the one that the entities describe. Each is first run in a scratch
 * database: `up` must create what the entities describe, and `down` must restore the schema before it.
 *
 * @param name class name, without the timestamp
 * @param timestamp ms since the epoch
 * @throws {MigrationError} if TypeORM's proposal fails, an answer names nothing, or the result is not what the entities
 *   describe
 */
export async function generateMigration(
  config: MigratorOptions,
  log: MigrationLog,
  { name, timestamp, answers }: { name: string; timestamp: number; answers: Answers },
): Promise<Generated> {
  return withScratchDatabase(config.database, log, async ({ database }) => {
    await applyPresent(config, database, log);
    // On a copy, because reading the target runs TypeORM's proposal.
    const targetOf = () =>
      withScratchDatabase(
        database,
        log,
        (copy) => readTarget({ ...config, database: copy.database }),
        database.name,
      );
    const original = await withClient(database, catalogOf);
    const before = await withClient(database, readSnapshot);
    const asked = await Promise.resolve(before)
      .then((snapshot) => answeredRenames(snapshot, answers))
      .catch(refuse);
    await withClient(database, (query) => runAll(query, asked.inPlace.map(upOf)));
    let target = await targetOf();
    const implied = impliedRenames(await withClient(database, readSnapshot), target.snapshot);
    await withClient(database, (query) => runAll(query, implied.map(upOf)));
    if (implied.length > 0) target = await targetOf();

    const renamed = await withClient(database, readSnapshot);
    const after = withRetired(withoutDropped(target, renamed, answers), renamed, answers.drop);
    const { expansions, questions } = await withClient(database, (query) =>
      chooseExpansions(query, renamed, after, asked.columns, answers),
    ).catch(refuse);
    const requirements = requirementsOf(renamed, after, expansions);
    questions.push(
      ...fillQuestions(requirements, answers),
      ...questionsOf(renamed, after, orphansOf(target, renamed), answers),
    );
    checkAnswers(answers, before, renamed, after, requirements);
    if (questions.length > 0) return { questions, migrations: [], phantoms: [], notes: [] };

    const retired = retirements(renamed, after);
    const changes = [...retired, ...expansions.flatMap(({ expand }) => expand)];
    await withClient(database, (query) => runAll(query, changes.map(upOf)));
    const expanded = await withClient(database, readSnapshot);
    const contracted = withRetired(after, expanded, answers.drop);
    const interim = withExpansions(contracted, expanded, expansions);
    const statements = statementsBetween(expanded, interim, true, {
      fill: (column) => answers.fill.get(unquoted(column)),
    });
    const first = [...asked.inPlace, ...implied, ...changes];
    if (first.length === 0 && statements.length === 0) {
      return { questions: [], migrations: [], phantoms: target.proposal, notes: [] };
    }
    const drafts = await withClient(database, (query) =>
      carryOut(query, {
        before,
        first,
        expanded,
        statements,
        backfills: backfillsOf(expansions, requirements, answers),
        expansions,
        after: contracted,
      }),
    );
    if (interim === target.snapshot && retired.length === 0) {
      const made = await withClient(database, catalogOf);
      prove('up does not make what the entities describe', target.catalog, made);
    } else {
      const { snapshot } = await targetOf();
      const made = await withClient(database, readSnapshot);
      const missing = statementsBetween(made, withRetired(snapshot, made, new Set()), false, NOTHING_TO_FILL);
      prove(
        'up does not make what the entities describe',
        [],
        missing.map(({ sql }) => sql),
      );
    }
    await withClient(database, async (query) => {
      for (const { down } of [...drafts].reverse()) await runAll(query, down);
      prove('down does not restore the schema', original, await catalogOf(query));
    });
    const lossy = [...[...answers.drop].filter((name) => !isRetired(renamed, name)), ...answers.lossy];
    return {
      questions: [],
      migrations: drafts.map((draft, index) =>
        migrationSource({
          ...draft,
          name: `${name}${draft.suffix}`,
          timestamp: timestamp + index,
          comments: [
            ...lossy.map((what) => `lossy: ${what}: asked for when the migration was generated`),
            ...waiversOf(draft),
          ],
        }),
      ),
      phantoms: [],
      notes: notesOf(statements, expansions),
    };
  });
}

/**
 * The statements that change a database into what the entities describe. Empty if it already is.
 *
 * @param config with a database that is not used by anyone else
 */
export async function missingStatements(config: MigratorOptions): Promise<string[]> {
  return withClient(config.database, async (query) => {
    await createHistory(query);
    const before = await readSnapshot(query);
    const { snapshot } = await readTarget(config);
    const wanted = withRetired(snapshot, before, new Set());
    return statementsBetween(before, wanted, false, NOTHING_TO_FILL).map(({ sql }) => sql);
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

function refuse(error: Error): never {
  if (error.constructor !== Error) throw error;
  throw new MigrationError(error.message, { cause: error });
}

function isRetired({ tables }: Snapshot, name: string): boolean {
  return Object.entries(tables).some(([table, { columns }]) =>
    Object.entries(columns).some(
      ([column, shape]) => unquoted(`${table}.${column}`) === name && renamedTo(shape) !== undefined,
    ),
  );
}

/** Tables that no entity describes. */
function orphansOf({ described }: Target, { tables }: Snapshot): string[] {
  return Object.keys(tables).filter((name) => !described.has(unquoted(name)));
}

/** The schema that the entities describe, without the tables to drop. */
function withoutDropped(target: Target, before: Snapshot, { drop }: Answers): Snapshot {
  const gone = new Set(orphansOf(target, before).filter((name) => drop.has(unquoted(name))));
  if (gone.size === 0) return target.snapshot;
  const tables = Object.entries(target.snapshot.tables).filter(([name]) => !gone.has(name));
  return { ...target.snapshot, tables: Object.fromEntries(tables) };
}

function checkAnswers(
  answers: Answers,
  before: Snapshot,
  renamed: Snapshot,
  after: Snapshot,
  requirements: readonly Requirement[],
): void {
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
    const isRequired = requirements.some((each) => each.what === what);
    if (has(renamed, what) && !isRequired) {
      throw new MigrationError(`--fill ${what}: the column is neither new nor NOT NULL from now on`);
    }
  }
}

function notesOf(statements: readonly Statement[], expansions: readonly Expansion[]): string[] {
  return [
    ...statements
      .filter(({ sql }) => / TYPE .* USING /.test(sql))
      .map(({ sql }) => `rewrites its table, and nobody can use it meanwhile: ${sql}`),
    ...expansions
      .filter(({ kind }) => kind === 'rename')
      .map(({ table, from, to }) => {
        const old = unquoted(`${table}.${from}`);
        return `${old} stays, and a trigger keeps it equal to ${to}: drop it in a later release, with --drop ${old}`;
      }),
  ];
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
