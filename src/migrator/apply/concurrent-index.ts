import type { QueryRunner } from 'typeorm';

const NAME = String.raw`(?:"(?:[^"]|"")+"|\w+)`;
const LEADING = String.raw`^(?:\s|--[^\n]*\n|/\*[^]*?\*/)*`;

/** Captures the name of the index and the schema of its table, in which the index is created. */
const CREATE = new RegExp(
  String.raw`${LEADING}CREATE\s+(?:UNIQUE\s+)?INDEX\s+CONCURRENTLY\s+(?:IF\s+NOT\s+EXISTS\s+)?(${NAME})` +
    String.raw`\s+ON\s+(?:ONLY\s+)?(?:(${NAME})\s*\.)?`,
  'i',
);
const DROP = new RegExp(
  String.raw`${LEADING}DROP\s+INDEX\s+CONCURRENTLY\s+(?:IF\s+EXISTS\s+)?((?:${NAME}\.)?${NAME})\s*;?\s*$`,
  'i',
);

/**
 * A query runner that makes concurrent index builds and drops idempotent. PostgreSQL leaves an invalid index behind if a
 * build is interrupted; it is dropped and rebuilt. A valid index of that name is kept.
 * https://www.postgresql.org/docs/current/sql-createindex.html#SQL-CREATEINDEX-CONCURRENTLY
 */
export function resumable(runner: QueryRunner, log: (line: string) => void): QueryRunner {
  return new Proxy(runner, {
    get(target, property) {
      if (property === 'query') {
        return (sql: string, ...rest: unknown[]) => resume(target, log, sql, rest);
      }
      const value: unknown = Reflect.get(target, property);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}

async function resume(
  runner: QueryRunner,
  log: (line: string) => void,
  sql: string,
  rest: unknown[],
): Promise<unknown> {
  const send = () => (runner.query as (...args: unknown[]) => Promise<unknown>).call(runner, sql, ...rest);
  const [, index, schema] = CREATE.exec(sql) ?? [];
  if (index !== undefined) {
    const created = schema === undefined ? index : `${schema}.${index}`;
    const isValid = await indexIsValid(runner, created);
    if (isValid === true) {
      log(`index ${created} was completed before the migration was interrupted: keeping it`);
      return undefined;
    }
    if (isValid === false) {
      log(`index ${created} was left invalid when the migration was interrupted: rebuilding it`);
      await runner.query(`DROP INDEX CONCURRENTLY IF EXISTS ${created}`);
    }
    return send();
  }
  const dropped = DROP.exec(sql)?.[1];
  if (dropped !== undefined && (await indexIsValid(runner, dropped)) === undefined) return undefined;
  return send();
}

/** Undefined if the index does not exist. @param name as written in SQL, quoted or not */
async function indexIsValid(runner: QueryRunner, name: string): Promise<boolean | undefined> {
  const rows = (await runner.query(
    `SELECT indisvalid AS valid FROM pg_index WHERE indexrelid = to_regclass($1)`,
    [name],
  )) as { valid: boolean }[];
  return rows[0]?.valid;
}
