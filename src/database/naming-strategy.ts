import { createHash } from 'node:crypto';
import { DefaultNamingStrategy, type Table } from 'typeorm';

/** https://www.postgresql.org/docs/current/sql-syntax-lexical.html#SQL-SYNTAX-IDENTIFIERS */
const MAX_BYTES = 63;

/**
 * Tables and columns in snake_case, and PostgreSQL's own names for constraints and indexes: `entries_pkey`,
 * `entries_user_id_fkey`. A name that is given in an entity stays as it is.
 */
export class NamingStrategy extends DefaultNamingStrategy {
  override tableName(className: string, given: string | undefined): string {
    return given ?? fit(snakeCase(className));
  }

  override columnName(property: string, given: string | undefined, embeddedPrefixes: string[]): string {
    if (embeddedPrefixes.length === 0 && given !== undefined) return given;
    return fit([...embeddedPrefixes.map(snakeCase), given ?? snakeCase(property)].join('_'));
  }

  override joinColumnName(relation: string, referencedColumn: string): string {
    return fit(snakeCase(`${relation}_${referencedColumn}`));
  }

  override joinTableName(first: string, second: string, firstProperty: string): string {
    return fit([first, snakeCase(firstProperty.replaceAll('.', '_')), second].join('_'));
  }

  override joinTableColumnName(table: string, property: string, column?: string): string {
    return fit(`${table}_${column ?? snakeCase(property)}`);
  }

  override closureJunctionTableName(table: string): string {
    return fit(table, 'closure');
  }

  override primaryKeyName(table: Table | string): string {
    return fit(this.getTableName(table), 'pkey');
  }

  override uniqueConstraintName(table: Table | string, columns: string[]): string {
    return fit([this.getTableName(table), ...columns].join('_'), 'key');
  }

  /** Of a one-to-one relation. */
  override relationConstraintName(table: Table | string, columns: string[]): string {
    return this.uniqueConstraintName(table, columns);
  }

  override foreignKeyName(table: Table | string, columns: string[]): string {
    return fit([this.getTableName(table), ...columns].join('_'), 'fkey');
  }

  override indexName(table: Table | string, columns: string[], where?: string): string {
    const condition = where ? ['where', wordsOf(where)] : [];
    return fit([this.getTableName(table), ...columns, ...condition].join('_'), 'idx');
  }

  override checkConstraintName(table: Table | string, expression: string): string {
    return fit(`${this.getTableName(table)}_${wordsOf(expression)}`, 'check');
  }

  override exclusionConstraintName(table: Table | string, expression: string): string {
    return fit(`${this.getTableName(table)}_${wordsOf(expression)}`, 'excl');
  }
}

function snakeCase(name: string): string {
  return name
    .replace(/(\p{Lu})(\p{Lu}\p{Ll})/gu, '$1_$2')
    .replace(/([\p{Ll}\d])(\p{Lu})/gu, '$1_$2')
    .toLowerCase();
}

/** The words of an expression, with a hash if it has signs too: `a > 1` and `a < 1` have the same words. */
function wordsOf(expression: string): string {
  const words = expression.toLowerCase().match(/\w+/g) ?? [];
  return [...words, ...(/[^\w\s]/.test(expression) ? [hashOf(expression)] : [])].join('_');
}

/** PostgreSQL would cut a longer name, and TypeORM would not recognize it. */
function fit(name: string, suffix?: string): string {
  const ending = suffix === undefined ? '' : `_${suffix}`;
  if (Buffer.byteLength(name + ending) <= MAX_BYTES) return name + ending;
  const hashed = `_${hashOf(name)}${ending}`;
  const bytes = Buffer.from(name).subarray(0, MAX_BYTES - hashed.length);
  // With `stream`, it leaves out a character of which only a part is there.
  return new TextDecoder().decode(bytes, { stream: true }) + hashed;
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 8);
}
