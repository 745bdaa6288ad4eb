import 'reflect-metadata';
import { constants } from 'node:os';
import { readCommandLine, USAGE, UsageError, type Command } from './cli/command-line.js';
import { ConfigError, EXIT_CONFIG, loadCommandConfig, type CommandConfig } from './config/config.js';

const EXIT_USAGE = 2;

process.exitCode = await main();
// Standard input that was not read to its end would hold the process.
process.stdin.destroy();

async function main(): Promise<number> {
  let command: Command | undefined;
  try {
    command = readCommandLine(process.argv.slice(2));
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    console.error(`${error.message}\n\n${USAGE}`);
    return EXIT_USAGE;
  }
  if (!command) {
    console.log(USAGE);
    return 0;
  }
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
  // Only now: what is wrong so far is told at once, without loading the service.
  const { describeFailure, runCommand } = await import('./cli/run-command.js');
  try {
    return await runCommand(command, config, interruption.signal);
  } catch (error) {
    if (interruption.signal.aborted) {
      const reason = interruption.signal.reason as NodeJS.Signals;
      console.error(`${reason}: stopped; what was imported stays, and the file can be imported again`);
      return 128 + constants.signals[reason];
    }
    console.error(describeFailure(error));
    return 1;
  }
}
