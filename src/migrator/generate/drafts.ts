import { MigrationError } from '../migrator-errors.js';
import type { Query } from '../history/migration-history.js';
import { worksWith } from './compatibility.js';
import type { Expansion } from './replacement/expansions.js';
import type { Change } from './renames.js';
import { readSnapshot, type Snapshot } from './snapshot.js';
import { neutralValue } from './difference/column-statements.js';
import type { Statement } from './difference/statement.js';
import { statementsBetween } from './difference/statements-between.js';

/** A migration that is being generated. */
export interface Draft {
  readonly suffix: string;
  readonly transaction: boolean;
  /** Whether the previous release can use the schema after it. */
  readonly compatible: boolean;
  readonly up: readonly string[];
  readonly down: readonly string[];
}

export const NOTHING_TO_FILL = { fill: () => undefined };

interface Work {
  /** The schema that the previous release was written for. */
  readonly before: Snapshot;
  /** These have already run; they belong to the main step. */
  readonly first: readonly Change[];
  readonly expanded: Snapshot;
  readonly statements: readonly Statement[];
  readonly backfills: readonly string[];
  readonly expansions: readonly Expansion[];
  readonly after: Snapshot;
}

/** Runs the statements, and records how to undo each step. */
export async function carryOut(query: Query, work: Work): Promise<Draft[]> {
  const drafts: Draft[] = [];
  let before = work.expanded;
  const { expansions } = work;
  const steps: { suffix: string; transaction: boolean; first?: readonly Change[]; up: readonly string[] }[] =
    [
      { suffix: 'Values', transaction: true, up: ofStep(0) },
      { suffix: expansions.length > 0 ? 'Expand' : '', transaction: true, first: work.first, up: ofStep(1) },
      { suffix: 'Backfill', transaction: false, up: work.backfills },
      { suffix: 'Indexes', transaction: false, up: ofStep(2) },
      // Read the tables before any is locked.
      {
        suffix: 'Constraints',
        transaction: true,
        up: [...ofStep(3).filter(isValidation), ...ofStep(3).filter((sql) => !isValidation(sql))],
      },
    ];
  function isValidation(sql: string): boolean {
    return sql.includes(' VALIDATE CONSTRAINT ');
  }
  function ofStep(step: Statement['step']): string[] {
    return work.statements.filter((each) => each.step === step).map(({ sql }) => sql);
  }
  for (const { suffix, transaction, first = [], up } of steps) {
    if (up.length + first.length === 0) continue;
    if (transaction) await query('BEGIN');
    await runAll(query, up);
    if (transaction) await query('COMMIT');
    const after = await readSnapshot(query);
    const down = back(after, before).map((sql) =>
      transaction ? sql : sql.replace(/^DROP INDEX /, 'DROP INDEX CONCURRENTLY '),
    );
    drafts.push({
      suffix,
      transaction,
      compatible: worksWith(work.before, after),
      up: [...statementsOf(first.map(upOf)), ...up],
      down: [...down, ...statementsOf(downsOf(first))],
    });
    before = after;
  }
  const contract = expansions.flatMap((expansion) => expansion.contract);
  if (contract.length > 0) drafts.push(await contractDraft(query, before, contract, work));
  // A single migration needs no suffix in its name.
  return drafts.length === 1 ? drafts.map((draft) => ({ ...draft, suffix: '' })) : drafts;
}

/** The running release does not notice these, because a person runs `down` by hand. */
const IN_DOWN = [
  ['work-under-lock', /^UPDATE /],
  ['whole-table-write', /^UPDATE /],
  ['set-not-null', / SET NOT NULL$/],
  ['constraint-not-valid', / ADD CONSTRAINT \S+ (?:CHECK|FOREIGN KEY) /],
  ['unique-without-index', / ADD CONSTRAINT \S+ UNIQUE /],
  ['index-not-concurrent', /^CREATE (?:UNIQUE )?INDEX /],
] as const;

/** Waivers for what the lint would report, each with its reason. */
export function waiversOf({ suffix, down }: Draft): string[] {
  const waive = (reason: string, ...rules: readonly string[]) =>
    rules.map((rule) => `lint-ok: ${rule}: ${reason}`);
  if (suffix === 'Backfill') {
    return [
      ...waive('it fills only the rows that are still empty', 'not-repeatable'),
      ...waive('only a DO block can commit after each batch', 'unseen'),
      ...waive('what it fills has no value to go back to, or is dropped by the down before', 'missing-down'),
    ];
  }
  const isCopied = down.some((sql) => sql.startsWith('UPDATE '));
  const inDown = IN_DOWN.filter(([, pattern]) => down.some((sql) => pattern.test(sql))).map(([rule]) => rule);
  return [
    ...(suffix === 'Contract'
      ? [
          ...waive('the trigger has kept the new column equal to the old one until here', 'drop-object'),
          ...waive(
            'the new column takes the name of the old one, with every value',
            'drop-column',
            'rename-column',
          ),
        ]
      : []),
    ...(isCopied ? waive('only down does it, and is run by hand in a quiet hour', ...inDown) : []),
  ];
}

/** The last step: the new columns replace the old ones. */
async function contractDraft(
  query: Query,
  before: Snapshot,
  contract: readonly Change[],
  work: Work,
): Promise<Draft> {
  await query('BEGIN');
  await runAll(query, contract.map(upOf));
  const renamed = await readSnapshot(query);
  const rest = statementsBetween(renamed, work.after, false, NOTHING_TO_FILL).map(({ sql }) => sql);
  await runAll(query, rest);
  const after = await readSnapshot(query);
  const down = [...back(after, renamed), ...statementsOf(downsOf(contract))];
  await query('SAVEPOINT up');
  await runAll(query, down);
  // The old columns exist again, but without their defaults, constraints and indexes.
  down.push(...back(await readSnapshot(query), before));
  await query('ROLLBACK TO up');
  await query('COMMIT');
  return {
    suffix: 'Contract',
    transaction: true,
    compatible: worksWith(work.before, after),
    up: [...statementsOf(contract.map(upOf)), ...rest],
    down,
  };
}

function back(after: Snapshot, before: Snapshot): string[] {
  const fill = (_column: string, type: string) => neutralValue(type, before.enums);
  return statementsBetween(after, before, false, { fill }).map(({ sql }) => sql);
}

function downsOf(changes: readonly Change[]): (string | null)[] {
  return [...changes].reverse().map(({ down }) => down);
}

function statementsOf(changes: readonly (string | null)[]): string[] {
  return changes.filter((sql) => sql !== null);
}

export function upOf({ up }: Change): string | null {
  return up;
}

export async function runAll(query: Query, statements: readonly (string | null)[]): Promise<void> {
  for (const sql of statements) {
    if (sql === null) continue;
    await query(sql).catch((error: unknown) => {
      throw new MigrationError(`The migration cannot be generated: ${(error as Error).message} in: ${sql}`, {
        cause: error,
      });
    });
  }
}
