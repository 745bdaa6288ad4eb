import { parseArgs } from 'node:util';
import { FORMATS, type Format } from '../entries/transfer/entry-transfer.schemas.js';
import { EmailSchema } from '../users/user.schemas.js';

export const USAGE = `usage: node dist/cli.js entries import --user <email> [--format ndjson|csv] <file>
       node dist/cli.js entries export --user <email> [--format ndjson|csv] <file>

  <file> may be - for standard input or output; the format is that of its name (.ndjson, .jsonl, .csv), or --format

exit code: 0 done, 1 failed, 2 wrong usage, 3 some lines were refused, 78 wrong configuration`;

const EXTENSIONS: Readonly<Record<string, Format>> = { ndjson: 'ndjson', jsonl: 'ndjson', csv: 'csv' };

/** The arguments make no sense; the message says why. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export interface Command {
  readonly action: 'import' | 'export';
  readonly email: string;
  readonly format: Format;
  readonly file: string;
}

/**
 * @returns undefined where help is asked for
 * @throws {UsageError}
 */
export function readCommandLine(args: readonly string[]): Command | undefined {
  const { values, positionals } = parse(args);
  if (values.help) return undefined;
  const [topic, action, file, ...more] = positionals;
  if (
    topic !== 'entries' ||
    (action !== 'import' && action !== 'export') ||
    file === undefined ||
    more.length > 0
  ) {
    throw new UsageError('entries import or export, and one file');
  }
  if (values.user === undefined) throw new UsageError('whose entries? --user is missing');
  const email = EmailSchema.safeParse(values.user);
  if (!email.success) throw new UsageError(`--user ${values.user}: must be an e-mail address`);
  return { action, email: email.data, format: formatOf(file, values.format), file };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        user: { type: 'string' },
        format: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function formatOf(file: string, given: string | undefined): Format {
  const known = FORMATS.find((format) => format === given);
  if (given !== undefined && !known)
    throw new UsageError(`--format ${given}: must be ${FORMATS.join(' or ')}`);
  const format = known ?? EXTENSIONS[/\.(\w+)$/.exec(file)?.[1]?.toLowerCase() ?? ''];
  if (format) return format;
  throw new UsageError(`the name ${file} says no format: give --format ${FORMATS.join(' or ')}`);
}
