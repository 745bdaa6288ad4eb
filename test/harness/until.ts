import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Waits for what is to come true.
 *
 * @param timeoutMs ms
 * @throws {Error} with `what` in it, when it has not come true in time
 */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  timeoutMs = 10_000,
): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await sleep(20);
  }
}
