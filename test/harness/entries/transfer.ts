import { once } from 'node:events';
import { request as httpRequest, type ClientRequest, type IncomingMessage } from 'node:http';
import { expect } from '@jest/globals';
import { strFromU8, unzipSync } from 'fflate';
import type { ApiResponse, ApiClient } from '../http/client.js';
import type { TestDatabase } from '../database/database.js';

export const NDJSON = 'application/x-ndjson';
export const CSV = 'text/csv';

/** Of src/entries/transfer/import.service.ts. */
export const BATCH_ROWS = 1000;

export function toNdjson(...values: readonly unknown[]): string {
  return values.map((value) => `${JSON.stringify(value)}\n`).join('');
}

/** `count` lines of NDJSON, each an entry of its own without an id. */
export function numberedLines(count: number, fields: object = {}): string[] {
  return Array.from({ length: count }, (_, n) =>
    toNdjson({
      text: `entry ${n}`,
      mood: 1 + (n % 10),
      occurredAt: new Date(n * 1000).toISOString(),
      ...fields,
    }),
  );
}

export function upload(
  client: ApiClient,
  body: string | Buffer,
  type = NDJSON,
  headers: Readonly<Record<string, string>> = {},
): Promise<ApiResponse> {
  return client.post('/entries/import', body, { 'content-type': type, ...headers });
}

export interface ImportReport {
  readonly imported: number;
  readonly skipped: number;
  readonly failed: number;
  readonly format: string;
  readonly errors: readonly { readonly line?: number; readonly entry?: number; readonly message: string }[];
  readonly ignored: Readonly<Record<string, number>>;
  readonly unknownMoods?: Readonly<Record<string, number>>;
  readonly adjustedTimes?: { readonly skipped: number; readonly repeated: number };
}

export async function importFile(
  client: ApiClient,
  body: string | Buffer,
  type = NDJSON,
): Promise<ImportReport> {
  const { status, text, body: report } = await upload(client, body, type);
  expect(`${status} ${text}`).toMatch(/^200 /);
  return report;
}

/** Whether the user may start an export: two transfers of a user may run at the same time. */
export async function canExport(client: ApiClient): Promise<boolean> {
  const { status } = await client.get('/entries/export?from=9000-01-01T00:00:00Z');
  if (status !== 429) expect(status).toBe(200);
  return status === 200;
}

export async function exportFile(client: ApiClient, query = ''): Promise<string> {
  const { status, text } = await client.get(`/entries/export${query}`);
  expect(`${status} ${text}`).toMatch(/^200 /);
  return text;
}

// eslint-disable-next-line @typescript-eslint/no-explicit-any
export async function exportEntries(client: ApiClient, query = ''): Promise<any[]> {
  return (await exportFile(client, query))
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line));
}

/** The files of an export as Markdown: their texts by name, in the order of the zip. */
export async function exportMarkdown(client: ApiClient, query = ''): Promise<[name: string, text: string][]> {
  const response = await fetch(`${client.url}/entries/export?format=markdown${query}`, {
    headers: { authorization: `Bearer ${client.account.accessToken}` },
  });
  expect(response.status).toBe(200);
  return unzipTexts(Buffer.from(await response.arrayBuffer()));
}

export function unzipTexts(zip: Buffer): [name: string, text: string][] {
  return Object.entries(unzipSync(zip)).map(([name, bytes]) => [name, strFromU8(bytes)]);
}

/** A request whose body is written, or whose response is read, bit by bit. */
export function openRequest(
  { url, account }: ApiClient,
  method: string,
  path: string,
  headers: Readonly<Record<string, string>> = {},
): ClientRequest {
  const request = httpRequest(url + path, {
    method,
    agent: false,
    headers: { authorization: `Bearer ${account.accessToken}`, ...headers },
  });
  request.on('error', () => {});
  return request;
}

/** A download whose response has begun, and of which nothing is read yet. */
export async function beginDownload(client: ApiClient, path = '/entries/export'): Promise<IncomingMessage> {
  const request = openRequest(client, 'GET', path);
  request.end();
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  return response;
}

/** Reads a download to its end: is its last chunk there? */
export async function endOf(download: IncomingMessage): Promise<'whole' | 'cut off'> {
  download.on('error', () => {}).resume();
  await new Promise((resolve) => download.once('close', resolve));
  return download.complete ? 'whole' : 'cut off';
}

/** Entries of 10 kB each: 2000 of them are more than the buffers of the sockets hold. */
export async function insertLongEntries(
  database: TestDatabase,
  { account }: ApiClient,
  count = 2000,
): Promise<void> {
  await database.query(
    `INSERT INTO entries (id, user_id, text, search_text, mood)
     SELECT gen_random_uuid(), $1, repeat('x', 10000), repeat('x', 10000), 5 FROM generate_series(1, $2::int)`,
    [account.userId, count],
  );
}

export async function countEntries(database: TestDatabase, { account }: ApiClient): Promise<number> {
  const [row] = await database.query<{ count: number }>(
    'SELECT count(*)::int FROM entries WHERE user_id = $1',
    [account.userId],
  );
  return row!.count;
}
