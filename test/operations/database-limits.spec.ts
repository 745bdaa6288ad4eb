import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import { loadCommandConfig } from '../../src/config/config.js';
import { asDatabaseUnavailable } from '../../src/database/connection/database-unavailable.js';
import { DatabaseUnavailableError, waitForDatabase } from '../../src/database/connection/database-wait.js';
import { Sql } from '../../src/database/sql.js';
import { startApp, type TestApp } from '../harness/http/app.js';
import { expectProblem } from '../harness/http/problem.js';

describe('a process that hangs in a transaction', () => {
  let service: TestApp;
  beforeAll(async () => {
    service = await startApp({ DB_STATEMENT_TIMEOUT_MS: '300' });
  });
  afterAll(() => service.close());

  it('gives its locks back after DB_STATEMENT_TIMEOUT_MS, fails as one that lost its database, and others go on', async () => {
    const ada = await service.signUp();
    const lockUser = 'SELECT FROM users WHERE id = $1 FOR UPDATE';
    const other = new Client({ connectionString: service.database.url, lock_timeout: 10_000 });
    await other.connect();
    try {
      const transaction = service.app.get(Sql).transaction(async (statements) => {
        await statements.query(undefined, lockUser, [ada.account.userId]);
        // Another process wants the same row.
        await other.query(lockUser, [ada.account.userId]);
        await statements.query(undefined, 'SELECT 1', []);
      });
      const failure: unknown = await transaction.catch((error: unknown) => error);
      expect(asDatabaseUnavailable(failure)?.getStatus()).toBe(503);
    } finally {
      await other.end();
    }
    expect((await ada.patch('/users/me', { displayName: 'Ada' })).status).toBe(200);
  });
});

describe('a statement that exceeds DB_STATEMENT_TIMEOUT_MS', () => {
  it('is answered with 504 and no Retry-After: it would take as long again', async () => {
    const service = await startApp({ DB_STATEMENT_TIMEOUT_MS: '300' });
    const lock = new Client({ connectionString: service.database.url });
    await lock.connect();
    try {
      const ada = await service.signUp();
      await lock.query('BEGIN; LOCK TABLE entries');
      for (const path of ['/entries', '/entries?q=river', '/entries/stats']) {
        const response = await ada.get(path);
        expectProblem(response, 504);
        expect(response.headers.has('retry-after')).toBe(false);
        expect(response.body.detail).toMatch(/^The query took too long/);
      }
      await lock.query('COMMIT');
      expect((await ada.get('/entries')).status).toBe(200);
    } finally {
      await lock.end();
      await service.close();
    }
  });
});

describe('a server that accepts a connection and then hangs', () => {
  it('is not waited for beyond the time limit', async () => {
    const server = createServer((socket) => {
      socket.on('error', () => {});
      // AuthenticationOk, ReadyForQuery: https://www.postgresql.org/docs/current/protocol-message-formats.html
      socket.once('data', () => socket.write(Buffer.from('5200000008000000005a0000000549', 'hex')));
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { port } = server.address() as AddressInfo;
    try {
      const { database } = loadCommandConfig({
        DATABASE_URL: `postgres://nobody@127.0.0.1:${port}/entries`,
        DB_STATEMENT_TIMEOUT_MS: '1',
      });
      const waiting = waitForDatabase(database, () => {}, 300);
      await expect(waiting).rejects.toThrow(DatabaseUnavailableError);
      await expect(waiting).rejects.toThrow(/did not answer within .*: Query read timeout/);
    } finally {
      server.close();
    }
  });
});
