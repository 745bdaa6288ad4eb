import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import { startService, type TestService } from '../harness/http/service.js';
import type { ApiResponse, ApiClient } from '../harness/http/client.js';
import { createDatabase, onServer, type TestDatabase } from '../harness/database/database.js';
import { TcpProxy } from '../harness/servers/tcp-proxy.js';
import { until } from '../harness/until.js';

describe('PostgreSQL', () => {
  let database: TestDatabase;
  let proxy: TcpProxy;
  let service: TestService;
  let client: ApiClient;
  const acknowledged: string[] = [];

  beforeAll(async () => {
    database = await createDatabase();
    const { hostname, port } = new URL(database.url);
    proxy = await TcpProxy.to(hostname, Number(port));
    const url = new URL(database.url);
    url.host = `127.0.0.1:${proxy.port}`;
    service = await startService({ DATABASE_URL: url.href, DB_STATEMENT_TIMEOUT_MS: '500' }, database);
    client = await service.signUp();
  });
  afterAll(async () => {
    proxy.open();
    await service.close();
    await proxy.close();
    await database.drop();
  });

  async function write(): Promise<ApiResponse> {
    const response = await client.post('/entries', { text: 'kept', mood: 5 });
    if (response.status === 201) acknowledged.push(response.body.id);
    return response;
  }

  const expectUnavailable = ({ status, headers, body, text }: ApiResponse) => {
    expect(status).toBe(503);
    expect(headers.get('content-type')).toContain('application/problem+json');
    expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
    expect(body).toMatchObject({
      status: 503,
      title: 'Service Unavailable',
      detail: 'The database is unavailable',
    });
    expect(text).not.toMatch(/ECONN|127\.0\.0\.1|SELECT|INSERT| at /);
  };

  it.each(['cut', 'hold'] as const)(
    '%s: requests get 503, and succeed when it is available again',
    async (fault) => {
      expect((await write()).status).toBe(201);
      proxy[fault]();
      expectUnavailable(await write());
      expectUnavailable(await client.get('/entries'));
      expectUnavailable(await client.patch(`/entries/${acknowledged[0]}`, { mood: 1 }));
      expectUnavailable(
        await service.anonymous.post('/auth/register', {
          email: 'late@example.org',
          password: 'correct horse',
        }),
      );
      proxy.open();
      await until('a write succeeds again', async () => (await write()).status === 201);
    },
  );

  it('with every backend terminated, as by a restart: the next requests succeed', async () => {
    await Promise.all(Array.from({ length: 5 }, write));
    await onServer(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1`, [
      database.name,
    ]);
    await until('a write succeeds again', async () => (await write()).status === 201);
    expect((await client.get('/entries')).status).toBe(200);
  });

  it('cancels a statement that waits for too long, with 504 and not 500', async () => {
    const lock = new Client({ connectionString: database.url });
    await lock.connect();
    try {
      await lock.query('BEGIN; LOCK TABLE entries IN ACCESS EXCLUSIVE MODE');
      expect((await client.get('/entries')).status).toBe(504);
    } finally {
      await lock.end();
    }
    expect((await client.get('/entries')).status).toBe(200);
  });

  it('has lost no write that was acknowledged', async () => {
    expect(acknowledged.length).toBeGreaterThan(8);
    const rows = await database.query<{ id: string }>('SELECT id FROM entries WHERE id = ANY ($1)', [
      acknowledged,
    ]);
    expect(rows).toHaveLength(acknowledged.length);
  });
});
