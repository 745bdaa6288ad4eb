import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { createCommandLine } from './command-line.js';
import type { EntriesCommand } from './entries-commands.js';

let written: string;
beforeEach(() => {
  written = '';
  for (const stream of [process.stdout, process.stderr]) {
    jest.spyOn(stream, 'write').mockImplementation((text) => {
      written += String(text);
      return true;
    });
  }
});

async function read(line: string): Promise<EntriesCommand | undefined> {
  let read: EntriesCommand | undefined;
  const entries = (command: EntriesCommand) => Promise.resolve(void (read = command));
  const commandLine = createCommandLine({ entries, users: () => Promise.resolve() });
  await commandLine.parseAsync(line.split(' '), { from: 'user' });
  return read;
}

describe('entries commands', () => {
  it('name the action, the user, the format and the file', async () => {
    expect(await read('entries import --user Ada@Example.org entries.csv')).toEqual({
      action: 'import',
      email: 'ada@example.org',
      file: 'entries.csv',
    });
    const options = '--format daylio-csv --timezone Asia/Tokyo --moods Great:9,*:5 --ignore-unknown-columns';
    expect(await read(`entries import --user ada@example.org ${options} --dry-run -`)).toEqual({
      action: 'import',
      email: 'ada@example.org',
      file: '-',
      format: 'daylio-csv',
      timezone: 'Asia/Tokyo',
      moods: new Map([
        ['great', 9],
        ['*', 5],
      ]),
      unknownColumns: 'ignore',
      dryRun: true,
    });
    expect(await read('entries export --format ndjson --user ada@example.org -')).toMatchObject({
      format: 'ndjson',
      file: '-',
    });
    expect(await read('entries export --user ada@example.org a.b.JSONL')).toMatchObject({ format: 'ndjson' });
    expect(await read('entries export --user ada@example.org a.zip')).toMatchObject({ format: 'markdown' });
    expect(await read('entries export --user ada@example.org - --format markdown')).toMatchObject({
      format: 'markdown',
    });
    expect(await read('entries export --user ada@example.org a.csv --format ndjson')).toMatchObject({
      format: 'ndjson',
    });
  });

  it('print help', async () => {
    await expect(read('entries import --help')).rejects.toMatchObject({ exitCode: 0 });
    expect(written).toMatch(/^Usage: node dist\/cli\.js /);
    expect(written).toContain('Exit code: 0 done');
    expect(written).toContain('Exit code 3: some entries are invalid');
  });

  it.each([
    ['entries', 'Usage: node dist/cli.js entries'],
    ['entries sing a.csv', "unknown command 'sing'"],
    ['entries import --user ada@example.org', "missing required argument 'file'"],
    ['entries import --user ada@example.org a.csv b.csv', 'too many arguments'],
    ['entries import a.csv', "required option '--user <email>' not specified"],
    ['entries import --user ada a.csv', "'ada' is invalid. It must be an e-mail address."],
    ['entries import --user ada@example.org --timezone Mars a.csv', "'Mars' is invalid. It must be an IANA"],
    ['entries import --user ada@example.org --moods rad a.csv', "'rad' is invalid. It must be like rad:10"],
    [
      'entries import --user ada@example.org --format xml a.csv',
      'Allowed choices are day-one, daylio-backup,',
    ],
    ['entries export --user ada@example.org a.xlsx', 'the format of a.xlsx is unknown: set --format'],
    ['entries export --user ada@example.org -', 'the format of - is unknown: set --format'],
    ['entries export --user ada@example.org --format xml -', 'Allowed choices are ndjson, csv, markdown.'],
    ['entries export --user ada@example.org --loud -', "unknown option '--loud'"],
  ])('are refused, and print help: %s', async (line, reason) => {
    await expect(read(line)).rejects.toMatchObject({ exitCode: 1 });
    expect(written).toContain(reason);
    expect(written).toContain('Usage: ');
  });
});
