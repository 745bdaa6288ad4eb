/** The step that a statement belongs to. Some need their own migration, so that no query waits long for a lock. */
export interface Statement {
  readonly sql: string;
  /** 0: in an earlier transaction; 1: in the main transaction; 2: outside a transaction; 3: in a later transaction. */
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
