/** https://www.postgresql.org/docs/current/errcodes-appendix.html */
const DEADLOCK = '40P01';

const TRIES = 3;

/**
 * Does work again that PostgreSQL ended because it and another waited for each other's rows.
 *
 * @param work of which nothing remains when it fails, or which may be done twice
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
