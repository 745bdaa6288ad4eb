import { createHash } from 'node:crypto';
import type { QueryRunner } from 'typeorm';
import type { Migration } from '../migration.js';

/** A migration that works in batches until nothing is left would never see an end of it here. */
const MOST_STATEMENTS = 1000;

export interface RecordedStatement {
  readonly sql: string;
  readonly parameters: readonly unknown[];
}

export interface Recording {
  readonly statements: readonly RecordedStatement[];
  /** The error that ended it early: what would have come after it is not known. */
  readonly stoppedBy: string | undefined;
}

/**
 * The statements that a migration sends, without a database: each returns no rows. Of a migration that decides by what
 * it reads, these are the ones that it sends to an empty database, up to where it fails for want of a row.
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

/** The same, where it does not matter what ended it. */
export async function recordStatements(
  migration: Migration,
  direction: 'up' | 'down',
): Promise<readonly RecordedStatement[]> {
  return (await record(migration, direction)).statements;
}

/**
 * Identifies a migration by what it does to the schema, not by how its file is written: SHA-256, in hex, of the
 * statements of `up`. White space does not count, so that a formatter changes nothing.
 */
export async function checksumOf(migration: Migration): Promise<string> {
  const hash = createHash('sha256');
  for (const { sql, parameters } of await recordStatements(migration, 'up')) {
    hash.update(`${sql.replace(/\s+/g, ' ').trim()}\n${JSON.stringify(parameters)}\n`);
  }
  return hash.digest('hex');
}
