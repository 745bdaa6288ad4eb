import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { createCommandLine } from './command-line.js';

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

async function read(line: string): Promise<unknown> {
  let read: unknown;
  const run = (command: unknown) => Promise.resolve(void (read = command));
  const commandLine = createCommandLine({ entries: run, users: run });
  await commandLine.parseAsync(line.split(' ').filter(Boolean), { from: 'user' });
  return read;
}

describe('the command line', () => {
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

  it.each(['--help', '-h', 'users list --help'])('prints help: %s', async (line) => {
    await expect(read(line)).rejects.toMatchObject({ exitCode: 0 });
    expect(written).toMatch(/^Usage: node dist\/cli\.js /);
    expect(written).toContain('Exit code: 0 done');
  });

  it.each([
    ['', 'Usage: node dist/cli.js'],
    ['users', 'Usage: node dist/cli.js users'],
    ['users sing', "unknown command 'sing'"],
    ['users promote', "missing required argument 'email'"],
    ['users promote ada@example.org eve@example.org', 'too many arguments'],
    ['users promote ada', "'ada' is invalid for argument 'email'. It must be an e-mail address."],
    ['users erase ada@example.org', "required option '--yes' not specified"],
    ['users list --loud', "unknown option '--loud'"],
  ])('is refused, and prints help: %s', async (line, reason) => {
    await expect(read(line)).rejects.toMatchObject({ exitCode: 1 });
    expect(written).toContain(reason);
    expect(written).toContain('Usage: ');
  });
});
