import { POSTGRES_DOCS, type Rule } from '../rule.js';

export const DOES_NOT_PARSE = 'does-not-parse';
export const UNSEEN = 'unseen';
export const MISSING_DOWN = 'missing-down';

/** Rules that lint.ts checks itself. */
export const WHOLE_MIGRATION_RULES: readonly Rule[] = [
  {
    name: DOES_NOT_PARSE,
    why: 'PostgreSQL does not understand it.',
    instead: 'What PostgreSQL 18 understands.',
    source: `${POSTGRES_DOCS}/sql-commands.html`,
  },
  {
    name: UNSEEN,
    why: 'The lint cannot see what this does to the schema.',
    instead: 'Send SQL by queryRunner.query, not by DO, by CALL, or by what an earlier statement has read.',
    source: 'src/migrator/history/recorded-statements.ts',
    on: { DoStmt: () => 'a DO block', CallStmt: () => 'a procedure' },
  },
  {
    name: MISSING_DOWN,
    why: 'A release that fails cannot be reverted: `migrate.js down` would forget the migration and undo nothing.',
    instead: 'A down that undoes what up does; where nothing can, a waiver that says how to recover.',
    source: 'docs/schema-changes.md',
  },
];
