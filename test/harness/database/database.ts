import { randomBytes } from 'node:crypto';
import { Client } from 'pg';

/** The server that test-servers.ts has started, or that TEST_DATABASE_URL names. */
function serverUrl(): URL {
  const url = process.env['TEST_DATABASE_URL'];
  if (!url) throw new Error('TEST_DATABASE_URL is not set: run the tests by npm test');
  return new URL(url);
}

export type Connection = Pick<TestDatabase, 'query'>;

export interface TestDatabase {
  readonly name: string;
  readonly url: string;
  /** Runs one statement as an onlooker, on a connection of its own. */
  query<Row extends object>(text: string, values?: readonly unknown[]): Promise<Row[]>;
  drop(): Promise<void>;
}

/**
 * Makes a database: every suite has one of its own.
 *
 * @param template what to copy, which must have no connections; an empty one without it
 */
export async function createDatabase(template = 'template1'): Promise<TestDatabase> {
  const name = `test_${randomBytes(8).toString('hex')}`;
  await query(serverUrl().href, `CREATE DATABASE ${name} TEMPLATE ${template}`);
  const url = serverUrl();
  url.pathname = `/${name}`;
  return {
    name,
    url: url.href,
    query: (text, values = []) => query(url.href, text, values),
    drop: async () => {
      await query(serverUrl().href, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
    },
  };
}

/** Makes a database with the schema of this release, as a copy of the one that test-servers.ts has migrated. */
export function createMigratedDatabase(): Promise<TestDatabase> {
  return createDatabase(process.env['TEST_MIGRATED_DATABASE']);
}

/** Runs one statement on the server's own database, as an administrator would. */
export function onServer<Row extends object>(text: string, values: readonly unknown[] = []): Promise<Row[]> {
  return query<Row>(serverUrl().href, text, values);
}

/** Runs one statement, on a connection of its own. */
export function query<Row extends object>(
  url: string,
  text: string,
  values: readonly unknown[] = [],
): Promise<Row[]> {
  return onConnection(url, (connection) => connection.query<Row>(text, values));
}

/** Runs many statements on one connection: each new one costs PostgreSQL 5 ms. */
export async function onConnection<T>(url: string, work: (connection: Connection) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: url });
  client.on('error', () => {});
  await client.connect();
  try {
    return await work({
      query: async <Row extends object>(text: string, values: readonly unknown[] = []) =>
        (await client.query<Row>(text, [...values])).rows,
    });
  } finally {
    await client.end();
  }
}
