import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import pg, { type Client, type QueryResult } from 'pg';
import { createDatabase, type TestDatabase } from '../../../test/harness/database/database.js';
import { RequestClient } from './request-client.js';

const SLEEP = 'SELECT pg_sleep(5)';

describe.each([{ pipeline: false }, { pipeline: true }])('RequestClient, pipelined: $pipeline', (options) => {
  let database: TestDatabase;
  let client: Client;
  beforeAll(async () => {
    database = await createDatabase();
    client = new RequestClient({ connectionString: database.url, ...options });
    await client.connect();
  });
  afterAll(async () => {
    await client.end();
    await database.drop();
  });

  it('takes a text or a config, with or without values, and returns a promise or calls back', async () => {
    const byPromise = [
      await client.query('SELECT 1 AS n'),
      await client.query('SELECT $1::int AS n', [1]),
      await client.query({ text: 'SELECT $1::int AS n', values: [1], name: 'one' }),
    ];
    const byCallback = [
      await called((done) => client.query('SELECT 1 AS n', done)),
      await called((done) => client.query('SELECT $1::int AS n', [1], done)),
      await called((done) => client.query({ text: 'SELECT 1 AS n' }, done)),
    ];
    for (const { rows } of [...byPromise, ...byCallback]) expect(rows).toEqual([{ n: 1 }]);
    const submitted = client.query(new pg.Query<{ n: number }>('SELECT 1 AS n'));
    expect(await once(submitted, 'row')).toMatchObject([{ n: 1 }, {}]);
  });

  it('fails a statement with the error of PostgreSQL, whose stack leads to the caller', async () => {
    const error = await select('nothing').catch((failure: unknown) => failure as Error & { code?: string });
    expect(error).toMatchObject({ code: '42703', message: 'column "nothing" does not exist' });
    expect((error as Error).stack).toMatch(/at (async )?select .*request-client\.spec/);
    await expect(called((done) => client.query('SELECT nothing', done))).rejects.toThrow(/does not exist/);
  });

  it('ends the connection, and with it all that waits there, when a statement takes too long', async () => {
    const pool = new pg.Pool({
      Client: RequestClient,
      connectionString: database.url,
      query_timeout: 200,
      ...options,
    });
    const stuck = await pool.connect();
    const ended = once(stuck, 'error');
    const waiting = [stuck.query(SLEEP), stuck.query('SELECT 1')];
    for (const each of waiting) await expect(each).rejects.toThrow('Query read timeout');
    await ended;
    stuck.release(true);
    expect((await pool.query('SELECT 1 AS n')).rows).toEqual([{ n: 1 }]);
    await pool.end();
  });

  async function select(column: string): Promise<QueryResult> {
    return await client.query(`SELECT ${column}`);
  }

  function called(send: (done: (error: Error, result: QueryResult) => void) => void): Promise<QueryResult> {
    return new Promise((resolve, reject) => {
      send((error: Error | undefined, result) => {
        if (error) reject(error);
        else resolve(result);
      });
    });
  }
});
