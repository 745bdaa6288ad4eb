import { randomBytes } from 'node:crypto';
import { createClient } from '@redis/client';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startService, type TestService } from '../harness/http/service.js';
import { ApiClient, type Account, type ApiResponse } from '../harness/http/client.js';
import { createDatabase, type TestDatabase } from '../harness/database/database.js';
import { lastAccepted } from '../harness/http/last-accepted.js';
import { expectProblem } from '../harness/http/problem.js';
import { Program } from '../harness/programs/program.js';
import { redisUrl } from '../harness/servers/redis.js';
import { until } from '../harness/until.js';

let service: TestService;
beforeAll(async () => {
  service = await startService();
});
afterAll(() => service.close());

function login({ email }: Account, password: string): Promise<ApiResponse> {
  return service.anonymous.post('/auth/login', { email, password });
}

function deleteAccount(client: ApiClient, password = client.account.password): Promise<ApiResponse> {
  return client.request('DELETE', '/users/me', { body: { password } });
}

describe('DELETE /users/me', () => {
  it('returns 204; the account is gone, and its e-mail can be used again', async () => {
    const ada = await service.signUp();
    const { status, text } = await deleteAccount(ada);
    expect({ status, text }).toEqual({ status: 204, text: '' });
    expectProblem(await login(ada.account, ada.account.password), 401);
    const again = await service.signUp({ email: ada.account.email });
    expect(again.account.userId).not.toBe(ada.account.userId);
    expect((await again.get('/entries')).body.total).toBe(0);
  });

  it('ends every session at once: no token is accepted', async () => {
    const ada = await service.signUp();
    const other = await ada.logIn();
    await deleteAccount(ada);
    for (const client of [ada, other]) {
      for (const path of ['/users/me', '/entries', '/entries/trash', '/auth/sessions', '/users/me/export']) {
        expectProblem(await client.get(path), 401);
      }
      expectProblem(await client.post('/entries', { text: 'a ghost', mood: 5 }), 401);
      const { refreshToken } = client.account;
      expectProblem(await service.anonymous.post('/auth/refresh', { refreshToken }), 401);
    }
  });

  it('returns 403 when the password is wrong, and deletes nothing', async () => {
    const ada = await service.signUp();
    await ada.post('/entries', { text: 'still here', mood: 5 });
    expectProblem(await deleteAccount(ada, 'a wrong password'), 403);
    expect((await ada.get('/entries')).body.total).toBe(1);
  });

  it.each([
    ['no password', {}, ['password']],
    ['an empty password', { password: '' }, ['password']],
    ['an unknown field', { password: 'x', userId: 'y' }, ['userId']],
    ['nothing', undefined, ['']],
  ])('returns 422 for %s', async (_what, body, paths) => {
    const ada = await service.signUp();
    const response = await ada.request('DELETE', '/users/me', { body });
    expect(expectProblem(response, 422).paths).toEqual(paths);
    expect((await ada.get('/users/me')).status).toBe(200);
  });

  it('deletes more entries than one statement does', async () => {
    const ada = await service.signUp();
    await service.database.query(
      `INSERT INTO entries (id, user_id, text, search_text, mood) SELECT gen_random_uuid(), $1, 'x', 'x', 5 FROM generate_series(1, 4100)`,
      [ada.account.userId],
    );
    expect((await deleteAccount(ada)).status).toBe(204);
    expect(
      await service.database.query('SELECT 1 FROM entries WHERE user_id = $1', [ada.account.userId]),
    ).toEqual([]);
  });

  it('leaves no data behind when two deletions, a login and a new entry are concurrent', async () => {
    for (let race = 0; race < 3; race++) {
      const ada = await service.signUp();
      const responses = await Promise.all([
        deleteAccount(ada),
        deleteAccount(ada),
        login(ada.account, ada.account.password),
        ada.post('/entries', { text: 'at the last moment', mood: 5 }),
      ]);
      expect(responses.map(({ status }) => status)).toContain(204);
      expect(responses.filter(({ status }) => status >= 500)).toEqual([]);
      expect(await tracesIn(service.database, [ada.account.userId, ada.account.email])).toEqual([]);
    }
  });

  it('does not change other users', async () => {
    const [ada, bob] = await Promise.all([service.signUp(), service.signUp()]);
    await bob.post('/entries', { text: 'of Bob', mood: 5 });
    await deleteAccount(ada);
    expect((await bob.get('/entries')).body.total).toBe(1);
    expect((await bob.get('/auth/sessions')).body.sessions).toHaveLength(1);
  });
});

