import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { RULES } from '../../../src/migrator/lint/rules/rules.js';
import type { Example } from './examples.js';
import { SQUAWK } from './squawk.js';
import { STRONG_MIGRATIONS } from './strong-migrations.js';

describe('docs/migration-lint.md and docs/migration-lint-coverage.md', () => {
  const page = (name: string) => readFileSync(resolve(import.meta.dirname, '../../../docs', name), 'utf8');

  /** The cells of the table under a heading, without its head. */
  function tableUnder(heading: string, name: string): string[][] {
    const [, section = ''] = page(name).split(`## ${heading}\n`);
    const lines = section
      .split('\n## ')[0]!
      .split('\n')
      .filter((line) => line.startsWith('|'));
    return lines.slice(2).map((line) =>
      line
        .slice(1, -1)
        .split(/(?<!\\)\|/)
        .map((cell) => cell.trim().replaceAll('\\|', '|')),
    );
  }

  /** A source as a link from docs/. */
  function linkTo(source: string): string {
    if (source.startsWith('https:')) return source;
    return source.startsWith('docs/') ? source.slice('docs/'.length) : `../${source}`;
  }

  function rowOf({ of, up, transaction, because = '' }: Example): string[] {
    const sql = up.map((query) => `\`${query.replace(/\s+/g, ' ')}\``).join(', ');
    return [of, transaction === false ? `${sql}, outside a transaction` : sql, because];
  }

  it.each([
    ['squawk', SQUAWK],
    ['strong_migrations', STRONG_MIGRATIONS],
  ])('say how many rules of %s are found', (heading, examples) => {
    const all = new Set(examples.map(({ of }) => of));
    const seen = new Set(examples.filter(({ found: rules }) => rules.length > 0).map(({ of }) => of));
    expect(page('migration-lint-coverage.md')).toContain(`${heading}: ${seen.size} of ${all.size} found`);
  });

  it.each([
    ['squawk', SQUAWK],
    ['strong_migrations', STRONG_MIGRATIONS],
  ])('list what %s finds and this lint does not', (heading, examples) => {
    const missed = examples.filter(({ found: rules }) => rules.length === 0);
    expect(tableUnder(heading, 'migration-lint-coverage.md')).toEqual(missed.map(rowOf));
  });

  it('list the rules', () => {
    expect(tableUnder('Rules', 'migration-lint.md')).toEqual(
      RULES.map(({ name, why, instead, source }) => [`[${name}](${linkTo(source)})`, why, instead]),
    );
  });
});
