import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import type { ApiClient } from './client.js';

/**
 * The status of the response to a request whose header of this name has a line for each value: fetch makes one of them.
 *
 * @param body JSON
 */
export async function statusOfHeaderLines(
  { url, account }: ApiClient,
  method: string,
  path: string,
  name: string,
  values: readonly string[],
  body: unknown,
): Promise<number> {
  const headers = {
    authorization: `Bearer ${account.accessToken}`,
    'content-type': 'application/json',
    [name]: [...values],
  };
  const sent = request(url + path, { method, agent: false, headers }).end(JSON.stringify(body));
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  response.resume();
  return response.statusCode!;
}
