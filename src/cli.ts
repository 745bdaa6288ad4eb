import 'reflect-metadata';
import { constants } from 'node:os';
import { CommanderError } from 'commander';
import { createCommandLine, type CliCommand, type TransferCommand } from './cli/command-line.js';
import type { UsersCommand } from './cli/users-commands.js';
import { ConfigError, EXIT_CONFIG, loadCommandConfig, loadConfig, readEnvironment } from './config/config.js';

const EXIT_USAGE = 2;

/** A command does not migrate, and the port for metrics may be that of the service beside it. */
const WITHOUT_SERVING = { MIGRATIONS_RUN: 'false', METRICS_ENABLED: 'false', DOCS_ENABLED: 'false' };

try {
  await createCommandLine(async (command) => {
    process.exitCode = await main(command);
  }).parseAsync();
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  // 0 is for help.
  process.exitCode = error.exitCode === 0 ? 0 : EXIT_USAGE;
}
// Unread standard input would keep the process running.
process.stdin.destroy();

async function main(command: CliCommand): Promise<number> {
  try {
    return await (command.action === 'import' || command.action === 'export'
      ? transfer(command)
      : administer(command));
  } catch (error) {
    if (error instanceof ConfigError) {
      console.error(error.message);
      return EXIT_CONFIG;
    }
    const { describeFailure } = await import('./cli/run-command.js');
    console.error(describeFailure(error));
    return 1;
  }
}

async function transfer(command: TransferCommand): Promise<number> {
  const interruption = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => interruption.abort(signal));
  }
  const config = loadCommandConfig();
  // Imported only now: usage and configuration errors show at once, without loading the service.
  const { runCommand } = await import('./cli/run-command.js');
  try {
    return await runCommand(command, config, interruption.signal);
  } catch (error) {
    if (!interruption.signal.aborted) throw error;
    const reason = interruption.signal.reason as NodeJS.Signals;
    console.error(`${reason}: stopped; imported entries are kept, and the import can be repeated`);
    return 128 + constants.signals[reason];
  }
}

async function administer(command: UsersCommand): Promise<number> {
  const config = loadConfig({ ...readEnvironment(), ...WITHOUT_SERVING });
  const [{ runUsersCommand }, { createApp }] = await Promise.all([
    import('./cli/run-users-command.js'),
    import('./app.setup.js'),
  ]);
  return runUsersCommand(command, config, createApp);
}
