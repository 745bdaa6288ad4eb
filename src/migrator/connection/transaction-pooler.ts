import { Client } from 'pg';
import type { DatabaseOptions } from '../migrator-options.js';
import { clientConfig } from './connection-options.js';

/**
 * Whether a connection leads to a pooler that gives it another server process for each transaction (PgBouncer's
 * `pool_mode = transaction`), so that what belongs to a session, such as a lock, belongs to nobody.
 *
 * PostgreSQL tells a client the process id of its server process when it connects, and a pooler one of its own making:
 * where they agree there is none. Where they do not, it is the transaction mode if a second client, in a transaction,
 * gets the server process that the first has just had, or the first then another than before.
 */
export async function isTransactionPooler(client: Client, database: DatabaseOptions): Promise<boolean> {
  const backend = await backendOf(client);
  if (backend === toldProcessId(client)) return false;
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
function toldProcessId(client: Client): number | null {
  return (client as unknown as { processID: number | null }).processID;
}

async function backendOf(client: Client): Promise<number | undefined> {
  const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  return rows[0]?.pid;
}
