import { setTimeout as sleep } from 'node:timers/promises';
import type { ApiClient } from './client.js';

/**
 * Asks until the client is refused with a status.
 *
 * @returns when the last request was sent that was accepted, ms since the epoch; 0 where none was. However slow the
 *   machine is, a request that is sent past the promised time must be refused.
 * @throws {Error} where it is accepted for 10 s
 */
export async function lastAccepted(client: ApiClient, path = '/users/me', refusal = 401): Promise<number> {
  const deadline = Date.now() + 10_000;
  for (let last = 0; ;) {
    const sent = Date.now();
    const { status } = await client.get(path);
    if (status === refusal) return last;
    if (sent > deadline) throw new Error('the client is accepted still');
    last = sent;
    await sleep(10);
  }
}
