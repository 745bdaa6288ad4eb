import pg, { type ClientBase, type ClientConfig } from 'pg';
import type { DataSourceOptions } from 'typeorm';
import type { DatabaseConfig } from '../config/config.js';

export const CONNECT_TIMEOUT_MS = 5000;

/** How far the client waits beyond the server's own statement timeout, for a server that hangs. */
const QUERY_TIMEOUT_MARGIN_MS = 1000;

/** Connection settings for a bare `pg` client: no statement timeout, for locks and migrations may take long. */
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
    keepAlive: true,
  };
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
      keepAlive: true,
      statement_timeout: database.statementTimeoutMs,
      query_timeout: database.statementTimeoutMs + QUERY_TIMEOUT_MARGIN_MS,
      onConnect: withoutCompiling,
    },
  } satisfies DataSourceOptions;
}

/**
 * No statement of a request runs for long enough to earn back what compiling it takes, and PostgreSQL's estimate of a
 * recursive one is beyond `jit_above_cost`. Not a startup parameter, which a pooler would refuse.
 */
async function withoutCompiling(client: ClientBase): Promise<void> {
  await client.query('SET jit = off');
}

/** The options of the data source that migrates: no entities, and statements that take as long as they take. */
export function migrationDataSourceOptions(database: DatabaseConfig) {
  return {
    ...dataSourceOptions(database),
    applicationName: 'entries migrations',
    poolSize: 2,
    extra: { keepAlive: true },
  } satisfies DataSourceOptions;
}

function sslOptions(ssl: DatabaseConfig['ssl']): false | { rejectUnauthorized: boolean } {
  return ssl === 'off' ? false : { rejectUnauthorized: ssl === 'verify-full' };
}
