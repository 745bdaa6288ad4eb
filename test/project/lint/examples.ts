/** A migration, as the lint sees it. */
export interface Sketch {
  readonly up: readonly string[];
  readonly down?: readonly string[];
  readonly transaction?: false;
  /** TypeScript */
  readonly source?: string;
}

export interface Example extends Sketch {
  /** The rule's name in squawk, the heading in the README of strong_migrations, or what happens. */
  readonly of: string;
  /** The rules that find it. */
  readonly found: readonly string[];
  /** Why no rule finds it. */
  readonly because?: string;
  /** What PostgreSQL logs at level DEBUG1 while it runs the SQL on tables with a row. */
  readonly postgres?: RegExp;
}

export const REWRITES = /rewriting table/;
export const VERIFIES = /verifying table/;
export const VALIDATES = /validating foreign key/;
/** PostgreSQL logs nothing about it. */
export const SILENT = undefined;

/** SQL that the lint finds. */
export function finds(
  of: string,
  rules: string | readonly string[],
  postgres: RegExp | undefined,
  ...up: readonly string[]
): Example {
  return { of, up, found: [rules].flat(), ...(postgres && { postgres }) };
}

/** SQL that the lint does not find, though others do. */
export function allows(of: string, because: string, ...up: readonly string[]): Example {
  return { of, up, found: [], because };
}

export function outsideTransaction(example: Example): Example {
  return { ...example, transaction: false };
}
