import pg, { type ClientBase, type ClientConfig } from 'pg';
import type { DataSourceOptions } from 'typeorm';
import type { DatabaseConfig } from '../config/config.js';

export const CONNECT_TIMEOUT_MS = 5000;

/** How far the client waits beyond the server's own statement timeout, for a server that hangs. */
const QUERY_TIMEOUT_MARGIN_MS = 1000;

/** A server whose machine is gone is noticed by TCP some 20 s later, where a query has no limit. */
const KEEP_ALIVE = { keepAlive: true, keepAliveInitialDelayMillis: 10_000 } as const;

/** Connection settings for a bare `pg` client, whose queries are to take no longer than those of requests. */
export function clientConfig(database: DatabaseConfig, applicationName: string): ClientConfig {
  return {
    host: database.host,
    port: database.port,
    user: database.user,
    password: database.password,
    database: database.name,
    ssl: sslOptions(database.ssl),
    application_name: applicationName,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    query_timeout: queryTimeoutMs(database),
    ...KEEP_ALIVE,
  };
}

/** The same for what may take long: to build an index, to count the rows of a table, to make a database. */
export function patientClientConfig(database: DatabaseConfig, applicationName: string): ClientConfig {
  const settings = clientConfig(database, applicationName);
  delete settings.query_timeout;
  return settings;
}

/** What the server does not cancel by itself: it may hang. */
function queryTimeoutMs({ statementTimeoutMs }: DatabaseConfig): number {
  return statementTimeoutMs + QUERY_TIMEOUT_MARGIN_MS;
}

/** The options that the application's data source and the TypeORM CLI's share. */
export function dataSourceOptions(database: DatabaseConfig) {
  return {
    type: 'postgres',
    // Handed over, as TypeORM would look for it by its name, which a bundle has not.
    driver: pg,
    host: database.host,
    port: database.port,
    username: database.user,
    password: database.password,
    database: database.name,
    ssl: sslOptions(database.ssl),
    applicationName: 'entries',
    connectTimeoutMS: CONNECT_TIMEOUT_MS,
    poolSize: database.poolSize,
    synchronize: false,
    migrationsTransactionMode: 'each',
    extra: {
      ...KEEP_ALIVE,
      statement_timeout: database.statementTimeoutMs,
      query_timeout: queryTimeoutMs(database),
      onConnect: (client: ClientBase) => prepareSession(client, database.statementTimeoutMs),
    },
  } satisfies DataSourceOptions;
}

/**
 * No statement of a request runs for long enough to earn back what compiling it takes. A process that stalls within a
 * transaction, or is cut off, holds its locks for no longer than one that works. Timestamps come as ISO 8601 in UTC, which
 * needs no parsing. Not startup parameters, which a pooler would refuse.
 */
async function prepareSession(client: ClientBase, timeoutMs: number): Promise<void> {
  await client.query(
    `SET jit = off; SET TimeZone = 'UTC'; SET DateStyle = 'ISO'; SET idle_in_transaction_session_timeout = ${timeoutMs}`,
  );
}

/** The options of the data source that migrates: no entities, and statements that take as long as they take. */
export function migrationDataSourceOptions(database: DatabaseConfig) {
  return {
    ...dataSourceOptions(database),
    applicationName: 'entries migrations',
    poolSize: 2,
    extra: KEEP_ALIVE,
  } satisfies DataSourceOptions;
}

function sslOptions(ssl: DatabaseConfig['ssl']): false | { rejectUnauthorized: boolean } {
  return ssl === 'off' ? false : { rejectUnauthorized: ssl === 'verify-full' };
}
