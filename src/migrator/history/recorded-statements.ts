import { createHash } from 'node:crypto';
import type { QueryRunner } from 'typeorm';
import type { Migration } from '../migration.js';

/** Stops migrations that loop in batches until no row is left, which would never end here. */
const MOST_STATEMENTS = 1000;

export interface RecordedStatement {
  readonly sql: string;
  readonly parameters: readonly unknown[];
}

export interface Recording {
  readonly statements: readonly RecordedStatement[];
  /** The error that ended the recording early. */
  readonly stoppedBy: string | undefined;
}

/**
 * Records the statements of a migration without a database. Each statement returns no rows, so a migration that reads
 * data behaves as on an empty database, up to the first row that it needs.
 */
export async function record(migration: Migration, direction: 'up' | 'down'): Promise<Recording> {
  const statements: RecordedStatement[] = [];
  const runner = new Proxy({} as QueryRunner, {
    get: (_target, property) => {
      if (property === 'query') {
        return (sql: string, parameters: readonly unknown[] = []) => {
          if (statements.length === MOST_STATEMENTS) throw new Error('more statements than are recorded');
          statements.push({ sql, parameters });
          return Promise.resolve([]);
        };
      }
      throw new Error(
        `queryRunner.${String(property)} is not recorded: send the statement by queryRunner.query`,
      );
    },
  });
  try {
    await migration[direction](runner);
    return { statements, stoppedBy: undefined };
  } catch (error) {
    return { statements, stoppedBy: (error as Error).message };
  }
}

/** The statements recorded until the migration ends or fails. */
export async function recordStatements(
  migration: Migration,
  direction: 'up' | 'down',
): Promise<readonly RecordedStatement[]> {
  return (await record(migration, direction)).statements;
}

/**
 * SHA-256, in hex, of the statements of `up` without their white space, so that formatting the file does not change it.
 */
export async function checksumOf(migration: Migration): Promise<string> {
  const hash = createHash('sha256');
  for (const { sql, parameters } of await recordStatements(migration, 'up')) {
    hash.update(`${sql.replace(/\s+/g, ' ').trim()}\n${JSON.stringify(parameters)}\n`);
  }
  return hash.digest('hex');
}
