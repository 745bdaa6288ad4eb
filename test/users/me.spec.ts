import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startApp, type TestApp } from '../harness/app.js';
import { INSTANT } from '../harness/formats.js';
import { expectProblem } from '../harness/problem.js';

let service: TestApp;
beforeAll(async () => {
  service = await startApp();
});
afterAll(() => service.close());

describe('GET /users/me', () => {
  it('answers 200 with who is signed in, and nothing of the password', async () => {
    const ada = await service.signUp({ displayName: 'Ada' });
    const { status, headers, body } = await ada.get('/users/me');
    expect(status).toBe(200);
    expect(headers.get('content-type')).toBe('application/json; charset=utf-8');
    expect(body).toEqual({
      id: ada.account.userId,
      email: ada.account.email,
      displayName: 'Ada',
      timezone: 'UTC',
      createdAt: expect.stringMatching(INSTANT),
      updatedAt: expect.stringMatching(INSTANT),
    });
  });

  it('shows each user themselves alone', async () => {
    const [ada, bob] = await Promise.all([service.signUp(), service.signUp()]);
    expect((await ada.get('/users/me')).body.id).toBe(ada.account.userId);
    expect((await bob.get('/users/me')).body.id).toBe(bob.account.userId);
  });
});

describe('PATCH /users/me', () => {
  it('answers 200 with the user as changed, and keeps it', async () => {
    const ada = await service.signUp();
    const { status, body } = await ada.patch('/users/me', {
      displayName: ' Ada Lovelace ',
      timezone: 'Europe/Vienna',
    });
    expect(status).toBe(200);
    expect(body).toMatchObject({ displayName: 'Ada Lovelace', timezone: 'Europe/Vienna' });
    expect((await ada.get('/users/me')).body).toEqual(body);
  });

  it('changes only what is sent', async () => {
    const ada = await service.signUp({ displayName: 'Ada' });
    const before = (await ada.get('/users/me')).body;
    const after = (await ada.patch('/users/me', { timezone: 'Asia/Kolkata' })).body;
    expect(after).toEqual({ ...before, timezone: 'Asia/Kolkata', updatedAt: after.updatedAt });
    expect(Date.parse(after.updatedAt)).toBeGreaterThanOrEqual(Date.parse(before.updatedAt));
  });

  it('moves updatedAt', async () => {
    const ada = await service.signUp();
    await service.database.query("UPDATE users SET updated_at = '2020-01-01' WHERE id = $1", [
      ada.account.userId,
    ]);
    const { body } = await ada.patch('/users/me', { displayName: 'Ada' });
    expect(Date.parse(body.updatedAt)).toBeGreaterThanOrEqual(Date.parse(body.createdAt));
  });

  it('takes the name away when it is null', async () => {
    const ada = await service.signUp({ displayName: 'Ada' });
    expect((await ada.patch('/users/me', { displayName: null })).body.displayName).toBeNull();
  });

  it('changes nothing when nothing is sent', async () => {
    const ada = await service.signUp({ displayName: 'Ada' });
    const before = (await ada.get('/users/me')).body;
    const { status, body } = await ada.patch('/users/me', {});
    expect(status).toBe(200);
    expect(body).toEqual(before);
  });

  it('leaves every other user as they are', async () => {
    const [ada, bob] = await Promise.all([service.signUp(), service.signUp({ displayName: 'Bob' })]);
    const before = (await bob.get('/users/me')).body;
    await ada.patch('/users/me', { displayName: 'Ada' });
    expect((await bob.get('/users/me')).body).toEqual(before);
  });

  it('loses neither of two patches of different fields at the same instant', async () => {
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
    'takes the time zone %s',
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
  ])('takes %s as it is', async (_name, displayName) => {
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
    ['a time zone that is none', { timezone: 'Middle-earth/Shire' }, ['timezone']],
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
  ])('answers 422 to %s and changes nothing', async (_name, patch, paths) => {
    const ada = await service.signUp({ displayName: 'Ada' });
    const before = (await ada.get('/users/me')).body;
    expect(expectProblem(await ada.patch('/users/me', patch), 422).paths).toEqual(paths);
    expect((await ada.get('/users/me')).body).toEqual(before);
  });
});
