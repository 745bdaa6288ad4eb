/** Where a statement belongs: some need a migration of their own, so that nobody waits for long. */
export interface Statement {
  readonly sql: string;
  /** 0: in a transaction before the others; 1: in a transaction; 2: outside of one; 3: in a later transaction. */
  readonly step: 0 | 1 | 2 | 3;
}

export const now = (sql: string): Statement => ({ sql, step: 1 });

export function missing(from: readonly string[], to: readonly string[]): string[] {
  return to.filter((each) => !from.includes(each));
}

export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

export function elementType(type: string): string {
  return type.replace(/\[\]$/, '');
}

/** `schema.` of a table outside of `public`. */
export function schemaOf(table: string): string {
  return /^(?:"(?:[^"]|"")+"|\w+)\./.exec(table)?.[0] ?? '';
}
