import { execFileSync } from 'node:child_process';
import { chownSync, mkdtempSync, mkdirSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import { startService, type TestService } from '../harness/http/service.js';
import { ApiClient, type ApiResponse } from '../harness/http/client.js';
import type { TestDatabase } from '../harness/database/database.js';
import { Ledger } from '../harness/entries/ledger.js';
import { PostgresServer } from '../harness/servers/postgres-server.js';
import { expectProblem } from '../harness/http/problem.js';
import { describeWithRedis } from '../harness/servers/redis.js';
import { RedisServer } from '../harness/servers/redis-server.js';
import { until } from '../harness/until.js';

let postgres: PostgresServer;
beforeAll(async () => {
  postgres = await PostgresServer.start();
}, 60_000);
afterAll(() => postgres.remove());

let databases = 0;
async function databaseOf(server: PostgresServer, options = ''): Promise<TestDatabase> {
  const name = `faults_${(databases += 1)}`;
  await server.query('postgres', `CREATE DATABASE ${name} ${options}`);
  return {
    name,
    url: server.url(name),
    query: (text, values = []) => server.query(name, text, values),
    drop: async () => {
      await server.query('postgres', `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
    },
  };
}

const differences = (ledger: Ledger, database: TestDatabase) =>
  ledger.differences((text, values) => database.query(text, values));

/** Writes, changes and removes all the time, until it is told to stop. */
function keepWriting(ledger: Ledger): () => Promise<void> {
  let stopped = false;
  const writer = async () => {
    for (let turn = 0; !stopped; turn += 1) {
      const { status, body } = await ledger.write();
      if (status !== 201) continue;
      await ledger.change(body.id as string);
      if (turn % 3 === 0) await ledger.remove(body.id as string);
    }
  };
  const writers = Promise.all([writer(), writer()]);
  return async () => {
    stopped = true;
    await writers;
  };
}

describe('PostgreSQL itself', () => {
  let database: TestDatabase;
  let service: TestService;
  let client: ApiClient;
  let ledger: Ledger;
  beforeAll(async () => {
    database = await databaseOf(postgres);
    service = await startService({ DB_STATEMENT_TIMEOUT_MS: '400', DB_POOL_SIZE: '5' }, database);
    client = await service.signUp();
    ledger = new Ledger(client);
  });
  afterEach(async () => {
    expect(await differences(ledger, database)).toEqual([]);
  });
  afterAll(async () => {
    await service.close();
    await database.drop();
  });

  const isServed = async () => (await ledger.write()).status === 201;

  it('crashes under load and is restarted: 503 meanwhile, served again, and every acknowledged write is there', async () => {
    const stop = keepWriting(ledger);
    await until('some are written', () => ledger.count > 20);
    await postgres.crash();
    expect((await client.get('/entries')).status).toBe(503);
    expect((await service.anonymous.get('/health')).status).toBe(503);
    expect((await service.anonymous.get('/health/live')).status).toBe(200);
    const before = ledger.count;
    await postgres.startAgain();
    await until('writes succeed again', () => ledger.count > before);
    await stop();
    expect((await service.anonymous.get('/health')).status).toBe(200);
  });

  it('hangs: 503 within the time limits, and success when it continues', async () => {
    const stop = keepWriting(ledger);
    postgres.hang();
    let refused: ApiResponse;
    try {
      refused = await client.get('/entries');
    } finally {
      postgres.resume();
    }
    expectProblem(refused, 503);
    await until('writes succeed again', isServed);
    await stop();
  });

  it('has no free connection: 503, and success when one is free', async () => {
    // The service's own are ended, so that others can take their places.
    const others: Client[] = [];
    const take = async () => {
      const other = new Client({ connectionString: database.url, application_name: 'other' });
      other.on('error', () => {});
      await other.connect();
      others.push(other);
    };
    try {
      const everything = async () => {
        for (;;) await take();
      };
      await expect(everything()).rejects.toMatchObject({ code: '53300' });
      let response: ApiResponse;
      // Again where the service was faster to take a place that came free.
      await until('none is left for the service', async () => {
        await others[0]!.query(
          `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND application_name = 'entries'`,
          [database.name],
        );
        await expect(everything()).rejects.toMatchObject({ code: '53300' });
        response = await ledger.write();
        return response.status === 503;
      });
      expectProblem(response!, 503);
    } finally {
      await Promise.all(others.map((other) => other.end().catch(() => {})));
    }
    await until('writes succeed again', isServed);
  });

  it.each([
    ['a write', {}],
    ['a transaction of several statements', { 'idempotency-key': 'once' }],
  ])(
    'has the backend of %s terminated: 503, nothing half-written, the next one succeeds',
    async (_name, headers) => {
      const lock = new Client({ connectionString: database.url });
      await lock.connect();
      try {
        await lock.query('BEGIN; LOCK TABLE entries IN SHARE MODE');
        const write = ledger.write(headers);
        const waiting = `FROM pg_stat_activity WHERE datname = $1 AND wait_event_type = 'Lock' AND query LIKE '%INSERT%'`;
        await until('it waits', async () => {
          const rows = await database.query(`SELECT pg_terminate_backend(pid) ${waiting}`, [database.name]);
          return rows.length > 0;
        });
        expectProblem(await write, 503);
      } finally {
        await lock.end();
      }
      expect((await ledger.write(headers)).status).toBe(201);
    },
  );
});

describe('a client that disconnects', () => {
  let service: TestService;
  let client: ApiClient;
  beforeAll(async () => {
    service = await startService({ DB_POOL_SIZE: '2' }, await databaseOf(postgres));
    client = await service.signUp();
  });
  afterAll(() => service.close());

  function send(text: string) {
    const { hostname, port } = new URL(service.url);
    const socket = connect(Number(port), hostname);
    socket.on('error', () => {});
    socket.write(text);
    return socket;
  }
  const head = (length: number) =>
    `POST /entries HTTP/1.1\r\nhost: a\r\nauthorization: Bearer ${client.account.accessToken}\r\n` +
    `content-type: application/json\r\ncontent-length: ${length}\r\n\r\n`;
  const count = async () =>
    (await service.database.query<{ count: number }>('SELECT count(*)::int FROM entries'))[0]?.count;

  it('in the midst of a body has written nothing', async () => {
    const socket = send(`${head(100)}{"text":"half`);
    await new Promise((resolve) => socket.once('connect', resolve));
    socket.destroy();
    expect((await client.get('/entries')).body.total).toBe(0);
  });

  it('before the answer has written once, and holds no connection: as many as the pool has, and more', async () => {
    const lock = new Client({ connectionString: service.database.url });
    await lock.connect();
    const body = JSON.stringify({ text: 'sent, and gone', mood: 5 });
    try {
      await lock.query('BEGIN');
      // Then each create waits on a connection of its own.
      await lock.query('SELECT 1 FROM users WHERE id = $1 FOR UPDATE', [client.account.userId]);
      const sockets = Array.from({ length: 3 }, () => send(head(body.length) + body));
      await until('two wait for the lock', async () => {
        const rows = await service.database.query(
          `SELECT 1 FROM pg_stat_activity WHERE datname = $1 AND wait_event_type = 'Lock'`,
          [service.database.name],
        );
        return rows.length === 2;
      });
      for (const socket of sockets) socket.destroy();
    } finally {
      await lock.end();
    }
    await until('they are written', async () => (await count()) === 3);
    expect((await client.post('/entries', { text: 'the next', mood: 5 })).status).toBe(201);
  });

  it('during a long query: the query ends at its time limit, and the pool becomes free', async () => {
    const limits = { DB_POOL_SIZE: '2', DB_STATEMENT_TIMEOUT_MS: '500' };
    const other = await startService(limits, service.database);
    const lock = new Client({ connectionString: service.database.url });
    await lock.connect();
    try {
      const there = new ApiClient(other.url, client.account);
      await lock.query('BEGIN; LOCK TABLE entries IN ACCESS EXCLUSIVE MODE');
      const given = Array.from({ length: 3 }, () => new AbortController());
      const gone = given.map(({ signal }) =>
        fetch(`${other.url}/entries?category=work`, {
          signal,
          headers: { authorization: `Bearer ${client.account.accessToken}` },
        }).catch(() => 'gone'),
      );
      await until('the pool waits for the lock', async () => {
        const rows = await service.database.query(
          `SELECT 1 FROM pg_stat_activity WHERE datname = $1 AND wait_event_type = 'Lock'`,
          [service.database.name],
        );
        return rows.length === 2;
      });
      for (const each of given) each.abort();
      expect(await Promise.all(gone)).toEqual(['gone', 'gone', 'gone']);
      // What has nothing to do with the table that is locked still.
      await until('another is served', async () => (await there.get('/users/me')).status === 200);
    } finally {
      await lock.end();
      await other.close();
    }
  });
});

describeWithRedis('Redis itself', () => {
  it('is killed, restarts empty, hangs and continues: nothing fails, is lost or is stale', async () => {
    const redis = await RedisServer.start();
    const service = await startService({ REDIS_URL: redis.url }, await databaseOf(postgres));
    try {
      const client = await service.signUp();
      const ledger = new Ledger(client);
      const isConnected = async () =>
        (await service.anonymous.get('/health')).body.details.cache.degraded === undefined;
      const exercise = async () => {
        for (let turn = 0; turn < 5; turn += 1) {
          const written = await ledger.write();
          expect(written.status).toBe(201);
          const path = `/entries/${written.body.id}`;
          expect((await client.get(path)).body).toEqual(written.body);
          expect((await client.patch(path, { mood: 1 + turn })).status).toBe(200);
          expect((await client.get(path)).body.mood).toBe(1 + turn);
          expect((await client.get('/entries?limit=1')).body.total).toBe(ledger.count);
        }
      };
      await until('connected', isConnected);
      await exercise();
      await redis.kill();
      await exercise();
      await redis.start();
      await until('connected again', isConnected);
      await exercise();
      redis.hang();
      await exercise();
      redis.resume();
      await exercise();
      await until('connected again', isConnected);
      await exercise();
      expect(await differences(ledger, service.database)).toEqual([]);
    } finally {
      redis.resume();
      await service.close();
      await redis.remove();
    }
  });
});

/** A file system of 32 MB, which only root can make; undefined where it cannot be made. */
function smallDisk(): string | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const folder = mkdtempSync(join(tmpdir(), 'entries-small-disk-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=32m,mode=755', 'tmpfs', folder], { stdio: 'ignore' });
    return folder;
  } catch {
    rmSync(folder, { recursive: true });
    return undefined;
  }
}

