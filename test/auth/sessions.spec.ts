import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { SessionsPurge } from '../../src/auth/sessions/sessions.purge.js';
import { startApp, type TestApp } from '../harness/http/app.js';
import { ApiClient } from '../harness/http/client.js';
import { INSTANT } from '../harness/http/formats.js';
import { expectProblem } from '../harness/http/problem.js';
import { until } from '../harness/until.js';

let service: TestApp;
let anonymous: ApiClient;
beforeAll(async () => {
  service = await startApp();
  anonymous = service.anonymous;
});
afterAll(() => service.close());

interface SessionRow {
  readonly id: string;
  readonly current: boolean;
}

async function sessionsOf(client: ApiClient): Promise<SessionRow[]> {
  return (await client.get('/auth/sessions')).body.sessions;
}

async function currentOf(client: ApiClient): Promise<string> {
  return (await sessionsOf(client)).find(({ current }) => current)!.id;
}

async function expectEnded(client: ApiClient): Promise<void> {
  expectProblem(await client.get('/users/me'), 401);
  const { refreshToken } = client.account;
  expectProblem(await anonymous.post('/auth/refresh', { refreshToken }), 401);
}

async function expectAlive(client: ApiClient): Promise<void> {
  expect((await client.get('/users/me')).status).toBe(200);
}

describe('GET /auth/sessions', () => {
  it('returns 200 with the active sessions, last used first, and without tokens', async () => {
    const ada = await service.signUp();
    const phone = await ada.logIn({ 'user-agent': 'a phone' });
    const { status, body } = await phone.get('/auth/sessions');
    expect(status).toBe(200);
    const session = {
      id: expect.any(String),
      createdAt: expect.stringMatching(INSTANT),
      lastUsedAt: expect.stringMatching(INSTANT),
      ip: '127.0.0.1',
    };
    expect(body).toEqual({
      sessions: [
        { ...session, userAgent: 'a phone', current: true },
        { ...session, userAgent: 'node', current: false },
      ],
    });
  });

  it('leaves out those that ended and those that expired', async () => {
    const ada = await service.signUp();
    const [ended, expired] = [await ada.logIn(), await ada.logIn()];
    const id = await currentOf(expired);
    await ended.post('/auth/logout');
    await service.database.query('UPDATE sessions SET expires_at = now() WHERE id = $1', [id]);
    expect(await sessionsOf(ada)).toMatchObject([{ current: true }]);
  });

  it('does not show sessions of other users', async () => {
    const [ada, bob] = await Promise.all([service.signUp(), service.signUp()]);
    expect(await sessionsOf(bob)).toHaveLength(1);
    expect(await currentOf(bob)).not.toBe(await currentOf(ada));
  });
});

describe('DELETE /auth/sessions/:id', () => {
  it('returns 204 and ends that session at once, and no other', async () => {
    const ada = await service.signUp();
    const [stolen, phone] = [await ada.logIn(), await ada.logIn()];
    const response = await ada.delete(`/auth/sessions/${await currentOf(stolen)}`);
    expect([response.status, response.text]).toEqual([204, '']);
    await expectEnded(stolen);
    await expectAlive(ada);
    await expectAlive(phone);
  });

  it('ends the session that asks as well', async () => {
    const ada = await service.signUp();
    expect((await ada.delete(`/auth/sessions/${await currentOf(ada)}`)).status).toBe(204);
    await expectEnded(ada);
  });

  it('returns 404 for the session of another user, and does not end it', async () => {
    const [ada, bob] = await Promise.all([service.signUp(), service.signUp()]);
    expectProblem(await bob.delete(`/auth/sessions/${await currentOf(ada)}`), 404);
    await expectAlive(ada);
  });

  it('returns 404 for a session that has ended, and for an unknown one', async () => {
    const ada = await service.signUp();
    const other = await ada.logIn();
    const id = await currentOf(other);
    expect((await ada.delete(`/auth/sessions/${id}`)).status).toBe(204);
    expectProblem(await ada.delete(`/auth/sessions/${id}`), 404);
    expectProblem(await ada.delete(`/auth/sessions/${randomUUID()}`), 404);
  });

  it.each(['1', 'all', "' OR true --", '%00'])('returns 400 for the id %s', async (id) => {
    const ada = await service.signUp();
    expectProblem(await ada.delete(`/auth/sessions/${encodeURI(id)}`), 400);
    await expectAlive(ada);
  });
});

describe('POST /auth/logout', () => {
  it('returns 204 and ends the session at once, for both of its tokens', async () => {
    const ada = await service.signUp();
    const { status, text } = await ada.post('/auth/logout');
    expect({ status, text }).toEqual({ status: 204, text: '' });
    expectProblem(await ada.get('/users/me'), 401);
    expectProblem(await ada.post('/auth/logout'), 401);
    expectProblem(await anonymous.post('/auth/refresh', { refreshToken: ada.account.refreshToken }), 401);
  });

  it('ends the access tokens of before the last refresh', async () => {
    const ada = await service.signUp();
    await (await ada.refresh()).post('/auth/logout');
    expectProblem(await ada.get('/users/me'), 401);
  });

  it('keeps the other sessions of the user', async () => {
    const ada = await service.signUp();
    const { email, password } = ada.account;
    const other = await anonymous.post('/auth/login', { email, password });
    await ada.post('/auth/logout');
    expect((await ada.withToken(other.body.accessToken).get('/users/me')).status).toBe(200);
  });

  it('lets the user sign in again', async () => {
    const ada = await service.signUp();
    await ada.post('/auth/logout');
    const { email, password } = ada.account;
    expect((await anonymous.post('/auth/login', { email, password })).status).toBe(200);
  });
});

