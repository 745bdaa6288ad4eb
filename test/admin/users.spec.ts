import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { startService, type TestService } from '../harness/http/service.js';
import { enrol, SECOND_FACTOR } from '../harness/http/authenticator.js';
import { ApiClient } from '../harness/http/client.js';
import { INSTANT } from '../harness/http/formats.js';
import { lastAccepted } from '../harness/http/last-accepted.js';
import { expectProblem } from '../harness/http/problem.js';
import { Program } from '../harness/programs/program.js';

let service: TestService;
beforeAll(async () => {
  service = await startService();
});
// Each test has its own administrators, so that it knows which is the last.
beforeEach(() => service.database.query(`UPDATE users SET role = 'user' WHERE role = 'admin'`));
afterAll(() => service.close());

async function signUpAdmin(): Promise<ApiClient> {
  const admin = await service.signUp();
  await service.database.query(`UPDATE users SET role = 'admin' WHERE id = $1`, [admin.account.userId]);
  return admin;
}

const pathOf = (client: ApiClient) => `/admin/users/${client.account.userId}`;
const logIn = ({ account: { email, password } }: ApiClient, given = password) =>
  service.anonymous.post('/auth/login', { email, password: given });
const eraseOwn = (client: ApiClient) =>
  client.request('DELETE', '/users/me', { body: { password: client.account.password } });

async function eventsOf(client: ApiClient): Promise<Record<string, unknown>[]> {
  return (await client.get('/users/me/security-events')).body.securityEvents;
}

async function expectSignedOut(client: ApiClient): Promise<void> {
  expectProblem(await client.get('/users/me'), 401);
  const { refreshToken } = client.account;
  expectProblem(await service.anonymous.post('/auth/refresh', { refreshToken }), 401);
}

const adminCount = async () =>
  (await service.database.query(`SELECT 1 FROM users WHERE role = 'admin' AND disabled_at IS NULL`)).length;

describe('a user who is no administrator', () => {
  it.each([
    ['GET', ''],
    ['GET', '/:id'],
    ['PATCH', '/:id'],
    ['POST', '/:id/end-sessions'],
    ['DELETE', '/:id/second-factor'],
    ['DELETE', '/:id'],
  ])(
    'gets 404 for %s /admin/users%s, as for a path without a route, and changes nothing',
    async (method, path) => {
      const ada = await service.signUp();
      const own = `/admin/users${path.replace(':id', ada.account.userId)}`;
      const body = method === 'PATCH' ? { role: 'admin' } : undefined;
      const refused = expectProblem(await ada.request(method, own, { body }), 404);
      expect(refused.detail).toBe(expectProblem(await ada.get('/admin/nothing'), 404).detail);
      expectProblem(await service.anonymous.request(method, own, { body }), 401);
      expect((await ada.get('/users/me')).body.role).toBe('user');
    },
  );

  it('cannot become one by a field of another request', async () => {
    const ada = await service.signUp();
    expectProblem(await ada.patch('/users/me', { role: 'admin' }), 422);
  });
});

