import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { createCommandLine, type CliCommand } from './command-line.js';

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

async function read(line: string): Promise<CliCommand | undefined> {
  let read: CliCommand | undefined;
  const commandLine = createCommandLine((command) => {
    read = command;
    return Promise.resolve();
  });
  await commandLine.parseAsync(line.split(' ').filter(Boolean), { from: 'user' });
  return read;
}

describe('the command line', () => {
  it('names the action, the user, the format and the file', async () => {
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

  it('names what to do with which user', async () => {
    expect(await read('users list')).toEqual({ action: 'list' });
    expect(await read('users list ada')).toEqual({ action: 'list', q: 'ada' });
    for (const action of ['promote', 'demote', 'disable', 'enable', 'reset-password', 'remove-second-factor'])
      expect(await read(`users ${action} Ada@Example.org`)).toEqual({ action, email: 'ada@example.org' });
    expect(await read('users erase ada@example.org --yes')).toEqual({
      action: 'erase',
      email: 'ada@example.org',
    });
  });

  it.each(['--help', '-h', 'entries export --help'])('prints help: %s', async (line) => {
    await expect(read(line)).rejects.toMatchObject({ exitCode: 0 });
    expect(written).toMatch(/^Usage: node dist\/cli\.js /);
    expect(written).toContain('Exit code: 0 done');
  });

  it.each([
    ['', 'Usage: node dist/cli.js'],
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
  ])('is refused, and prints help: %s', async (line, reason) => {
    await expect(read(line)).rejects.toMatchObject({ exitCode: 1 });
    expect(written).toContain(reason);
    expect(written).toContain('Usage: ');
  });
});
