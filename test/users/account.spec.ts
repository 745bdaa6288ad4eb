import { randomBytes } from 'node:crypto';
import { request, type IncomingMessage } from 'node:http';
import { createClient } from '@redis/client';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { PersonalDataService } from '../../src/users/personal-data.service.js';
import { startApp, type TestApp } from '../harness/app.js';
import { ApiClient, type Answer } from '../harness/client.js';
import { createDatabase, type TestDatabase } from '../harness/database.js';
import { expectProblem } from '../harness/problem.js';
import { Program } from '../harness/program.js';
import { redisUrl } from '../harness/redis.js';
import { lastAccepted } from '../harness/last-accepted.js';
import { until } from '../harness/until.js';

const NEW_PASSWORD = 'another horse battery';

let service: TestApp;
let anonymous: ApiClient;
beforeAll(async () => {
  service = await startApp();
  anonymous = service.anonymous;
});
afterAll(() => service.close());

function login({ email }: { email: string }, password: string): Promise<Answer> {
  return anonymous.post('/auth/login', { email, password });
}

async function signIn(client: ApiClient): Promise<ApiClient> {
  const { accessToken, refreshToken } = (await login(client.account, client.account.password)).body;
  return client.as({ ...client.account, accessToken, refreshToken });
}

function erase(client: ApiClient, password = client.account.password): Promise<Answer> {
  return client.request('DELETE', '/users/me', { body: { password } });
}

describe('PUT /users/me/password', () => {
  const change = (client: ApiClient, newPassword = NEW_PASSWORD, currentPassword = client.account.password) =>
    client.put('/users/me/password', { currentPassword, newPassword });

  it('answers 204: the new password signs in, and the old one does not', async () => {
    const ada = await service.signUp();
    const { status, text } = await change(ada);
    expect({ status, text }).toEqual({ status: 204, text: '' });
    expectProblem(await login(ada.account, ada.account.password), 401);
    expect((await login(ada.account, NEW_PASSWORD)).status).toBe(200);
  });

  it('ends every other session of the user at once, and leaves this one and its refresh token', async () => {
    const [ada, bob] = await Promise.all([service.signUp(), service.signUp()]);
    const others = [await signIn(ada), await signIn(ada)];
    expect((await change(ada)).status).toBe(204);
    for (const other of others) {
      expectProblem(await other.get('/users/me'), 401);
      const { refreshToken } = other.account;
      expectProblem(await anonymous.post('/auth/refresh', { refreshToken }), 401);
    }
    expect((await ada.get('/users/me')).status).toBe(200);
    expect((await anonymous.post('/auth/refresh', { refreshToken: ada.account.refreshToken })).status).toBe(
      200,
    );
    expect((await bob.get('/users/me')).status).toBe(200);
  });

  it('answers 403 when the current password is wrong, and changes nothing', async () => {
    const ada = await service.signUp();
    const other = await signIn(ada);
    const answer = await change(ada, NEW_PASSWORD, 'a wrong password');
    expectProblem(answer, 403);
    expect(answer.headers.has('www-authenticate')).toBe(false);
    expect((await other.get('/users/me')).status).toBe(200);
    expect((await login(ada.account, ada.account.password)).status).toBe(200);
  });

  it.each([
    ['a short one', '1234567', ['newPassword']],
    ['one of 129 characters', 'x'.repeat(129), ['newPassword']],
    ['one of the commonest', 'iloveyou1', ['newPassword']],
    ['one with a NUL', 'pass\u0000word', ['newPassword']],
    ['the current one', 'correct horse battery', ['newPassword']],
    ['none', undefined, ['newPassword']],
  ])('answers 422 to a new password that is %s', async (_what, newPassword, paths) => {
    const ada = await service.signUp();
    const body = { currentPassword: ada.account.password, newPassword };
    expect(expectProblem(await ada.put('/users/me/password', body), 422).paths).toEqual(paths);
    expect((await login(ada.account, ada.account.password)).status).toBe(200);
  });

  it('answers 422 to the e-mail address as the new password', async () => {
    const ada = await service.signUp();
    const { paths } = expectProblem(await change(ada, ada.account.email.toUpperCase()), 422);
    expect(paths).toEqual(['newPassword']);
  });

  it('lets one of two changes at the same instant win, and its password alone is good', async () => {
    const ada = await service.signUp();
    const passwords = ['the first new password', 'the other new password'];
    const answers = await Promise.all(passwords.map((password) => change(ada, password)));
    expect(answers.map(({ status }) => status).sort()).toEqual([204, 403]);
    const logins = await Promise.all(passwords.map((password) => login(ada.account, password)));
    expect(logins.map(({ status }) => (status === 200 ? 204 : 403))).toEqual(
      answers.map(({ status }) => status),
    );
  });

  it('leaves no session behind of a login with the old password at the same instant', async () => {
    for (let race = 0; race < 4; race++) {
      const ada = await service.signUp();
      const [changed, ...logins] = await Promise.all([
        change(ada),
        login(ada.account, ada.account.password),
        login(ada.account, ada.account.password),
      ]);
      expect(changed.status).toBe(204);
      for (const { body } of logins.filter(({ status }) => status === 200)) {
        expectProblem(await anonymous.withToken(body.accessToken).get('/users/me'), 401);
      }
      const sessions = (await ada.get('/auth/sessions')).body.sessions;
      expect(sessions).toMatchObject([{ current: true }]);
    }
  });
});