describe('a session that another replica has ended', () => {
  it('is refused here', async () => {
    const ada = await service.signUp();
    expect((await ada.get('/users/me')).status).toBe(200);
    await service.database.query('UPDATE sessions SET ended_at = now() WHERE user_id = $1', [
      ada.account.userId,
    ]);
    await until('it is refused', async () => (await ada.get('/users/me')).status === 401);
  });
});

describe('POST /auth/logout-all', () => {
  it('returns 204 and ends every session of the user, also this one, and none of another user', async () => {
    const [ada, bob] = await Promise.all([service.signUp(), service.signUp()]);
    const other = await ada.logIn();
    expect((await ada.post('/auth/logout-all')).status).toBe(204);
    await expectEnded(ada);
    await expectEnded(other);
    await expectAlive(bob);
    await expectAlive(await ada.logIn());
  });
});

describe('a session', () => {
  it('ends after a year, however often it is refreshed', async () => {
    const { account } = await service.signUp();
    const age = (days: number) =>
      service.database.query(
        `UPDATE sessions SET created_at = now() - make_interval(days => $2) WHERE user_id = $1`,
        [account.userId, days],
      );
    await age(364);
    const { status, body } = await anonymous.post('/auth/refresh', { refreshToken: account.refreshToken });
    expect(status).toBe(200);
    const [row] = await service.database.query<{ days: string }>(
      'SELECT extract(epoch FROM expires_at - now()) / 86400 AS days FROM sessions WHERE user_id = $1',
      [account.userId],
    );
    expect(Number(row!.days)).toBeCloseTo(1, 2);
    await age(366);
    await service.database.query(
      `UPDATE sessions SET expires_at = created_at + interval '365 days' WHERE user_id = $1`,
      [account.userId],
    );
    expectProblem(await anonymous.post('/auth/refresh', { refreshToken: body.refreshToken }), 401);
  });

  it('is ended when the user has 100 newer ones, least recently used first', async () => {
    const ada = await service.signUp();
    const oldest = await currentOf(ada);
    await service.database.query(
      `INSERT INTO sessions (id, user_id, refresh_token_hash, expires_at)
       SELECT gen_random_uuid(), $1, '\\x00', now() + interval '1 day' FROM generate_series(1, 99)`,
      [ada.account.userId],
    );
    const newest = await ada.logIn();
    const left = await sessionsOf(newest);
    expect(left).toHaveLength(100);
    expect(left.map(({ id }) => id)).not.toContain(oldest);
    await until('it is refused', async () => (await ada.get('/users/me')).status === 401);
  });

  it('is refreshed by one of three concurrent refreshes', async () => {
    const { account } = await service.signUp();
    const responses = await Promise.all(
      Array.from({ length: 3 }, () =>
        anonymous.post('/auth/refresh', { refreshToken: account.refreshToken }),
      ),
    );
    expect(responses.map(({ status }) => status).sort()).toEqual([200, 401, 401]);
    const won = responses.find(({ status }) => status === 200)!.body;
    expect((await anonymous.post('/auth/refresh', { refreshToken: won.refreshToken })).status).toBe(200);
  });
});

describe('the purge of sessions', () => {
  it('deletes ended sessions in batches, on several replicas at once, and nothing that is needed', async () => {
    const replica = await startApp({}, service.database);
    try {
      const ada = await service.signUp();
      await service.database.query(
        `INSERT INTO sessions (id, user_id, refresh_token_hash, expires_at, ended_at)
         SELECT gen_random_uuid(), $1, '\\x00',
                CASE WHEN n % 2 = 0 THEN now() - interval '1 day' ELSE now() + interval '1 day' END,
                CASE WHEN n % 2 = 1 THEN now() - interval '1 day' END
           FROM generate_series(1, 2300) AS n`,
        [ada.account.userId],
      );
      // Ended a moment ago: its access token is good for minutes yet, and must be known to have ended.
      const other = await ada.logIn();
      await other.post('/auth/logout');
      await service.database.query(
        `INSERT INTO erased_sessions (id, erased_at)
         SELECT gen_random_uuid(), now() - CASE WHEN n > 3 THEN interval '1 day' ELSE interval '1 minute' END
           FROM generate_series(1, 700) AS n`,
      );
      await Promise.all([service, replica].map(({ app }) => app.get(SessionsPurge).run()));
      const rows = await service.database.query('SELECT ended_at FROM sessions WHERE user_id = $1', [
        ada.account.userId,
      ]);
      expect(rows).toHaveLength(2);
      expect(await service.database.query('SELECT 1 FROM erased_sessions')).toHaveLength(3);
      await expectAlive(ada);
    } finally {
      await replica.close();
    }
  });
});
