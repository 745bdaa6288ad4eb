import { readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { describe, expect, it } from '@jest/globals';

/** SPDX names of licences that let the code be passed on with their text beside it, and ask no more. */
const ALLOWED = new Set([
  '0BSD',
  'Apache-2.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'BlueOak-1.0.0',
  'ISC',
  'MIT',
  'MIT-0',
  // Of argparse, which came from Python: a permissive one.
  'Python-2.0',
]);

/** Whose package.json says nothing, and what their Readme does. */
const BY_README: Readonly<Record<string, string>> = { pause: 'MIT' };

interface Package {
  readonly dev?: boolean;
  readonly optional?: boolean;
  readonly license?: string;
}

const lock = JSON.parse(readFileSync('package-lock.json', 'utf8')) as { packages: Record<string, Package> };
const production = Object.entries(lock.packages).filter(([path, { dev }]) => path !== '' && dev !== true);

/** The lock has what npm reads of a package; older ones write `licenses`. */
function licenceOf(path: string, { license }: Package): string | undefined {
  if (license !== undefined) return license;
  const name = path.replace(/^.*node_modules\//, '');
  if (name in BY_README) return BY_README[name];
  const { licenses } = JSON.parse(readFileSync(join(path, 'package.json'), 'utf8')) as {
    licenses?: { type: string }[];
  };
  return licenses?.[0]?.type;
}

describe('a dependency of the service', () => {
  it('has a licence that lets us pass it on', () => {
    expect(production.length).toBeGreaterThan(50);
    const refused = production
      .map(([path, entry]) => [path, licenceOf(path, entry)] as const)
      .filter(([, licence]) => licence === undefined || !ALLOWED.has(licence));
    expect(refused).toEqual([]);
  });
});

describe('LICENSES.txt of the bundle', () => {
  it('names a licence of every package that is in it', () => {
    const file = resolve(dirname(process.env['TEST_PROGRAM']!), '../LICENSES.txt');
    const titles =
      readFileSync(file, 'utf8').match(/^(?:@[\w-]+\/)?[\w.-]+ \d+\.\d+\.\d+\S* \(.*\)$/gm) ?? [];
    expect(titles.length).toBeGreaterThan(50);
    expect(titles.filter((title) => !ALLOWED.has(/\((.*)\)$/.exec(title)?.[1] ?? ''))).toEqual([]);
  });
});