describe('GET /users/me/export', () => {
  it('answers 200 with all that is held of the user, as a download', async () => {
    const ada = await service.signUp({ displayName: 'Ada' });
    const fields = { text: 'quote " and \u2028 and 🌧️', mood: 3, category: 'health', tags: ['a "b"'] };
    const kept = (await ada.post('/entries', fields)).body;
    const trashed = (await ada.post('/entries', { text: 'thrown away', mood: 1 })).body;
    await ada.delete(`/entries/${trashed.id}`);
    const { status, headers, body } = await ada.get('/users/me/export');
    expect(status).toBe(200);
    expect(headers.get('content-type')).toBe('application/json; charset=utf-8');
    expect(headers.get('content-disposition')).toMatch(
      /^attachment; filename="entries-\d{4}-\d\d-\d\d\.json"$/,
    );
    expect(headers.get('cache-control')).toBe('no-store');
    const { exportedAt, user, sessions, entries } = body;
    expect(Date.parse(exportedAt)).toBeLessThanOrEqual(Date.now());
    expect(user).toEqual((await ada.get('/users/me')).body);
    expect(sessions).toEqual([
      {
        id: expect.any(String),
        createdAt: expect.any(String),
        lastUsedAt: expect.any(String),
        expiresAt: expect.any(String),
        endedAt: null,
        ip: '127.0.0.1',
        userAgent: 'node',
      },
    ]);
    expect(entries).toMatchObject([
      { ...kept, deletedAt: null },
      { id: trashed.id, text: 'thrown away', deletedAt: expect.stringMatching(/Z$/) },
    ]);
  });

  it('has the answers that are kept for the requests that came with an Idempotency-Key', async () => {
    const ada = await service.signUp();
    const bodies = new Map<string, unknown>();
    for (let n = 1; n <= 6; n += 1) {
      const headers = { 'idempotency-key': `key-${n}` };
      bodies.set(`key-${n}`, (await ada.post('/entries', { text: `once ${n}`, mood: 5 }, headers)).body);
    }
    const { idempotencyKeys } = (await ada.get('/users/me/export')).body;
    expect(idempotencyKeys).toEqual(
      [...bodies].map(([key, body]) => ({ key, createdAt: expect.stringMatching(/Z$/), status: 201, body })),
    );
  });

  it('has every entry once, in the order in which they were written, across many batches', async () => {
    const ada = await service.signUp();
    // Many of the same instant: a batch may end in their midst.
    await service.database.query(
      `INSERT INTO entries (id, user_id, text, search_text, mood, created_at)
       SELECT gen_random_uuid(), $1, 'number ' || n, 'number ' || n, 5, '2026-01-01Z'::timestamptz + make_interval(secs => n / 150)
         FROM generate_series(1, 1001) AS n`,
      [ada.account.userId],
    );
    const { entries } = (await ada.get('/users/me/export')).body;
    expect(new Set(entries.map(({ text }: { text: string }) => text)).size).toBe(1001);
    const times = entries.map(({ createdAt }: { createdAt: string }) => createdAt);
    expect(times).toEqual([...times].sort());
  });

  it('tells nobody anything of another user, nor any hash', async () => {
    const [ada, bob] = await Promise.all([service.signUp(), service.signUp()]);
    await ada.post('/entries', { text: 'a secret of Ada', mood: 5 });
    const { text } = await bob.get('/users/me/export');
    expect(text).not.toMatch(new RegExp(`secret of Ada|${ada.account.userId}|argon2|[Hh]ash`));
  });

  it('reads on only as the client does: what is not read is not loaded', async () => {
    const ada = await service.signUp();
    await service.database.query(
      `INSERT INTO entries (id, user_id, text, search_text, mood)
       SELECT gen_random_uuid(), $1, repeat('x', 10000), repeat('x', 10000), 5 FROM generate_series(1, 4000) AS n`,
      [ada.account.userId],
    );
    let yielded = 0;
    const data = service.app.get(PersonalDataService);
    const exportOf = data.export.bind(data);
    data.export = async function* (...args) {
      for await (const piece of exportOf(...args)) {
        yielded += piece.length;
        yield piece;
      }
    };
    try {
      await new Promise<void>((resolve, reject) => {
        const { accessToken } = ada.account;
        const headers = { authorization: `Bearer ${accessToken}` };
        const asked = request(`${service.url}/users/me/export`, { headers, agent: false }, (response) => {
          response.pause();
          // Quiet for some turns: the buffers between here and there are full.
          let last = -1;
          const timer = setInterval(() => {
            if (yielded !== last) {
              last = yielded;
              return;
            }
            clearInterval(timer);
            response.destroy();
            resolve();
          }, 150);
        });
        asked.on('error', reject).end();
      });
      expect(yielded).toBeGreaterThan(10_000);
      // All of it is 40 MB; the kernel's buffers of both ends hold some.
      expect(yielded).toBeLessThan(20_000_000);
    } finally {
      data.export = exportOf;
      await service.database.query('DELETE FROM entries WHERE user_id = $1', [ada.account.userId]);
    }
  });

  it('answers 429 while two of the same user are not read, and no longer', async () => {
    const [ada, bob] = await Promise.all([service.signUp(), service.signUp()]);
    await service.database.query(
      `INSERT INTO entries (id, user_id, text, search_text, mood)
       SELECT gen_random_uuid(), $1, repeat('x', 10000), repeat('x', 10000), 5 FROM generate_series(1, 2000) AS n`,
      [ada.account.userId],
    );
    const headers = { authorization: `Bearer ${ada.account.accessToken}` };
    const unread = await Promise.all(
      [1, 2].map(
        () =>
          new Promise<IncomingMessage>((resolve, reject) => {
            request(`${service.url}/users/me/export`, { headers, agent: false }, resolve)
              .on('error', reject)
              .end();
          }),
      ),
    );
    const refused = await ada.get('/users/me/export');
    expectProblem(refused, 429);
    expect(refused.headers.get('retry-after')).toBe('10');
    expect((await bob.get('/users/me/export')).status).toBe(200);
    for (const response of unread) response.destroy();
    await service.database.query('DELETE FROM entries WHERE user_id = $1', [ada.account.userId]);
    await until('it is allowed again', async () => (await ada.get('/users/me/export')).status === 200);
    expect((await ada.get('/users/me/export')).headers.has('retry-after')).toBe(false);
  });

  it('is not run for a HEAD, which has the same headers and no body', async () => {
    const ada = await service.signUp();
    const data = service.app.get(PersonalDataService);
    const exported = jest.spyOn(data, 'export');
    try {
      const { status, headers, text } = await ada.request('HEAD', '/users/me/export');
      expect([status, text]).toEqual([200, '']);
      expect(headers.get('content-type')).toBe('application/json; charset=utf-8');
      expect(headers.get('content-disposition')).toMatch(/^attachment; filename="entries-/);
      expect(exported).not.toHaveBeenCalled();
    } finally {
      exported.mockRestore();
    }
  });

  it('answers 503 with Retry-After to more than 20 that are not read, whoever asks', async () => {
    const accounts = await Promise.all(Array.from({ length: 21 }, () => service.signUp()));
    for (const { account } of accounts) {
      await service.database.query(
        `INSERT INTO entries (id, user_id, text, search_text, mood)
         SELECT gen_random_uuid(), $1, repeat('x', 10000), 'x', 5 FROM generate_series(1, 500) AS n`,
        [account.userId],
      );
    }
    const unread = await Promise.all(
      accounts.slice(0, 20).map(
        ({ account: { accessToken } }) =>
          new Promise<IncomingMessage>((resolve, reject) => {
            const headers = { authorization: `Bearer ${accessToken}` };
            request(`${service.url}/users/me/export`, { headers, agent: false }, resolve)
              .on('error', reject)
              .end();
          }),
      ),
    );
    expect(unread.map(({ statusCode }) => statusCode)).toEqual(Array.from({ length: 20 }, () => 200));
    const last = accounts.at(-1)!;
    const refused = await last.get('/users/me/export');
    expectProblem(refused, 503);
    expect(refused.headers.get('retry-after')).toBe('10');
    for (const response of unread) response.destroy();
    await until('it is allowed again', async () => (await last.get('/users/me/export')).status === 200);
  });

  it('breaks off the connection when it cannot go on, so that half of it is not taken for all', async () => {
    const ada = await service.signUp();
    const data = service.app.get(PersonalDataService);
    const exportOf = data.export.bind(data);
    data.export = async function* (...args) {
      let pieces = 0;
      for await (const piece of exportOf(...args)) {
        if (++pieces > 2) throw new Error('the database is gone');
        yield piece;
      }
    };
    try {
      await expect(ada.get('/users/me/export')).rejects.toThrow();
    } finally {
      data.export = exportOf;
    }
  });
});

describe('DELETE /users/me', () => {
  it('answers 204; the account is no more, and its e-mail is free', async () => {
    const ada = await service.signUp();
    const { status, text } = await erase(ada);
    expect({ status, text }).toEqual({ status: 204, text: '' });
    expectProblem(await login(ada.account, ada.account.password), 401);
    const again = await service.signUp({ email: ada.account.email });
    expect(again.account.userId).not.toBe(ada.account.userId);
    expect((await again.get('/entries')).body.total).toBe(0);
  });

  it('ends every session at once: no token is good for anything', async () => {
    const ada = await service.signUp();
    const other = await signIn(ada);
    await erase(ada);
    for (const client of [ada, other]) {
      for (const path of ['/users/me', '/entries', '/entries/trash', '/auth/sessions', '/users/me/export']) {
        expectProblem(await client.get(path), 401);
      }
      expectProblem(await client.post('/entries', { text: 'a ghost', mood: 5 }), 401);
      const { refreshToken } = client.account;
      expectProblem(await anonymous.post('/auth/refresh', { refreshToken }), 401);
    }
  });

  it('answers 403 when the password is wrong, and erases nothing', async () => {
    const ada = await service.signUp();
    await ada.post('/entries', { text: 'still here', mood: 5 });
    expectProblem(await erase(ada, 'a wrong password'), 403);
    expect((await ada.get('/entries')).body.total).toBe(1);
  });

  it.each([
    ['no password', {}, ['password']],
    ['an empty one', { password: '' }, ['password']],
    ['an unknown field', { password: 'x', userId: 'y' }, ['userId']],
    ['nothing', undefined, ['']],
  ])('answers 422 to %s', async (_what, body, paths) => {
    const ada = await service.signUp();
    const answer = await ada.request('DELETE', '/users/me', { body });
    expect(expectProblem(answer, 422).paths).toEqual(paths);
    expect((await ada.get('/users/me')).status).toBe(200);
  });

  it('erases more entries than one statement takes', async () => {
    const ada = await service.signUp();
    await service.database.query(
      `INSERT INTO entries (id, user_id, text, search_text, mood) SELECT gen_random_uuid(), $1, 'x', 'x', 5 FROM generate_series(1, 4100)`,
      [ada.account.userId],
    );
    expect((await erase(ada)).status).toBe(204);
    expect(
      await service.database.query('SELECT 1 FROM entries WHERE user_id = $1', [ada.account.userId]),
    ).toEqual([]);
  });

  it('leaves nothing behind of two erasures, logins and new entries at the same instant', async () => {
    for (let race = 0; race < 3; race++) {
      const ada = await service.signUp();
      const answers = await Promise.all([
        erase(ada),
        erase(ada),
        login(ada.account, ada.account.password),
        ada.post('/entries', { text: 'at the last moment', mood: 5 }),
      ]);
      expect(answers.map(({ status }) => status)).toContain(204);
      expect(answers.filter(({ status }) => status >= 500)).toEqual([]);
      expect(await tracesIn(service.database, [ada.account.userId, ada.account.email])).toEqual([]);
    }
  });

  it('leaves every other user as they are', async () => {
    const [ada, bob] = await Promise.all([service.signUp(), service.signUp()]);
    await bob.post('/entries', { text: 'of Bob', mood: 5 });
    await erase(ada);
    expect((await bob.get('/entries')).body.total).toBe(1);
    expect((await bob.get('/auth/sessions')).body.sessions).toHaveLength(1);
  });
});

// Programs: what a replica knows, logs and remembers is looked at from outside.
describe('an erased user', () => {
  it('is refused within a second by every replica, and by one that starts later, and is in no table, key or log', async () => {
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

      expect((await erase(ada)).status).toBe(204);
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
