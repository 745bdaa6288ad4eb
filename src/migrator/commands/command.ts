import { Command, CommanderError } from 'commander';
import type { MigrationLog } from '../migration-log.js';
import { isMigratorError } from '../migrator-errors.js';
import type { MigratorOptions } from '../migrator-options.js';

const EXIT_USAGE = 2;

/** The output of a command: `lines` for a person, `json` for a program. */
export interface Report {
  readonly lines: readonly string[];
  readonly json: object;
  /** Default: 0. */
  readonly exitCode?: number;
}

export interface Context {
  readonly log: MigrationLog;
  /** Runs `work` with the options of the project, once its database can be reached. */
  readonly withOptions: <T>(work: (options: MigratorOptions) => Promise<T>) => Promise<T>;
}

/** Adds a command that prints what `run` reports. The caller adds its arguments and options. */
type AddCommand = (name: string, description: string, run: (command: Command) => Promise<Report>) => Command;

/** A group of commands: `operate`, or those of `develop`. */
export type CommandGroup = (add: AddCommand, context: Context) => void;

/**
 * Runs the command that `args` name. Reports go to the standard output, progress goes to the log.
 *
 * @param program its name in the help
 * @returns the exit code
 * @throws errors that are not the migrator's
 */
export async function runCommand(
  program: string,
  args: readonly string[],
  groups: readonly CommandGroup[],
  context: Context,
): Promise<number> {
  let code = 0;
  const commands = new Command(program)
    .exitOverride()
    .showHelpAfterError()
    .addHelpText(
      'afterAll',
      '\nExit code: 0 done, 1 failed, 2 usage error or an open question, 3 down without --yes',
    );
  const add: AddCommand = (name, description, run) => {
    const command = commands.command(name).description(description).option('--json', 'report in JSON');
    return command.action(async () => {
      const { lines, json, exitCode = 0 } = await run(command);
      const output = command.opts<{ json?: true }>().json ? [JSON.stringify(json)] : lines;
      for (const line of output) console.log(line);
      code = exitCode;
    });
  };
  for (const group of groups) group(add, context);
  try {
    await commands.parseAsync([...args], { from: 'user' });
    return code;
  } catch (error) {
    // 0 is for help.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_USAGE;
    if (!isMigratorError(error)) throw error;
    console.error(error.message);
    return 1;
  }
}

/** For an option that may be given more than once. */
export function append(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}
