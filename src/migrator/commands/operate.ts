import { appliedIn, applyMigrations, revertNewest } from '../apply/apply-migrations.js';
import { lossesOf } from '../apply/migration-losses.js';
import { adoptDatabase } from '../baseline/adopt-database.js';
import { describeAdoption } from '../baseline/adoption-report.js';
import { findMigrations } from '../history/migration-files.js';
import { planMigrations } from '../history/migration-plan.js';
import type { MigrationLog } from '../migration-log.js';
import type { MigratorOptions } from '../migrator-options.js';
import { planPending } from '../plan/plan-migrations.js';
import { describePlan } from '../plan/plan-report.js';
import { verifyMigrations } from '../verify/verify-migrations.js';
import { append, type CommandGroup, type Report } from './command.js';

const EXIT_UNCONFIRMED = 3;

const NONE_APPLIED: Report = { lines: ['no migration is applied'], json: { reverted: null, losses: [] } };

/** For whom operates a database; they need no sources. */
export const operate: CommandGroup = (add, { log, withOptions }) => {
  add('status', 'each migration: applied or pending, when, how long it took, by which release', () =>
    withOptions(status),
  );
  add('plan', 'what the next start would do: each pending statement, with the locks that it takes', () =>
    withOptions(async (options) => {
      const pending = await planPending(options, log);
      return { lines: describePlan(pending), json: { pending } };
    }),
  );
  add('up', 'apply what is pending, as a start does', () => withOptions((options) => up(options, log)));
  add(
    'down',
    'revert the migration that was applied last; without --yes, only show what would be lost',
    (command) =>
      withOptions((options) =>
        command.opts<{ yes?: true }>().yes ? down(options, log) : announceDown(options),
      ),
  ).option('--yes', 'revert it');
  add(
    'verify',
    'in a scratch database with rows of edge values, revert each migration and apply it again',
    () => withOptions((options) => verify(options, log)),
  );
  add(
    'baseline',
    'record migrations as applied, in a database that has their schema but was made in another way',
    (command) =>
      withOptions((options) =>
        baseline(options, log, command.args[0], command.opts<{ ignore?: readonly string[] }>().ignore),
      ),
  )
    .argument('[name]', 'the last migration to record (default: the newest)')
    .option(
      '--ignore <name>',
      'what the migrations do not make, such as a table; may be given more than once',
      append,
    );
};

async function status(config: MigratorOptions): Promise<Report> {
  const [known, applied] = [await findMigrations(config.migrations), await appliedIn(config)];
  const plan = planMigrations(known, applied);
  const edited = new Set(plan.edited.map(({ name }) => name));
  const late = new Set(plan.late.map(({ name }) => name));
  const unknown = new Set([...plan.ahead, ...plan.incompatible].map(({ name }) => name));
  const migrations = [
    ...applied,
    ...plan.pending.map((migration) => ({ ...migration, pending: true as const })),
  ]
    .sort((a, b) => a.timestamp - b.timestamp)
    .map((migration) => {
      if ('pending' in migration) {
        return { name: migration.name, state: 'pending' as const, late: late.has(migration.name) };
      }
      const { name, appliedAt, durationMs, release, compatible } = migration;
      return {
        name,
        state: 'applied' as const,
        appliedAt,
        durationMs,
        release,
        ...(edited.has(name) && { edited: true }),
        ...(unknown.has(name) && { unknown: true, compatible: compatible ?? false }),
      };
    });
  const lines = migrations.map((migration) => {
    if (migration.state === 'pending') {
      return `pending  ${migration.name}${migration.late ? '  older than the newest applied' : ''}`;
    }
    const { appliedAt, durationMs, release } = migration;
    const history = appliedAt
      ? `${appliedAt.toISOString()}  ${durationMs} ms  release ${release}`
      : 'no history';
    return [
      `applied  ${migration.name}  ${history}`,
      migration.edited && 'edited after it was applied: the schema may differ from the file',
      migration.unknown && `not in this release${migration.compatible ? ', marked compatible' : ''}`,
    ]
      .filter(Boolean)
      .join('  ');
  });
  const summary = `${applied.length} applied, ${plan.pending.length} pending; this is release ${config.release}`;
  return {
    lines: [...lines, summary],
    json: { release: config.release, pending: plan.pending.length, migrations },
  };
}

async function up(config: MigratorOptions, log: MigrationLog): Promise<Report> {
  const applied = await applyMigrations(config, log);
  return {
    lines: [applied.length === 0 ? 'none pending' : `applied: ${applied.join(', ')}`],
    json: { applied },
  };
}

async function down(config: MigratorOptions, log: MigrationLog): Promise<Report> {
  const reverted = await revertNewest(config, log, (name) => lossesOf(name, config));
  if (!reverted) return NONE_APPLIED;
  return {
    lines: [`reverted: ${reverted.name}`, ...reverted.losses.map((loss) => `lost: ${loss}`)],
    json: { reverted: reverted.name, losses: reverted.losses },
  };
}

async function announceDown(config: MigratorOptions): Promise<Report> {
  const newest = (await appliedIn(config)).at(-1);
  if (!newest) return NONE_APPLIED;
  const losses = await lossesOf(newest.name, config);
  const lossLines =
    losses.length === 0 ? ['no stored data would be lost'] : losses.map((loss) => `lost: ${loss}`);
  return {
    lines: [`would revert ${newest.name}`, ...lossLines, 'nothing was done: pass --yes to revert it'],
    json: { reverted: null, wouldRevert: newest.name, losses },
    exitCode: EXIT_UNCONFIRMED,
  };
}

async function verify(config: MigratorOptions, log: MigrationLog): Promise<Report> {
  const { faults, verified, compared, empty } = await verifyMigrations(config, log);
  return {
    lines: [
      ...empty.map((table) => `not verified with data: no row that was tried fits into ${table}`),
      ...faults,
      faults.length === 0
        ? `${verified} migrations verified: up, down and up again, ${compared} values compared`
        : `${faults.length} faults`,
    ],
    json: { verified, faults, compared, empty },
    exitCode: faults.length === 0 ? 0 : 1,
  };
}

async function baseline(
  config: MigratorOptions,
  log: MigrationLog,
  migration: string | undefined,
  ignore: readonly string[] | undefined,
): Promise<Report> {
  const adoption = await adoptDatabase(config, log, { migration, ignore: ignore ?? [] });
  return {
    lines: describeAdoption(adoption),
    json: adoption,
    exitCode: adoption.recorded.length > 0 ? 0 : 1,
  };
}