describe('GET /admin/users', () => {
  it('returns pages of users, newest first, without passwords', async () => {
    const [ada, bob] = [await service.signUp({ displayName: 'Ada' }), await service.signUp()];
    const admin = await signUpAdmin();
    const first = (await admin.get('/admin/users?limit=2')).body;
    expect(first).toEqual({
      users: [
        { ...(await admin.get('/users/me')).body, disabledAt: null },
        { ...(await bob.get('/users/me')).body, disabledAt: null },
      ],
      limit: 2,
      nextCursor: expect.any(String),
    });
    expect(first.users[0].role).toBe('admin');
    const second = (await admin.get(`/admin/users?limit=1&cursor=${first.nextCursor}`)).body;
    expect(second.users).toMatchObject([{ id: ada.account.userId, displayName: 'Ada' }]);
  });

  it('finds part of an e-mail address or a display name, ignoring case, and takes every character as it is', async () => {
    const admin = await signUpAdmin();
    const mark = randomUUID().slice(0, 8);
    const ada = await service.signUp({ email: `ada_${mark}@example.org` });
    const bob = await service.signUp({ displayName: `Bob 100% ${mark.toUpperCase()} \\o/` });
    const found = async (q: string) =>
      (await admin.get(`/admin/users?q=${encodeURIComponent(q)}`)).body.users.map(
        ({ id }: { id: string }) => id,
      );
    const [adaId, bobId] = [ada.account.userId, bob.account.userId];
    expect(await found(mark)).toEqual([bobId, adaId]);
    expect(await found(` ADA_${mark} `)).toEqual([adaId]);
    expect(await found(`ad_${mark}`)).toEqual([]);
    expect(await found(`bob 100% ${mark} \\O/`)).toEqual([bobId]);
    expect(await found(`b%${mark}`)).toEqual([]);
  });

  it.each([
    ['an unknown cursor', '?cursor=abc', 'cursor'],
    ['a limit of 0', '?limit=0', 'limit'],
    ['a NUL in q', '?q=%00', 'q'],
    ['an empty q', '?q=', 'q'],
    ['an unknown parameter', '?page=1', 'page'],
  ])('returns 400 for %s', async (_what, query, path) => {
    const admin = await signUpAdmin();
    expect(expectProblem(await admin.get(`/admin/users${query}`), 400).paths).toEqual([path]);
  });

  it('refuses the cursor of another search', async () => {
    const admin = await signUpAdmin();
    const { nextCursor } = (await admin.get('/admin/users?limit=1')).body;
    expectProblem(await admin.get(`/admin/users?q=a&cursor=${nextCursor}`), 400);
  });
});

describe('GET /admin/users/:id', () => {
  it('returns 200 with the user, and nothing of the journal', async () => {
    const [admin, ada] = [await signUpAdmin(), await service.signUp()];
    await ada.post('/entries', { text: 'a secret of Ada', mood: 5 });
    const { status, body, text } = await admin.get(pathOf(ada));
    expect([status, body]).toEqual([200, { ...(await ada.get('/users/me')).body, disabledAt: null }]);
    expect(text).not.toContain('secret');
  });

  it('returns 404 for an unknown user, and 400 for what is no id', async () => {
    const admin = await signUpAdmin();
    for (const [method, path] of [
      ['GET', ''],
      ['PATCH', ''],
      ['DELETE', ''],
      ['POST', '/end-sessions'],
    ] as const) {
      const body = method === 'PATCH' ? { disabled: true } : undefined;
      const unknown = await admin.request(method, `/admin/users/${randomUUID()}${path}`, { body });
      expect(expectProblem(unknown, 404).detail).toBe('No such user');
      expectProblem(await admin.request(method, `/admin/users/nobody${path}`, { body }), 400);
    }
  });
});

