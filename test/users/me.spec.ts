import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startService, type TestService } from '../harness/http/service.js';
import type { Account, ApiResponse, ApiClient } from '../harness/http/client.js';
import { INSTANT } from '../harness/http/formats.js';
import { expectProblem } from '../harness/http/problem.js';

let service: TestService;
beforeAll(async () => {
  service = await startService();
});
afterAll(() => service.close());

describe('GET /users/me', () => {
  it('returns 200 with the signed-in user, without the password', async () => {
    const ada = await service.signUp({ displayName: 'Ada' });
    const { status, headers, body } = await ada.get('/users/me');
    expect(status).toBe(200);
    expect(headers.get('content-type')).toBe('application/json; charset=utf-8');
    expect(body).toEqual({
      id: ada.account.userId,
      email: ada.account.email,
      emailVerifiedAt: null,
      displayName: 'Ada',
      timezone: 'UTC',
      role: 'user',
      createdAt: expect.stringMatching(INSTANT),
      updatedAt: expect.stringMatching(INSTANT),
    });
  });

  it('shows each user only their own account', async () => {
    const [ada, bob] = await Promise.all([service.signUp(), service.signUp()]);
    expect((await ada.get('/users/me')).body.id).toBe(ada.account.userId);
    expect((await bob.get('/users/me')).body.id).toBe(bob.account.userId);
  });
});

describe('PATCH /users/me', () => {
  it('returns 200 with the changed user, and stores it', async () => {
    const ada = await service.signUp();
    const { status, body } = await ada.patch('/users/me', {
      displayName: ' Ada Lovelace ',
      timezone: 'Europe/Vienna',
    });
    expect(status).toBe(200);
    expect(body).toMatchObject({ displayName: 'Ada Lovelace', timezone: 'Europe/Vienna' });
    expect((await ada.get('/users/me')).body).toEqual(body);
  });

  it('changes only the fields that are sent', async () => {
    const ada = await service.signUp({ displayName: 'Ada' });
    const before = (await ada.get('/users/me')).body;
    const after = (await ada.patch('/users/me', { timezone: 'Asia/Kolkata' })).body;
    expect(after).toEqual({ ...before, timezone: 'Asia/Kolkata', updatedAt: after.updatedAt });
    expect(Date.parse(after.updatedAt)).toBeGreaterThanOrEqual(Date.parse(before.updatedAt));
  });

  it('changes updatedAt', async () => {
    const ada = await service.signUp();
    await service.database.query("UPDATE users SET updated_at = '2020-01-01' WHERE id = $1", [
      ada.account.userId,
    ]);
    const { body } = await ada.patch('/users/me', { displayName: 'Ada' });
    expect(Date.parse(body.updatedAt)).toBeGreaterThanOrEqual(Date.parse(body.createdAt));
  });

  it('removes the name when it is null', async () => {
    const ada = await service.signUp({ displayName: 'Ada' });
    expect((await ada.patch('/users/me', { displayName: null })).body.displayName).toBeNull();
  });

  it('changes nothing for an empty patch', async () => {
    const ada = await service.signUp({ displayName: 'Ada' });
    const before = (await ada.get('/users/me')).body;
    const { status, body } = await ada.patch('/users/me', {});
    expect(status).toBe(200);
    expect(body).toEqual(before);
  });

  it('does not change other users', async () => {
    const [ada, bob] = await Promise.all([service.signUp(), service.signUp({ displayName: 'Bob' })]);
    const before = (await bob.get('/users/me')).body;
    await ada.patch('/users/me', { displayName: 'Ada' });
    expect((await bob.get('/users/me')).body).toEqual(before);
  });

  it('applies both of two concurrent patches of different fields', async () => {
    const ada = await service.signUp();
    for (const [displayName, timezone] of [
      ['A', 'Europe/Vienna'],
      ['B', 'America/New_York'],
      ['C', 'Pacific/Auckland'],
    ]) {
      await Promise.all([ada.patch('/users/me', { displayName }), ada.patch('/users/me', { timezone })]);
      expect((await ada.get('/users/me')).body).toMatchObject({ displayName, timezone });
    }
  });

  it.each(['UTC', 'America/Argentina/Buenos_Aires', 'Etc/GMT+12'])(
    'accepts the time zone %s',
    async (timezone) => {
      const ada = await service.signUp();
      expect((await ada.patch('/users/me', { timezone })).body.timezone).toBe(timezone);
    },
  );

  it.each([
    ['a name of 100 characters', 'x'.repeat(100)],
    ['a name of 100 characters of two UTF-16 units each', '😀'.repeat(100)],
    ['a name that is markup', '<script>alert(1)</script>'],
    ["a name with SQL's quotes", "Robert'); DROP TABLE users; --"],
  ])('stores %s unchanged', async (_name, displayName) => {
    const ada = await service.signUp();
    await ada.patch('/users/me', { displayName });
    expect((await ada.get('/users/me')).body.displayName).toBe(displayName);
  });

  it.each([
    ['an empty name', { displayName: '' }, ['displayName']],
    ['a name of blanks', { displayName: '  ' }, ['displayName']],
    ['a name of 101 characters', { displayName: '😀'.repeat(101) }, ['displayName']],
    ['a name with a NUL', { displayName: 'A\u0000da' }, ['displayName']],
    ['a name with a lone surrogate', { displayName: 'Ada\udc00' }, ['displayName']],
    ['a name that is an array', { displayName: ['Ada'] }, ['displayName']],
    ['an unknown time zone', { timezone: 'Middle-earth/Shire' }, ['timezone']],
    ['a time zone that is an offset', { timezone: '+01:00' }, ['timezone']],
    ['an empty time zone', { timezone: '' }, ['timezone']],
    ['a time zone that is null', { timezone: null }, ['timezone']],
    ['a time zone with a NUL', { timezone: 'UTC\u0000' }, ['timezone']],
    ['another e-mail', { email: 'else@example.org' }, ['email']],
    ['another password', { password: 'another password' }, ['password']],
    ['another id', { id: randomUUID() }, ['id']],
    ['two unknown fields', { passwordHash: 'x', createdAt: 'y' }, ['passwordHash', 'createdAt']],
    ['null', null, ['']],
    ['an array', [], ['']],
    ['nothing', undefined, ['']],
  ])('returns 422 for %s and changes nothing', async (_name, patch, paths) => {
    const ada = await service.signUp({ displayName: 'Ada' });
    const before = (await ada.get('/users/me')).body;
    expect(expectProblem(await ada.patch('/users/me', patch), 422).paths).toEqual(paths);
    expect((await ada.get('/users/me')).body).toEqual(before);
  });
});

