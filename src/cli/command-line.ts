import { Command, InvalidArgumentError } from 'commander';
import { EmailSchema } from '../users/users.schemas.js';
import { addEntriesCommands, type EntriesCommand } from './entries-commands.js';
import { addUsersCommands, type UsersCommand } from './users-commands.js';

/** What runs the commands of each group. */
export interface Runners {
  readonly entries: (command: EntriesCommand) => Promise<void>;
  readonly users: (command: UsersCommand) => Promise<void>;
}

/**
 * The command line of `cli.js`. Parsing it runs a command.
 *
 * @returns its `parseAsync` rejects with a CommanderError for wrong usage, and after help
 */
export function createCommandLine(run: Runners): Command {
  const program = new Command('node dist/cli.js')
    .exitOverride()
    .showHelpAfterError()
    .addHelpText('afterAll', '\nExit code: 0 done, 1 failed, 2 usage error, 78 configuration error');
  addEntriesCommands(program, emailOf, run.entries);
  addUsersCommands(program, emailOf, run.users);
  return program;
}

function emailOf(value: string): string {
  const { success, data } = EmailSchema.safeParse(value);
  if (!success) throw new InvalidArgumentError('It must be an e-mail address.');
  return data;
}