// Programs, because the test reads what replicas log and keep.
describe('a deleted user', () => {
  it('is refused within a second by every replica, also by a new one, and is in no table, key or log line', async () => {
    const database = await createDatabase();
    const environment = {
      DATABASE_URL: database.url,
      LOG_LEVEL: 'trace',
      RATE_LIMIT_USER_PER_MINUTE: '100000',
      RATE_LIMIT_ANONYMOUS_PER_MINUTE: '100000',
      ...(redisUrl !== undefined && { REDIS_URL: redisUrl }),
    };
    const programs = [Program.start(environment), Program.start(environment)];
    try {
      const [here, there] = await Promise.all(
        programs.map(async (program) => new ApiClient(await program.listening())),
      );
      const mark = randomBytes(6).toString('hex');
      const ada = await here!.signUp({ email: `ada-${mark}@example.org`, displayName: `Ada ${mark}` });
      const written = await ada.post('/entries', {
        text: `dear diary ${mark}`,
        mood: 5,
        tags: [`tag-${mark}`],
      });
      const thrown = await ada.post('/entries', { text: `thrown away ${mark}`, mood: 5 });
      await ada.delete(`/entries/${thrown.body.id}`);
      const { email, password } = ada.account;
      await here!.post('/auth/login', { email, password: 'a wrong password' });
      // Into the caches of both.
      const elsewhere = there!.as(ada.account);
      for (const client of [ada, elsewhere]) {
        await client.get(`/entries/${written.body.id}`);
        await client.get('/entries');
      }
      const needles = [ada.account.userId, mark];
      expect(await tracesIn(database, needles)).not.toEqual([]);
      if (redisUrl !== undefined) expect(await tracesInRedis(redisUrl, needles)).not.toEqual([]);

      expect((await deleteAccount(ada)).status).toBe(204);
      const erasedAt = Date.now();
      expectProblem(await ada.get('/entries'), 401);
      // Not /users/me, which misses the user at once.
      expect((await lastAccepted(elsewhere, '/entries')) - erasedAt).toBeLessThan(1000);
      const refusedAt = Date.now();

      const late = Program.start(environment);
      programs.push(late);
      expectProblem(await new ApiClient(await late.listening(), ada.account).get('/entries'), 401);
      for (const client of [ada, elsewhere]) {
        expectProblem(await client.post('/entries', { text: 'a ghost', mood: 5 }), 401);
        expectProblem(await client.get(`/entries/${written.body.id}`), 401);
        expectProblem(await client.post('/auth/refresh', { refreshToken: ada.account.refreshToken }), 401);
        expectProblem(await client.post('/auth/login', { email, password }), 401);
      }

      expect(await tracesIn(database, needles)).toEqual([]);
      if (redisUrl !== undefined) {
        const url = redisUrl;
        await until('nothing is left in Redis', async () => (await tracesInRedis(url, needles)).length === 0);
      }
      const later = programs
        .flatMap(({ lines }) => lines)
        .filter(({ time }) => Date.parse(String(time)) > refusedAt)
        .map((line) => JSON.stringify(line))
        .join('\n');
      expect(later).toContain('"msg":"request"');
      for (const needle of needles) expect(later).not.toContain(needle);
    } finally {
      await Promise.all(programs.map((program) => program.stop()));
      await database.drop();
    }
  });
});

/** Every row of every table that has one of the texts in any of its columns. */
async function tracesIn(database: TestDatabase, needles: readonly string[]): Promise<string[]> {
  // A text of plain characters and dots: as a regular expression it matches itself.
  const rows = await database.query<{ trace: string }>(
    `SELECT tablename || ' ' || query_to_xml(format('SELECT t::text AS "row" FROM %I.%I AS t WHERE t::text ~ %L',
              schemaname, tablename, $1::text), true, true, '')::text AS trace
       FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')`,
    [needles.join('|')],
  );
  return rows.map(({ trace }) => trace).filter((trace) => trace.includes('<row>'));
}

/** Every key that has one of the texts in its name or its value. */
async function tracesInRedis(url: string, needles: readonly string[]): Promise<string[]> {
  const redis = createClient({ url });
  await redis.connect();
  try {
    const traces: string[] = [];
    for await (const key of redis.scanIterator({ COUNT: 1000 })) {
      const value = (await redis.type(key)) === 'string' ? await redis.get(key) : await redis.dump(key);
      const found = `${key} ${value ?? ''}`;
      if (needles.some((needle) => found.includes(needle))) traces.push(found);
    }
    return traces;
  } finally {
    await redis.quit();
  }
}
