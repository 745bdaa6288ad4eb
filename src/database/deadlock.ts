/** https://www.postgresql.org/docs/current/errcodes-appendix.html */
const DEADLOCK = '40P01';

const TRIES = 3;

/**
 * Runs `work` again when PostgreSQL has ended it because of a deadlock. There is nothing to wait for in between, which
 * leaves p-retry no part to take over.
 *
 * @param work leaves nothing behind when it fails, or is idempotent
 */
export async function retryDeadlocks<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      if (attempt === TRIES || (error as { code?: unknown }).code !== DEADLOCK) throw error;
    }
  }
}
