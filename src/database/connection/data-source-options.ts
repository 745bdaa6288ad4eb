import type { ClientBase } from 'pg';
import type { DataSourceOptions } from 'typeorm';
import { SERVICE_NAME } from '../../config/release.js';
import type { DatabaseConfig } from '../../config/config.js';
import {
  connectionOptions,
  KEEP_ALIVE,
  queryTimeoutMs,
} from '../../migrator/connection/connection-options.js';
import { NamingStrategy } from '../naming-strategy.js';
import { RequestClient } from './request-client.js';

export function dataSourceOptions(database: DatabaseConfig) {
  return {
    ...connectionOptions(database),
    applicationName: SERVICE_NAME,
    namingStrategy: new NamingStrategy(),
    // Migrations create extensions. TypeORM would create them at each connection, which changes the schema by itself.
    installExtensions: false,
    poolSize: database.poolSize,
    extra: {
      ...KEEP_ALIVE,
      Client: RequestClient,
      statement_timeout: database.statementTimeoutMs,
      query_timeout: queryTimeoutMs(database),
      onConnect: (client: ClientBase) => prepareSession(client, database.statementTimeoutMs),
    },
  } satisfies DataSourceOptions;
}

/**
 * Statements of requests are too short for JIT to pay off. The idle timeout releases the locks of a process that hangs
 * or is cut off in a transaction. Timestamps in ISO 8601 and UTC need no parsing. Set by a statement, because a pooler
 * refuses startup parameters.
 */
export async function prepareSession(client: ClientBase, timeoutMs: number): Promise<void> {
  await client.query(
    `SET jit = off; SET TimeZone = 'UTC'; SET DateStyle = 'ISO'; SET idle_in_transaction_session_timeout = ${timeoutMs}`,
  );
}
