import pg, { type ClientConfig } from 'pg';
import type { DataSourceOptions } from 'typeorm';
import type { DatabaseOptions, MigratorOptions } from '../migrator-options.js';
import { SequentialClient } from './sequential-client.js';

const CONNECT_TIMEOUT_MS = 5000;

/** How much longer than the statement timeout the client waits, because the server may hang. */
const QUERY_TIMEOUT_MARGIN_MS = 1000;

/** For queries without a timeout: TCP notices a dead server after about 20 s. */
export const KEEP_ALIVE = { keepAlive: true, keepAliveInitialDelayMillis: 10_000 } as const;

/** Settings of a `pg` client whose queries have the timeout of requests. */
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

/** The same without a query timeout, for index builds, row counts and new databases. */
export function patientClientConfig(database: DatabaseOptions, applicationName: string): ClientConfig {
  const settings = clientConfig(database, applicationName);
  delete settings.query_timeout;
  return settings;
}

export function queryTimeoutMs({ statementTimeoutMs }: DatabaseOptions): number {
  return statementTimeoutMs + QUERY_TIMEOUT_MARGIN_MS;
}

export function connectionOptions(database: DatabaseOptions) {
  return {
    type: 'postgres',
    // Passed in, because TypeORM requires the driver by name, which fails in the bundle.
    driver: pg,
    host: database.host,
    port: database.port,
    username: database.user,
    password: database.password,
    database: database.name,
    ssl: sslOptions(database.ssl),
    connectTimeoutMS: CONNECT_TIMEOUT_MS,
    synchronize: false,
    // Selects the built-in gen_random_uuid(); uuid_generate_v4() needs an extension.
    uuidExtension: 'pgcrypto',
    migrationsTransactionMode: 'each',
  } satisfies DataSourceOptions;
}

/** Options of the data source that migrates: no entities and no timeouts. */
export function migrationDataSourceOptions({
  database,
  namingStrategy,
}: Pick<MigratorOptions, 'database' | 'namingStrategy'>) {
  return {
    ...connectionOptions(database),
    ...(namingStrategy && { namingStrategy }),
    applicationName: 'migrations',
    poolSize: 2,
    extra: { ...KEEP_ALIVE, Client: SequentialClient },
  } satisfies DataSourceOptions;
}

function sslOptions(ssl: DatabaseOptions['ssl']): false | { rejectUnauthorized: boolean } {
  return ssl === 'off' ? false : { rejectUnauthorized: ssl === 'verify-full' };
}
