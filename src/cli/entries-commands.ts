import { InvalidArgumentError, Option, type Command } from 'commander';
import { IMPORT_FORMAT_NAMES, type ImportFormatName } from '../entries/transfer/formats/formats.js';
import { parseMoods } from '../entries/transfer/mood-names.js';
import { EXPORT_FORMATS, type ExportFormat } from '../entries/transfer/transfer.schemas.js';
import { TimezoneSchema } from '../users/users.schemas.js';

const EXTENSIONS: Readonly<Record<string, ExportFormat>> = {
  ndjson: 'ndjson',
  jsonl: 'ndjson',
  csv: 'csv',
  zip: 'markdown',
};

export interface ImportCommand {
  readonly action: 'import';
  readonly email: string;
  readonly file: string;
  /** Without it, the content shows it. */
  readonly format?: ImportFormatName;
  readonly timezone?: string;
  readonly moods?: ReadonlyMap<string, number>;
  readonly unknownColumns?: 'ignore';
  readonly dryRun?: true;
}

export interface ExportCommand {
  readonly action: 'export';
  readonly email: string;
  readonly file: string;
  readonly format: ExportFormat;
}

export type EntriesCommand = ImportCommand | ExportCommand;

interface ImportFlags extends Omit<ImportCommand, 'action' | 'email' | 'file' | 'unknownColumns'> {
  readonly user: string;
  readonly ignoreUnknownColumns?: true;
}

/** Adds `entries …` to the command line. */
export function addEntriesCommands(
  program: Command,
  emailOf: (value: string) => string,
  run: (command: EntriesCommand) => Promise<void>,
): void {
  const entries = program.command('entries').description('import or export the entries of a user');
  entries
    .command('import')
    .description('import the entries of a user, from an export of this service, of Daylio or of Day One')
    .argument('<file>', 'a file, or - for standard input')
    .requiredOption('--user <email>', "the user's e-mail address", emailOf)
    .addOption(
      new Option('--format <format>', 'default: by the content of the file').choices(IMPORT_FORMAT_NAMES),
    )
    .option('--timezone <zone>', "time zone of times without one (default: the user's)", timezoneOf)
    .option('--moods <name:mood,...>', "moods for the file's names, as in great:9,*:5", moodsOf)
    .option('--ignore-unknown-columns', 'leave out columns that entries do not have')
    .option('--dry-run', 'report, and write nothing')
    .addHelpText('after', '\nExit code 3: some entries are invalid')
    .action((file: string, { user, ignoreUnknownColumns, ...options }: ImportFlags) =>
      run({
        action: 'import',
        email: user,
        file,
        ...(ignoreUnknownColumns && { unknownColumns: 'ignore' }),
        ...options,
      }),
    );
  entries
    .command('export')
    .description('export the entries of a user')
    .argument('<file>', 'a file, or - for standard output')
    .requiredOption('--user <email>', "the user's e-mail address", emailOf)
    .addOption(
      new Option('--format <format>', 'default: by the extension of the file').choices(EXPORT_FORMATS),
    )
    .action((file: string, options: { user: string; format?: ExportFormat }, command: Command) => {
      const format = options.format ?? formatOf(file);
      if (!format) command.error(`error: the format of ${file} is unknown: set --format`);
      return run({ action: 'export', email: options.user, format, file });
    });
}

function timezoneOf(value: string): string {
  const { success, data } = TimezoneSchema.safeParse(value);
  if (!success) throw new InvalidArgumentError('It must be an IANA time zone, such as Europe/Vienna.');
  return data;
}

function moodsOf(value: string): ReadonlyMap<string, number> {
  const moods = parseMoods(value);
  if (!moods) throw new InvalidArgumentError('It must be like rad:10,good:8, with moods from 1 to 10.');
  return moods;
}

function formatOf(file: string): ExportFormat | undefined {
  return EXTENSIONS[/\.(\w+)$/.exec(file)?.[1]?.toLowerCase() ?? ''];
}
