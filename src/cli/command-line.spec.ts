import { describe, expect, it } from '@jest/globals';
import { readCommandLine } from './command-line.js';

const read = (line: string) => readCommandLine(line.split(' ').filter(Boolean));

describe('the command line', () => {
  it('says what to do, whose entries, in which format and where', () => {
    expect(read('entries import --user Ada@Example.org entries.csv')).toEqual({
      action: 'import',
      email: 'ada@example.org',
      format: 'csv',
      file: 'entries.csv',
    });
    expect(read('entries export --format ndjson --user ada@example.org -')).toMatchObject({
      format: 'ndjson',
      file: '-',
    });
    expect(read('entries export --user ada@example.org a.b.JSONL')).toMatchObject({ format: 'ndjson' });
    expect(read('entries export --user ada@example.org a.csv --format ndjson')).toMatchObject({
      format: 'ndjson',
    });
  });

  it.each(['--help', '-h', 'entries export --help'])('may ask for help: %s', (line) => {
    expect(read(line)).toBeUndefined();
  });

  it.each([
    ['', 'entries import or export'],
    ['entries sing a.csv', 'entries import or export'],
    ['entries import --user ada@example.org', 'and one file'],
    ['entries import --user ada@example.org a.csv b.csv', 'and one file'],
    ['entries import a.csv', '--user is missing'],
    ['entries import --user ada a.csv', '--user ada: must be an e-mail address'],
    ['entries import --user ada@example.org a.xlsx', 'the name a.xlsx says no format'],
    ['entries import --user ada@example.org -', 'the name - says no format'],
    ['entries export --user ada@example.org --format xml -', '--format xml: must be ndjson or csv'],
    ['entries export --loud', "Unknown option '--loud'"],
  ])('is refused: %s', (line, reason) => {
    expect(() => read(line)).toThrow(reason);
  });
});
