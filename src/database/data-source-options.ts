import type { ClientBase } from 'pg';
import type { DataSourceOptions } from 'typeorm';
import type { DatabaseConfig } from '../config/config.js';
import { connectionOptions, KEEP_ALIVE, queryTimeoutMs } from '../migrator/connection/connection-options.js';

/** The options that the application's data source and the TypeORM CLI's share. */
export function dataSourceOptions(database: DatabaseConfig) {
  return {
    ...connectionOptions(database),
    applicationName: 'entries',
    poolSize: database.poolSize,
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
