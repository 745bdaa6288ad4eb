import pRetry, { AbortError } from 'p-retry';
import { Client } from 'pg';
import { SERVICE_NAME } from '../../config/release.js';
import type { DatabaseConfig } from '../../config/config.js';
import { clientConfig } from '../../migrator/connection/connection-options.js';

const DATABASE_WAIT_MS = 60_000;
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 5000;

/**
 * SQLSTATEs that waiting does not fix: wrong password, no such role or no entry in pg_hba.conf, no such database.
 * https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
const FINAL_CODES = new Set(['28P01', '28000', '3D000']);

/** The database did not answer in time, or refuses the connection for good. The message is for a person. */
export class DatabaseUnavailableError extends Error {
  override readonly name = 'DatabaseUnavailableError';
}

/**
 * Resolves when the database accepts a connection. Logs each failed attempt, and doubles the pause after it.
 *
 * @param timeoutMs ms
 * @throws {DatabaseUnavailableError} after `timeoutMs`, or at once if waiting cannot help
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
 * Like {@link waitForDatabase}.
 *
 * @returns the connection; the caller ends it. A second one would make the start 5 to 10 ms slower
 */
export async function connectWhenReady(
  database: DatabaseConfig,
  log: (line: string) => void,
  timeoutMs = DATABASE_WAIT_MS,
): Promise<Client> {
  const where = `${database.user}@${database.host}:${database.port}/${database.name}`;
  const connect = async (attempt: number) => {
    const client = new Client(clientConfig(database, `${SERVICE_NAME} boot`));
    client.on('error', () => {});
    try {
      await client.connect();
      await client.query('SELECT 1');
      return client;
    } catch (error) {
      void client.end().catch(() => {});
      const reason = reasonOf(error);
      if (FINAL_CODES.has((error as { code?: string }).code ?? '')) {
        const refusal = `The database ${where} refuses the connection: ${reason}`;
        throw new AbortError(new DatabaseUnavailableError(refusal));
      }
      log(`database ${where} is not ready (try ${attempt}): ${reason}`);
      throw new DatabaseUnavailableError(
        `The database ${where} did not answer within ${Math.round(timeoutMs / 1000)} s: ${reason}`,
      );
    }
  };
  return pRetry(connect, {
    retries: Infinity,
    minTimeout: FIRST_PAUSE_MS,
    maxTimeout: LONGEST_PAUSE_MS,
    maxRetryTime: timeoutMs,
  });
}

/** A refused connection to a name with two addresses is an AggregateError with an empty message. */
function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return reasonOf(error.errors[0]);
  return error instanceof Error ? error.message : String(error);
}
