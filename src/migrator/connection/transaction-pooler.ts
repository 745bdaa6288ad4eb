import { Client } from 'pg';
import type { DatabaseOptions } from '../migrator-options.js';
import { clientConfig } from './connection-options.js';

/**
 * Whether a connection goes through a pooler in transaction mode (PgBouncer's `pool_mode = transaction`), where session
 * locks do not work.
 *
 * PostgreSQL reports the process id of the backend at connect; a pooler reports its own. If that id is the backend's,
 * there is no pooler. Otherwise it is transaction mode if a second client in a transaction gets the backend of the
 * first, or the first then gets another one.
 */
export async function isTransactionPooler(client: Client, database: DatabaseOptions): Promise<boolean> {
  const backend = await backendOf(client);
  if (backend === reportedProcessId(client)) return false;
  const second = new Client(clientConfig(database, 'pooler probe'));
  second.on('error', () => {});
  await second.connect();
  try {
    await second.query('BEGIN');
    const other = await backendOf(second);
    return other === backend || (await backendOf(client)) !== backend;
  } finally {
    await second.end().catch(() => {});
  }
}

/** BackendKeyData, https://www.postgresql.org/docs/current/protocol-message-formats.html */
function reportedProcessId(client: Client): number | null {
  return (client as unknown as { processID: number | null }).processID;
}

async function backendOf(client: Client): Promise<number | undefined> {
  const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  return rows[0]?.pid;
}