describe('PUT /users/me/password', () => {
  const NEW_PASSWORD = 'another horse battery';
  function login({ email }: Account, password: string): Promise<ApiResponse> {
    return service.anonymous.post('/auth/login', { email, password });
  }
  const changePassword = (
    client: ApiClient,
    newPassword = NEW_PASSWORD,
    currentPassword = client.account.password,
  ) => client.put('/users/me/password', { currentPassword, newPassword });

  it('returns 204; the new password signs in, and the old one does not', async () => {
    const ada = await service.signUp();
    const { status, text } = await changePassword(ada);
    expect({ status, text }).toEqual({ status: 204, text: '' });
    expectProblem(await login(ada.account, ada.account.password), 401);
    expect((await login(ada.account, NEW_PASSWORD)).status).toBe(200);
  });

  it('ends every other session of the user at once, and keeps this one and its refresh token', async () => {
    const [ada, bob] = await Promise.all([service.signUp(), service.signUp()]);
    const others = [await ada.logIn(), await ada.logIn()];
    expect((await changePassword(ada)).status).toBe(204);
    for (const other of others) {
      expectProblem(await other.get('/users/me'), 401);
      const { refreshToken } = other.account;
      expectProblem(await service.anonymous.post('/auth/refresh', { refreshToken }), 401);
    }
    expect((await ada.get('/users/me')).status).toBe(200);
    expect(
      (await service.anonymous.post('/auth/refresh', { refreshToken: ada.account.refreshToken })).status,
    ).toBe(200);
    expect((await bob.get('/users/me')).status).toBe(200);
  });

  it('returns 403 when the current password is wrong, and changes nothing', async () => {
    const ada = await service.signUp();
    const other = await ada.logIn();
    const response = await changePassword(ada, NEW_PASSWORD, 'a wrong password');
    expectProblem(response, 403);
    expect(response.headers.has('www-authenticate')).toBe(false);
    expect((await other.get('/users/me')).status).toBe(200);
    expect((await login(ada.account, ada.account.password)).status).toBe(200);
  });

  it.each([
    ['a password of 7 characters', '1234567', ['newPassword']],
    ['a password of 129 characters', 'x'.repeat(129), ['newPassword']],
    ['a common password', 'iloveyou1', ['newPassword']],
    ['a password with a NUL', 'pass\u0000word', ['newPassword']],
    ['the current password', 'correct horse battery', ['newPassword']],
    ['no password', undefined, ['newPassword']],
  ])('returns 422 for %s as the new password', async (_what, newPassword, paths) => {
    const ada = await service.signUp();
    const body = { currentPassword: ada.account.password, newPassword };
    expect(expectProblem(await ada.put('/users/me/password', body), 422).paths).toEqual(paths);
    expect((await login(ada.account, ada.account.password)).status).toBe(200);
  });

  it('returns 422 for the e-mail address as the new password', async () => {
    const ada = await service.signUp();
    const { paths } = expectProblem(await changePassword(ada, ada.account.email.toUpperCase()), 422);
    expect(paths).toEqual(['newPassword']);
  });

  it('lets one of two concurrent changes win, and accepts only its password', async () => {
    const ada = await service.signUp();
    const passwords = ['the first new password', 'the other new password'];
    const responses = await Promise.all(passwords.map((password) => changePassword(ada, password)));
    expect(responses.map(({ status }) => status).sort()).toEqual([204, 403]);
    const logins = await Promise.all(passwords.map((password) => login(ada.account, password)));
    expect(logins.map(({ status }) => (status === 200 ? 204 : 403))).toEqual(
      responses.map(({ status }) => status),
    );
  });

  it('leaves no session of a concurrent login with the old password', async () => {
    for (let race = 0; race < 4; race++) {
      const ada = await service.signUp();
      const [changed, ...logins] = await Promise.all([
        changePassword(ada),
        login(ada.account, ada.account.password),
        login(ada.account, ada.account.password),
      ]);
      expect(changed.status).toBe(204);
      for (const { body } of logins.filter(({ status }) => status === 200)) {
        expectProblem(await service.anonymous.withToken(body.accessToken).get('/users/me'), 401);
      }
      const sessions = (await ada.get('/auth/sessions')).body.sessions;
      expect(sessions).toMatchObject([{ current: true }]);
    }
  });
});
