import { Command, InvalidArgumentError, Option } from 'commander';
import { FORMATS, type Format } from '../entries/transfer/transfer.schemas.js';
import { EmailSchema } from '../users/users.schemas.js';

const EXTENSIONS: Readonly<Record<string, Format>> = { ndjson: 'ndjson', jsonl: 'ndjson', csv: 'csv' };

const EXIT_CODES =
  '\nExit code: 0 done, 1 failed, 2 usage error, 3 some lines are invalid, 78 configuration error';

export interface TransferCommand {
  readonly action: 'import' | 'export';
  readonly email: string;
  readonly format: Format;
  readonly file: string;
}

/**
 * The command line of `cli.js`. Parsing it calls `run`.
 *
 * @returns its `parseAsync` rejects with a CommanderError for wrong usage, and after help
 */
export function createCommandLine(run: (command: TransferCommand) => Promise<void>): Command {
  const program = new Command('node dist/cli.js')
    .exitOverride()
    .showHelpAfterError()
    .addHelpText('afterAll', EXIT_CODES);
  const entries = program.command('entries').description('import or export the entries of a user');
  for (const action of ['import', 'export'] as const) {
    entries
      .command(action)
      .description(`${action} the entries of a user`)
      .argument('<file>', `a file, or - for standard ${action === 'import' ? 'input' : 'output'}`)
      .requiredOption('--user <email>', "the user's e-mail address", emailOf)
      .addOption(new Option('--format <format>', 'default: by the extension of the file').choices(FORMATS))
      .action((file: string, options: { user: string; format?: Format }, command: Command) => {
        const format = options.format ?? formatOf(file);
        if (!format) command.error(`error: the format of ${file} is unknown: set --format`);
        return run({ action, email: options.user, format, file });
      });
  }
  return program;
}

function emailOf(value: string): string {
  const { success, data } = EmailSchema.safeParse(value);
  if (!success) throw new InvalidArgumentError('It must be an e-mail address.');
  return data;
}

function formatOf(file: string): Format | undefined {
  return EXTENSIONS[/\.(\w+)$/.exec(file)?.[1]?.toLowerCase() ?? ''];
}
