import 'reflect-metadata';
import { Command, CommanderError } from 'commander';
import { ConfigError, EXIT_CONFIG, loadMigrationsConfig } from '../config/config.js';
import { RELEASE } from '../config/release.js';
import { describeError } from '../observability/error-description.js';
import { nameSourcesInStacks } from '../observability/stack-trace.js';
import { appliedIn, applyMigrations, revertNewest } from '../migrator/apply/apply-migrations.js';
import { adoptDatabase } from '../migrator/baseline/adopt-database.js';
import { describeAdoption } from '../migrator/baseline/adoption-report.js';
import type { MigrationLog } from '../migrator/migration-log.js';
import { waitForDatabase } from './database-wait.js';
import { isExpected } from './expected-errors.js';
import { migratorOptions } from './migrator-options.js';
import type { MigratorOptions } from '../migrator/migrator-options.js';
import { lossesOf } from '../migrator/apply/migration-losses.js';
import { findMigrations } from '../migrator/history/migration-files.js';
import { planMigrations } from '../migrator/history/migration-plan.js';
import { verifyMigrations } from '../migrator/verify/verify-migrations.js';

const EXIT_USAGE = 2;
const EXIT_UNCONFIRMED = 3;

/** ms. A person waits in front of it, or a job that is tried again. */
const DATABASE_WAIT_MS = 10_000;

/** What a command has to say: `lines` for a person, `json` for a machine. */
interface Report {
  readonly lines: readonly string[];
  readonly json: object;
  readonly exitCode?: number;
}

interface Options {
  readonly json?: true;
  readonly yes?: true;
  readonly ignore?: readonly string[];
}

type Run = (config: MigratorOptions, options: Options, argument?: string) => Promise<Report>;

const NONE_APPLIED: Report = { lines: ['none is applied'], json: { reverted: null, losses: [] } };

// The report goes to the standard output, and what happens on the way to it elsewhere.
const log: MigrationLog = { info: (line) => console.error(line), warn: (line) => console.error(line) };

nameSourcesInStacks();
const program = new Command('node dist/database/migrate.js')
  .exitOverride()
  .showHelpAfterError()
  .addHelpText(
    'afterAll',
    '\nExit code: 0 done, 1 failed, 2 wrong usage, 3 down without --yes, 78 wrong configuration',
  );
addCommand('status', 'each migration: applied or pending, when, how long it took, by which release', status);
addCommand('up', 'apply what is pending, as the service does at its start', up);
addCommand(
  'down',
  'revert the migration that was applied last; without --yes, only show what would be lost',
  down,
).option('--yes', 'revert it');
addCommand('verify', 'in a scratch database, revert each migration and apply it again', verify);
addCommand(
  'baseline',
  'record migrations as applied, in a database that has their schema but was made in another way',
  baseline,
)
  .argument('[name]', 'the last migration to record (default: the newest)')
  .option(
    '--ignore <table>',
    'a table that is not part of the schema; may be given more than once',
    (table: string, tables: readonly string[]) => [...tables, table],
    [],
  );
try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  // 0 is for help.
  process.exitCode = error.exitCode === 0 ? 0 : EXIT_USAGE;
}

function addCommand(name: string, description: string, run: Run): Command {
  const command = program.command(name).description(description).option('--json', 'report in JSON');
  return command.action(async () => {
    process.exitCode = await report(run, command.opts(), command.args[0]);
  });
}

/** @returns the exit code */
async function report(run: Run, options: Options, argument?: string): Promise<number> {
  try {
    const config = loadMigrationsConfig();
    await waitForDatabase(config.database, (line) => log.warn(line), DATABASE_WAIT_MS);
    const { lines, json, exitCode = 0 } = await run(migratorOptions(config), options, argument);
    console.log(options.json ? JSON.stringify(json) : lines.join('\n'));
    return exitCode;
  } catch (error) {
    if (error instanceof ConfigError) {
      console.error(error.message);
      return EXIT_CONFIG;
    }
    if (isExpected(error)) console.error(error.message);
    else console.error(error instanceof Error ? describeError(error).stack : error);
    return 1;
  }
}

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
      migration.edited && 'edited since: the schema may not be what its file says',
      migration.unknown && `not in this release${migration.compatible ? ', marked compatible' : ''}`,
    ]
      .filter(Boolean)
      .join('  ');
  });
  const summary = `${applied.length} applied, ${plan.pending.length} pending; this is release ${RELEASE}`;
  return {
    lines: [...lines, summary],
    json: { release: RELEASE, pending: plan.pending.length, migrations },
  };
}

async function up(config: MigratorOptions): Promise<Report> {
  const applied = await applyMigrations(config, log);
  return {
    lines: [applied.length === 0 ? 'none pending' : `applied: ${applied.join(', ')}`],
    json: { applied },
  };
}

async function down(config: MigratorOptions, { yes }: Options): Promise<Report> {
  if (yes) {
    const reverted = await revertNewest(config, log, (name) => lossesOf(name, config));
    if (!reverted) return NONE_APPLIED;
    return {
      lines: [`taken back: ${reverted.name}`, ...reverted.losses.map((loss) => `lost: ${loss}`)],
      json: { reverted: reverted.name, losses: reverted.losses },
    };
  }
  const newest = (await appliedIn(config)).at(-1);
  if (!newest) return NONE_APPLIED;
  const losses = await lossesOf(newest.name, config);
  const told =
    losses.length === 0 ? ['nothing that is stored would be lost'] : losses.map((loss) => `lost: ${loss}`);
  return {
    lines: [`would take back ${newest.name}`, ...told, 'nothing was done: say --yes to do it'],
    json: { reverted: null, wouldRevert: newest.name, losses },
    exitCode: EXIT_UNCONFIRMED,
  };
}

async function verify(config: MigratorOptions): Promise<Report> {
  const { faults, verified } = await verifyMigrations(config, log);
  return {
    lines: [
      ...faults,
      faults.length === 0
        ? `${verified} migrations verified: up, down and up again`
        : `${faults.length} faults`,
    ],
    json: { verified, faults },
    exitCode: faults.length === 0 ? 0 : 1,
  };
}

async function baseline(
  config: MigratorOptions,
  { ignore = [] }: Options,
  migration?: string,
): Promise<Report> {
  const adoption = await adoptDatabase(config, log, { migration, ignore });
  return {
    lines: describeAdoption(adoption),
    json: adoption,
    exitCode: adoption.recorded.length > 0 ? 0 : 1,
  };
}
