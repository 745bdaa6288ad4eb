import 'reflect-metadata';
import { CommanderError } from 'commander';
import { createCommandLine } from './cli/command-line.js';
import type { EntriesCommand } from './cli/entries-commands.js';
import type { UsersCommand } from './cli/users-commands.js';
import { ConfigError, EXIT_CONFIG, loadCommandConfig, loadConfig, readEnvironment } from './config/config.js';

const EXIT_USAGE = 2;

/** A command does not migrate, and the port for metrics may be that of the service beside it. */
const WITHOUT_SERVING = { MIGRATIONS_RUN: 'false', METRICS_ENABLED: 'false', DOCS_ENABLED: 'false' };

try {
  await createCommandLine({ entries: runEntries, users: runUsers }).parseAsync();
} catch (error) {
  process.exitCode = await exitCodeOf(error);
}
// Unread standard input would keep the process running.
process.stdin.destroy();

// Each imports the service only when it needs it: usage and configuration errors show at once.

async function runEntries(command: EntriesCommand): Promise<void> {
  const config = loadCommandConfig();
  const { runEntriesCommand } = await import('./cli/run-entries-command.js');
  process.exitCode = await runEntriesCommand(command, config);
}

async function runUsers(command: UsersCommand): Promise<void> {
  const config = loadConfig({ ...readEnvironment(), ...WITHOUT_SERVING });
  const [{ runUsersCommand }, { createApp }] = await Promise.all([
    import('./cli/run-users-command.js'),
    import('./app.setup.js'),
  ]);
  await runUsersCommand(command, config, createApp);
}

async function exitCodeOf(error: unknown): Promise<number> {
  // 0 is for help.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_USAGE;
  if (error instanceof ConfigError) {
    console.error(error.message);
    return EXIT_CONFIG;
  }
  const { describeFailure } = await import('./cli/run-command.js');
  console.error(describeFailure(error));
  return 1;
}
