import { lint, type LintedMigration } from '../../../src/migrator/lint/lint.js';
import type { Report } from '../../../src/migrator/lint/report.js';
import { RULES } from '../../../src/migrator/lint/rules/rules.js';
import type { Sketch } from './examples.js';
import { SCHEMA_IN_USE } from './schema-in-use.js';

export function toMigration(sketch: Sketch, index: number): LintedMigration {
  return {
    file: `${index}.ts`,
    source: sketch.source ?? '',
    inTransaction: sketch.transaction !== false,
    up: { queries: sketch.up },
    down: { queries: sketch.down ?? ['SELECT 1'] },
  };
}

/** Lints migrations that follow the one that made the schema in use. */
export function lintAfter(...sketches: readonly Sketch[]): Report {
  return lint([{ up: SCHEMA_IN_USE }, ...sketches].map(toMigration), RULES);
}

/** The rules that find something in migrations that follow the one that made the schema in use. */
export function found(...sketches: readonly Sketch[]): string[] {
  return [...new Set(lintAfter(...sketches).findings.map(({ rule }) => rule))].sort();
}
