import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import type { DatabaseConfig } from '../config/config.js';
import { clientConfig } from '../migrator/connection/connection-options.js';

export const DATABASE_WAIT_MS = 60_000;
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 5000;

/**
 * SQLSTATEs that waiting does not mend: wrong password, no such role or no entry in pg_hba.conf, no such database.
 * https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
const FINAL_CODES = new Set(['28P01', '28000', '3D000']);

/** The database did not answer in time, or answers that it never will. The message is meant for a person. */
export class DatabaseUnavailableError extends Error {
  override readonly name = 'DatabaseUnavailableError';
}

/**
 * Resolves when the database takes a connection. Between tries it pauses, twice as long each time, and says why.
 *
 * @param timeoutMs ms
 * @throws {DatabaseUnavailableError} after `timeoutMs`, or at once where waiting cannot help
 */
export async function waitForDatabase(
  database: DatabaseConfig,
  log: (line: string) => void,
  timeoutMs = DATABASE_WAIT_MS,
): Promise<void> {
  const client = await connectWhenReady(database, log, timeoutMs);
  void client.end().catch(() => {});
}

/**
 * As {@link waitForDatabase}.
 *
 * @returns the connection, for its caller to use and to end: another would cost a start 5 to 10 ms
 */
export async function connectWhenReady(
  database: DatabaseConfig,
  log: (line: string) => void,
  timeoutMs = DATABASE_WAIT_MS,
): Promise<Client> {
  const where = `${database.user}@${database.host}:${database.port}/${database.name}`;
  const deadline = Date.now() + timeoutMs;
  for (
    let attempt = 1, pause = FIRST_PAUSE_MS;
    ;
    attempt += 1, pause = Math.min(pause * 2, LONGEST_PAUSE_MS)
  ) {
    const client = new Client(clientConfig(database, 'entries boot'));
    client.on('error', () => {});
    try {
      await client.connect();
      await client.query('SELECT 1');
      return client;
    } catch (error) {
      void client.end().catch(() => {});
      const reason = reasonOf(error);
      if (FINAL_CODES.has((error as { code?: string }).code ?? '')) {
        throw new DatabaseUnavailableError(`The database ${where} refuses the connection: ${reason}`);
      }
      if (Date.now() + pause > deadline) {
        throw new DatabaseUnavailableError(
          `The database ${where} did not answer within ${Math.round(timeoutMs / 1000)} s: ${reason}`,
        );
      }
      log(`database ${where} is not ready (try ${attempt}): ${reason}; next try in ${pause} ms`);
    }
    await sleep(pause);
  }
}

/** A refused connection to a name with two addresses is an AggregateError with an empty message. */
function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return reasonOf(error.errors[0]);
  return error instanceof Error ? error.message : String(error);
}