describe('PATCH /admin/users/:id', () => {
  it('disables a user: sessions end, the password gets 403, a wrong one 401 as before, and the data stays', async () => {
    const [admin, ada] = [await signUpAdmin(), await service.signUp()];
    await ada.post('/entries', { text: 'still here', mood: 5 });
    const { status, body } = await admin.patch(pathOf(ada), { disabled: true });
    expect([status, body.disabledAt]).toEqual([200, expect.stringMatching(INSTANT)]);
    await expectSignedOut(ada);
    expect(expectProblem(await logIn(ada), 403).detail).toBe('The account is disabled');
    const wrong = expectProblem(await logIn(ada, 'a wrong password'), 401);
    const { email } = (await service.signUp()).account;
    const other = await service.anonymous.post('/auth/login', { email, password: 'a wrong password' });
    expect(wrong.detail).toBe(expectProblem(other, 401).detail);

    expect((await admin.patch(pathOf(ada), { disabled: false })).body.disabledAt).toBeNull();
    const again = await ada.logIn();
    expect((await again.get('/entries')).body.total).toBe(1);
    const events = (await eventsOf(again)).filter(({ type }) => type !== 'sign-in-failed');
    expect(events).toMatchObject([
      { type: 'sign-in' },
      { type: 'enabled', actorId: admin.account.userId, details: { by: 'administrator' }, network: null },
      { type: 'disabled', actorId: admin.account.userId, userAgent: null },
      { type: 'registered', actorId: null },
    ]);
  });

  it('does not let a login start a session while it disables', async () => {
    const admin = await signUpAdmin();
    for (let race = 0; race < 5; race += 1) {
      const ada = await service.signUp();
      const [, login] = await Promise.all([admin.patch(pathOf(ada), { disabled: true }), logIn(ada)]);
      expect([200, 403]).toContain(login.status);
      const sessions = await service.database.query(
        'SELECT 1 FROM sessions WHERE user_id = $1 AND ended_at IS NULL',
        [ada.account.userId],
      );
      expect(sessions).toEqual([]);
    }
  });

  it('makes an administrator, and takes the role away at once', async () => {
    const [admin, ada] = [await signUpAdmin(), await service.signUp()];
    expect((await admin.patch(pathOf(ada), { role: 'admin' })).body.role).toBe('admin');
    // With the token of before.
    expect((await ada.get('/admin/users')).status).toBe(200);
    expect((await ada.get('/users/me')).body.role).toBe('admin');
    expect((await ada.patch(pathOf(admin), { role: 'user' })).status).toBe(200);
    expectProblem(await admin.get('/admin/users'), 404);
    expect((await admin.get('/users/me')).body.role).toBe('user');
    expect(await eventsOf(admin)).toMatchObject([
      { type: 'demoted', actorId: ada.account.userId },
      { type: 'registered' },
    ]);
    expect(await eventsOf(ada)).toMatchObject([
      { type: 'promoted', actorId: admin.account.userId },
      { type: 'registered' },
    ]);
  });

  it('changes nothing, and records nothing, if all is as it should be', async () => {
    const [admin, ada] = [await signUpAdmin(), await service.signUp()];
    const before = (await admin.get(pathOf(ada))).body;
    for (const patch of [{}, { disabled: false }, { role: 'user' }, { disabled: false, role: 'user' }]) {
      expect((await admin.patch(pathOf(ada), patch)).body).toEqual(before);
    }
    expect(await eventsOf(ada)).toHaveLength(1);
  });

  it.each([
    ['an unknown role', { role: 'owner' }, ['role']],
    ['disabled as a text', { disabled: 'yes' }, ['disabled']],
    ['an unknown field', { email: 'else@example.org' }, ['email']],
    ['nothing', undefined, ['']],
  ])('returns 422 for %s', async (_what, patch, paths) => {
    const [admin, ada] = [await signUpAdmin(), await service.signUp()];
    expect(expectProblem(await admin.patch(pathOf(ada), patch), 422).paths).toEqual(paths);
  });
});

describe('POST /admin/users/:id/end-sessions', () => {
  it('returns 204, ends every session, and is recorded', async () => {
    const [admin, ada] = [await signUpAdmin(), await service.signUp()];
    const phone = await ada.logIn();
    const { status, text } = await admin.post(`${pathOf(ada)}/end-sessions`);
    expect([status, text]).toEqual([204, '']);
    await expectSignedOut(ada);
    await expectSignedOut(phone);
    expect((await eventsOf(await ada.logIn()))[1]).toMatchObject({
      type: 'sessions-ended',
      actorId: admin.account.userId,
    });
  });
});

describe('DELETE /admin/users/:id/second-factor', () => {
  it('returns 204; the password alone signs in, and the user sees who did it', async () => {
    const admin = await signUpAdmin();
    const { ada } = await enrol(await service.signUp(), service.database);
    expectProblem(await logIn(ada), 401, 'Second Factor Required');
    const { status, text } = await admin.delete(`${pathOf(ada)}/second-factor`);
    expect([status, text]).toEqual([204, '']);
    const again = await ada.logIn();
    expect((await again.get(SECOND_FACTOR)).body).toMatchObject({
      enabled: false,
      recoveryCodesRemaining: 0,
    });
    expect((await eventsOf(again))[1]).toMatchObject({
      type: 'second-factor-disabled',
      actorId: admin.account.userId,
      details: { by: 'administrator' },
    });
  });

  it('returns 404 without one, and records nothing', async () => {
    const [admin, ada] = [await signUpAdmin(), await service.signUp()];
    expectProblem(await admin.delete(`${pathOf(ada)}/second-factor`), 404);
    expectProblem(await admin.delete(`/admin/users/${randomUUID()}/second-factor`), 404);
    expect(await eventsOf(ada)).toHaveLength(1);
  });
});

