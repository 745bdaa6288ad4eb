import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createServer } from 'node:net';
import pg, { type Pool } from 'pg';
import { createDatabase, type TestDatabase } from '../../../test/harness/database/database.js';
import { freePort } from '../../../scripts/free-port.js';
import { SharedConnection } from './shared-connection.js';

const SLOW = { text: 'SELECT pg_sleep(0.2), pg_backend_pid() AS pid' };
const PID = { text: 'SELECT pg_backend_pid() AS pid' };

describe('SharedConnection', () => {
  let database: TestDatabase;
  let pool: Pool;
  let other: Pool;
  beforeAll(async () => {
    database = await createDatabase();
    pool = new pg.Pool({ connectionString: database.url, max: 3, pipeline: true });
    other = new pg.Pool({ connectionString: database.url });
  });
  afterAll(async () => {
    await Promise.all([pool.end(), other.end()]);
    await database.drop();
  });

  const pidOf = async (connection: SharedConnection, statement = PID) =>
    (await connection.query<{ pid: number }>(statement)).rows[0]!.pid;

  it('sends a statement before the last one is answered, on one connection', async () => {
    const connection = new SharedConnection(pool, () => other, false);
    const slow = pidOf(connection, SLOW);
    const next = pidOf(connection);
    expect(connection.waiting).toBe(2);
    expect(await next).toBe(await slow);
  });

  it('gives the connection back to the pool when nothing waits', async () => {
    const connection = new SharedConnection(pool, () => other, false);
    await pidOf(connection);
    expect([connection.waiting, pool.idleCount]).toEqual([0, pool.totalCount]);
  });

  it('gives it back after a statement that failed', async () => {
    const connection = new SharedConnection(pool, () => other, false);
    const [failed, fine] = await Promise.allSettled([
      connection.query({ text: 'SELECT 1 / 0' }),
      pidOf(connection),
    ]);
    expect([failed.status, fine.status]).toEqual(['rejected', 'fulfilled']);
    expect([connection.waiting, pool.idleCount]).toEqual([0, pool.totalCount]);
  });

  it('takes another connection after a loss', async () => {
    const connection = new SharedConnection(pool, () => other, false);
    const lost = pidOf(connection);
    const slow = expect(connection.query(SLOW)).rejects.toThrow();
    await other.query('SELECT pg_terminate_backend($1)', [await lost]);
    await slow;
    expect(await pidOf(connection)).not.toBe(await lost);
    expect(pool.idleCount).toBe(pool.totalCount);
  });

  it('does a statement over the other pool that could not be prepared, as the one before it failed', async () => {
    await database.query('CREATE TABLE locked ()');
    const holder = await other.connect();
    await holder.query('BEGIN; LOCK TABLE locked IN ACCESS EXCLUSIVE MODE');
    const connection = new SharedConnection(pool, () => other, false);
    await connection.query({ text: "SET statement_timeout = '100ms'" });
    const count = { name: 'count', text: 'SELECT count(*)::int AS count FROM locked' };
    const first = expect(connection.query(count)).rejects.toMatchObject({ code: '57014' });
    const second = connection.query<{ count: number }>(count);
    await first;
    await holder.query('ROLLBACK');
    holder.release();
    expect((await second).rows).toEqual([{ count: 0 }]);
    await connection.query({ text: 'RESET statement_timeout' });
  });

  it('uses the other pool while there is no connection, and tries again a second later', async () => {
    const port = await freePort();
    const closed = new pg.Pool({ host: '127.0.0.1', port, pipeline: true });
    const connection = new SharedConnection(closed, () => other, false);
    expect(await pidOf(connection)).toBeGreaterThan(0);

    let attempts = 0;
    const server = createServer((socket) => {
      attempts += 1;
      socket.destroy();
    });
    await new Promise<void>((listening) => server.listen(port, '127.0.0.1', listening));
    expect(await pidOf(connection)).toBeGreaterThan(0);
    expect(attempts).toBe(0);
    const started = performance.now();
    while (attempts === 0 && performance.now() - started < 5000)
      expect(await pidOf(connection)).toBeGreaterThan(0);
    expect(attempts).toBe(1);
    server.close();
    await closed.end();
  });
});
