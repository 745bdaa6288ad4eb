import { once } from 'node:events';
import type { ClientRequest, IncomingMessage } from 'node:http';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { ApiClient } from '../harness/http/client.js';
import { createDatabase, type TestDatabase } from '../harness/database/database.js';
import { Program } from '../harness/programs/program.js';
import {
  BATCH_ROWS,
  beginDownload,
  countEntries,
  endOf,
  insertLongEntries,
  NDJSON,
  numberedLines,
  openRequest,
} from '../harness/entries/transfer.js';
import { until } from '../harness/until.js';

let database: TestDatabase;
beforeAll(async () => {
  database = await createDatabase();
});
afterAll(() => database.drop());

describe('SIGTERM during transfers', () => {
  let program: Program;
  let client: ApiClient;
  const start = async (environment = {}) => {
    program = Program.start({ DATABASE_URL: database.url, ...environment });
    client = await new ApiClient(await program.listening()).signUp();
    await insertLongEntries(database, client);
  };
  afterEach(() => program.stop('SIGKILL'));

  it('finishes downloads that are read and an import, and exits with 0', async () => {
    await start();
    const downloads = [await beginDownload(client), await beginDownload(client, '/users/me/export')];
    const upload = await beginImport(client);
    program.process.kill('SIGTERM');
    await program.said(/shutting down/);
    expect(await Promise.all(downloads.map(endOf))).toEqual(['whole', 'whole']);
    upload.end(numberedLines(1, { text: 'the last' }).join(''));
    const [response] = (await once(upload, 'response')) as [IncomingMessage];
    expect(response.statusCode).toBe(200);
    response.resume();
    expect(await program.exited).toEqual({ code: 0, signal: null });
    expect(await countEntries(database, client)).toBe(2000 + BATCH_ROWS + 1);
  });

  it('ends unread downloads, ends an import with 503, and exits 0 in time', async () => {
    await start({ SHUTDOWN_TIMEOUT_MS: '2000' });
    const downloads = [await beginDownload(client), await beginDownload(client, '/users/me/export')];
    const upload = await beginImport(client);
    upload.write('{"text": "half a');
    program.process.kill('SIGTERM');
    const [refusal] = (await once(upload, 'response')) as [IncomingMessage];
    expect(refusal.statusCode).toBe(503);
    refusal.resume();
    expect(await program.exited).toEqual({ code: 0, signal: null });
    expect(await Promise.all(downloads.map(endOf))).toEqual(['cut off', 'cut off']);
    expect(await countEntries(database, client)).toBe(2000 + BATCH_ROWS);
    const { lines } = program;
    const detail = 'The service is shutting down; saved entries are kept, and the request can be retried';
    const told = { level: 'warn', requestId: expect.any(String), userId: client.account.userId };
    expect(lines.filter(({ msg }) => msg?.startsWith('response aborted'))).toEqual([
      expect.objectContaining({ ...told, msg: `response aborted: ${detail}` }),
      expect.objectContaining({ ...told, msg: `response aborted: ${detail}` }),
    ]);
    expect(lines.find(({ status }) => status === 503)).toMatchObject({ ...told, refusal: detail });
    expect(lines.filter(({ level }) => level === 'error')).toEqual([]);
  });

  it('cuts a download at once on a second signal, and logs that it was open', async () => {
    await start();
    const download = await beginDownload(client);
    program.process.kill('SIGTERM');
    await program.said(/shutting down/);
    expect(await program.stop()).toEqual({ code: 1, signal: null });
    expect(await endOf(download)).toBe('cut off');
    expect(program.stdout).toMatch(/SIGTERM again: .*still open: GET \/entries\/export \(\d+ ms\)/);
  });
});

/** An import of which one batch is written, and that goes on. */
async function beginImport(client: ApiClient): Promise<ClientRequest> {
  const before = await countEntries(database, client);
  const request = openRequest(client, 'POST', '/entries/import', { 'content-type': NDJSON });
  request.write(numberedLines(BATCH_ROWS).join(''));
  await until('a batch is there', async () => (await countEntries(database, client)) === before + BATCH_ROWS);
  return request;
}