const disk = smallDisk();
const describeWithSmallDisk = disk === undefined ? describe.skip : describe;

describeWithSmallDisk('a disk that is full', () => {
  it('answers writes with 503 and serves reads until there is space again', async () => {
    const folder = join(disk!, 'space');
    mkdirSync(folder);
    chownSync(disk!, postgres.user!.uid, postgres.user!.gid);
    chownSync(folder, postgres.user!.uid, postgres.user!.gid);
    await postgres.query('postgres', `CREATE TABLESPACE small LOCATION '${folder}'`);
    const database = await databaseOf(postgres, 'TABLESPACE small');
    const service = await startService({}, database);
    try {
      const client = await service.signUp();
      const ledger = new Ledger(client);
      expect((await ledger.write()).status).toBe(201);
      await database.query('CREATE TABLE ballast (bytes bytea)');
      const fill = async (bytes: number) => {
        for (;;) await database.query('INSERT INTO ballast VALUES ($1)', [randomBytes(bytes)]);
      };
      for (const bytes of [1_000_000, 8000, 1000]) {
        await expect(fill(bytes)).rejects.toMatchObject({ code: '53100' });
      }
      // The last pages of the tables have room for a few.
      const long = () => client.post('/entries', { text: randomBytes(4500).toString('hex'), mood: 5 });
      await until('there is no room', async () => (await long()).status !== 201);
      const refused = await long();
      expectProblem(refused, 503);
      expect(refused.text).not.toMatch(/extend|tablespace|space/);
      expect((await client.get('/entries?limit=1')).status).toBe(200);
      await database.query('DROP TABLE ballast');
      await until('there is room again', async () => (await ledger.write()).status === 201);
      expect(await differences(ledger, database)).toEqual([]);
    } finally {
      await service.close();
      await database.drop();
      await postgres.query('postgres', 'DROP TABLESPACE small');
    }
  });
  afterAll(() => {
    execFileSync('umount', [disk!]);
    rmSync(disk!, { recursive: true });
  });
});
