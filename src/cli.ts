import 'reflect-metadata';
import { constants } from 'node:os';
import { CommanderError } from 'commander';
import { createCommandLine, type TransferCommand } from './cli/command-line.js';
import { ConfigError, EXIT_CONFIG, loadCommandConfig, type CommandConfig } from './config/config.js';

const EXIT_USAGE = 2;

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

async function main(command: TransferCommand): Promise<number> {
  const interruption = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => interruption.abort(signal));
  }
  let config: CommandConfig;
  try {
    config = loadCommandConfig();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    console.error(error.message);
    return EXIT_CONFIG;
  }
  // Imported only now: usage and configuration errors show at once, without loading the service.
  const { describeFailure, runCommand } = await import('./cli/run-command.js');
  try {
    return await runCommand(command, config, interruption.signal);
  } catch (error) {
    if (interruption.signal.aborted) {
      const reason = interruption.signal.reason as NodeJS.Signals;
      console.error(`${reason}: stopped; imported entries are kept, and the import can be repeated`);
      return 128 + constants.signals[reason];
    }
    console.error(describeFailure(error));
    return 1;
  }
}
