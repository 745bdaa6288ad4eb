import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import { startService, type TestService } from '../harness/http/service.js';
import type { ApiClient } from '../harness/http/client.js';
import { until } from '../harness/until.js';

/** Of the connection that all short reads share. */
const CONNECTION = `FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'entries reads'`;

describe('the connection of short reads', () => {
  let service: TestService;
  let client: ApiClient;
  let id: string;
  beforeAll(async () => {
    service = await startService({ DB_STATEMENT_TIMEOUT_MS: '2000' });
    client = await service.signUp();
    id = (await client.post('/entries', { text: 'kept', mood: 5 })).body.id as string;
  });
  afterAll(() => service.close());

  const read = async (count: number) => {
    const paths = Array.from({ length: count }, (_, index) => (index % 2 ? '/entries' : `/entries/${id}`));
    return new Set((await Promise.all(paths.map((path) => client.get(path)))).map(({ status }) => status));
  };
  const pid = async () => (await service.database.query<{ pid: number }>(`SELECT pid ${CONNECTION}`))[0]?.pid;

  it('is one, however many reads there are', async () => {
    expect(await read(2)).toEqual(new Set([200]));
    await until('it is connected', async () => (await pid()) !== undefined);
    expect(await read(100)).toEqual(new Set([200]));
    expect(await service.database.query(`SELECT pid ${CONNECTION}`)).toHaveLength(1);
  });

  it('is lost under load: no read fails, and another takes its place', async () => {
    const before = await pid();
    const reads = read(200);
    await service.database.query(`SELECT pg_terminate_backend(pid) ${CONNECTION}`);
    expect(await reads).toEqual(new Set([200]));
    await until('there is another', async () => {
      expect(await read(1)).toEqual(new Set([200]));
      return ![before, undefined].includes(await pid());
    });
  });

  it('is not what a write waits on: reads are served while one waits for a lock', async () => {
    const holder = new Client({ connectionString: service.database.url });
    await holder.connect();
    await holder.query('BEGIN');
    await holder.query('SELECT 1 FROM entries WHERE id = $1 FOR UPDATE', [id]);
    const write = client.patch(`/entries/${id}`, { mood: 6 });
    await until('the write waits', async () => {
      const waiting = await service.database.query(
        `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
      );
      return waiting.length === 1;
    });
    expect(await read(20)).toEqual(new Set([200]));
    await holder.end();
    expect((await write).status).toBe(200);
  });
});