describe('DELETE /admin/users/:id', () => {
  it('returns 204 and erases the user with all data', async () => {
    const [admin, ada] = [await signUpAdmin(), await service.signUp()];
    await ada.post('/entries', { text: 'gone', mood: 5 });
    const { status, text } = await admin.delete(pathOf(ada));
    expect([status, text]).toEqual([204, '']);
    await expectSignedOut(ada);
    expectProblem(await logIn(ada), 401);
    expectProblem(await admin.get(pathOf(ada)), 404);
    for (const table of ['entries', 'sessions', 'security_events']) {
      const left = await service.database.query(`SELECT 1 FROM ${table} WHERE user_id = $1`, [
        ada.account.userId,
      ]);
      expect([table, left]).toEqual([table, []]);
    }
  });

  it('takes the id of an erased administrator out of the events of others', async () => {
    const [admin, other, ada] = [await signUpAdmin(), await signUpAdmin(), await service.signUp()];
    await admin.patch(pathOf(ada), { role: 'admin' });
    await other.delete(pathOf(admin));
    expect((await eventsOf(ada))[0]).toMatchObject({ type: 'promoted', actorId: null });
  });
});

describe('the last administrator', () => {
  const REMOVALS: readonly [string, (actor: ApiClient, target: ApiClient) => Promise<{ status: number }>][] =
    [
      ['demoted', (actor, target) => actor.patch(pathOf(target), { role: 'user' })],
      ['disabled', (actor, target) => actor.patch(pathOf(target), { disabled: true })],
      ['erased', (actor, target) => actor.delete(pathOf(target))],
      ['erased by DELETE /users/me', (_actor, target) => eraseOwn(target)],
    ];

  it.each(REMOVALS)('cannot be %s, and loses nothing', async (_how, remove) => {
    const admin = await signUpAdmin();
    await admin.post('/entries', { text: 'still here', mood: 5 });
    const disabled = await signUpAdmin();
    expect((await admin.patch(pathOf(disabled), { disabled: true })).status).toBe(200);
    expect((await remove(admin, admin)).status).toBe(409);
    expect((await admin.get('/admin/users')).status).toBe(200);
    expect((await admin.get('/entries')).body.total).toBe(1);
  });

  it.each(REMOVALS)('is left when the last two are %s at the same time', async (_how, remove) => {
    for (let race = 0; race < 2; race += 1) {
      const [ada, bob] = [await signUpAdmin(), await signUpAdmin()];
      for (const admin of [ada, bob]) await admin.post('/entries', { text: 'a', mood: 5 });
      const responses = await Promise.all([remove(ada, bob), remove(bob, ada)]);
      // The loser may have lost the role or the session before it is checked.
      expect(responses.filter(({ status }) => status < 300)).toHaveLength(1);
      expect(responses.filter(({ status }) => [401, 404, 409].includes(status))).toHaveLength(1);
      expect(await adminCount()).toBe(1);
      const left = await service.database.query(
        `SELECT 1 FROM entries JOIN users ON users.id = user_id WHERE role = 'admin' AND disabled_at IS NULL`,
      );
      expect(left).toHaveLength(1);
      await service.database.query(`UPDATE users SET role = 'user'`);
    }
  });

  it('can leave once there is another one', async () => {
    const [ada, bob] = [await signUpAdmin(), await service.signUp()];
    await ada.patch(pathOf(bob), { role: 'admin' });
    expect((await eraseOwn(ada)).status).toBe(204);
    expect(await adminCount()).toBe(1);
  });
});

describe('a disabled user', () => {
  it('is refused within a second by another replica', async () => {
    const [admin, ada] = [await signUpAdmin(), await service.signUp()];
    const replica = Program.start({ DATABASE_URL: service.database.url, RATE_LIMIT_ENABLED: 'false' });
    try {
      const elsewhere = new ApiClient(await replica.listening(), ada.account);
      expect((await elsewhere.get('/users/me')).status).toBe(200);
      await admin.patch(pathOf(ada), { disabled: true });
      const disabledAt = Date.now();
      expect((await lastAccepted(elsewhere)) - disabledAt).toBeLessThan(1000);
    } finally {
      await replica.stop();
    }
  });
});
