import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

const PROJECT = resolve(import.meta.dirname, '../..');
const COPIED = [
  'src',
  'test/harness',
  'scripts',
  'package.json',
  'nest-cli.json',
  'tsconfig.json',
  'eslint.config.js',
  '.prettierrc.json',
  '.dependency-cruiser.cjs',
];
const TIMEOUT_MS = 120_000;

let folder: string;

/** @returns what a tool reports, empty if it has nothing to report */
function report(tool: string, ...args: string[]): Promise<string> {
  const command = ['--experimental-vm-modules', join('node_modules', tool), ...args];
  return new Promise((settle) => {
    execFile(process.execPath, command, { cwd: folder }, (error, stdout, stderr) =>
      settle(error ? `${stdout}${stderr}` || error.message : ''),
    );
  });
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'entries-resource-'));
  for (const name of COPIED) cpSync(join(PROJECT, name), join(folder, name), { recursive: true });
  symlinkSync(join(PROJECT, 'node_modules'), join(folder, 'node_modules'));
  // The rest of the project takes four times as long.
  writeFileSync(
    join(folder, 'tsconfig.moods.json'),
    JSON.stringify({ extends: './tsconfig.json', include: ['src/moods'] }),
  );
  const nest = '@nestjs/cli/bin/nest.js';
  expect(await report(nest, 'generate', 'resource', 'moods', '--type', 'rest', '--crud')).toBe('');
}, TIMEOUT_MS);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('nest generate resource moods', () => {
  it('adds the module to the list of AppModule', () => {
    const source = readFileSync(join(folder, 'src/app.module.ts'), 'utf8');
    expect(source).toContain('    EntriesModule,\n    MoodsModule,\n  ],');
  });

  it.each([
    [
      'types',
      ['typescript7/bin/tsc', '--project', 'tsconfig.moods.json', '--noEmit', '--incremental', 'false'],
    ],
    ['lint', ['eslint/bin/eslint.js', 'src/moods', 'src/app.module.ts']],
    ['format', ['prettier/bin/prettier.cjs', '--check', 'src/moods', 'src/app.module.ts']],
    ['boundaries', ['dependency-cruiser/bin/dependency-cruise.mjs', 'src']],
    [
      'tests',
      ['jest/bin/jest.js', 'src/moods', '--globalSetup=', '--globalTeardown=', '--reporters=default'],
    ],
  ] as const)(
    'passes without edits: %s',
    async (_what, [tool, ...args]) => {
      expect(await report(tool, ...args)).toBe('');
    },
    TIMEOUT_MS,
  );
});
