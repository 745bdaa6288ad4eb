import { createDatabase, type Database } from './database.js';
import { stopServers } from './server.js';

/** Runs a bench with an empty database; removes the database and stops every server, however the bench ends. */
export async function bench(run: (database: Database) => Promise<void>): Promise<void> {
  // Without a listener, a signal ends the process before its `exit` event, where servers are killed.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => process.exit(1));
  const database = await createDatabase();
  try {
    await run(database);
  } finally {
    await stopServers();
    await database.remove();
  }
}
