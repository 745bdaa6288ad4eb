import pg, { type ClientConfig } from 'pg';
import type { DataSourceOptions } from 'typeorm';
import type { DatabaseOptions } from '../migrator-options.js';

const CONNECT_TIMEOUT_MS = 5000;

/** How far the client waits beyond the server's own statement timeout, for a server that hangs. */
const QUERY_TIMEOUT_MARGIN_MS = 1000;

/** A server whose machine is gone is noticed by TCP some 20 s later, where a query has no limit. */
export const KEEP_ALIVE = { keepAlive: true, keepAliveInitialDelayMillis: 10_000 } as const;

/** Connection settings for a bare `pg` client, whose queries are to take no longer than those of requests. */
export function clientConfig(database: DatabaseOptions, applicationName: string): ClientConfig {
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
export function patientClientConfig(database: DatabaseOptions, applicationName: string): ClientConfig {
  const settings = clientConfig(database, applicationName);
  delete settings.query_timeout;
  return settings;
}

/** What the server does not cancel by itself: it may hang. */
export function queryTimeoutMs({ statementTimeoutMs }: DatabaseOptions): number {
  return statementTimeoutMs + QUERY_TIMEOUT_MARGIN_MS;
}

/** How any data source of TypeORM's connects. */
export function connectionOptions(database: DatabaseOptions) {
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
    connectTimeoutMS: CONNECT_TIMEOUT_MS,
    synchronize: false,
    // gen_random_uuid(), which PostgreSQL has by itself; uuid_generate_v4() needs an extension.
    uuidExtension: 'pgcrypto',
    migrationsTransactionMode: 'each',
  } satisfies DataSourceOptions;
}

/** The options of the data source that migrates: no entities, and statements that take as long as they take. */
export function migrationDataSourceOptions(database: DatabaseOptions) {
  return {
    ...connectionOptions(database),
    applicationName: 'migrations',
    poolSize: 2,
    extra: KEEP_ALIVE,
  } satisfies DataSourceOptions;
}

function sslOptions(ssl: DatabaseOptions['ssl']): false | { rejectUnauthorized: boolean } {
  return ssl === 'off' ? false : { rejectUnauthorized: ssl === 'verify-full' };
}
