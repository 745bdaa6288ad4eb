import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { startService, type TestService } from '../harness/http/service.js';
import type { ApiClient } from '../harness/http/client.js';
import { createDatabase } from '../harness/database/database.js';
import { lastAccepted } from '../harness/http/last-accepted.js';
import { expectProblem } from '../harness/http/problem.js';
import { Program } from '../harness/programs/program.js';
import { TEST_SECRET } from '../harness/test-secret.js';

let service: TestService;
let ada: ApiClient;
beforeAll(async () => {
  service = await startService();
});
beforeEach(async () => {
  ada = await service.signUp({ displayName: 'Ada' });
});
afterAll(() => service.close());

/** `node dist/cli.js users …`, as in the image, beside the running service. */
async function users(args: readonly string[], environment: Readonly<Record<string, string>> = {}) {
  const program = new Program(
    spawn(process.execPath, [join(dirname(process.env['TEST_PROGRAM']!), 'cli.js'), 'users', ...args], {
      env: {
        PATH: process.env['PATH'],
        NODE_ENV: 'test',
        DATABASE_URL: service.database.url,
        JWT_SECRET: TEST_SECRET,
        ...environment,
      },
      stdio: ['pipe', 'pipe', 'pipe'],
    }),
  );
  const closed = once(program.process, 'close');
  const { code } = await program.exited;
  await closed;
  return { code, stdout: program.stdout, stderr: program.stderr };
}

const logIn = (client: ApiClient, password = client.account.password) =>
  service.anonymous.post('/auth/login', { email: client.account.email, password });

async function eventsOf(client: ApiClient): Promise<Record<string, unknown>[]> {
  return (await client.get('/users/me/security-events')).body.securityEvents;
}

describe('users promote and demote', () => {
  it('make the first administrator, and keep the last one', async () => {
    const { email } = ada.account;
    expect(await users(['promote', ` ${email.toUpperCase()}`])).toEqual({
      code: 0,
      stdout: '',
      stderr: `${email} is an administrator\n`,
    });
    expect((await ada.get('/admin/users')).status).toBe(200);
    expect(await eventsOf(ada)).toMatchObject([
      { type: 'promoted', actorId: null, network: null, details: { by: 'operator' } },
      { type: 'registered' },
    ]);
    const refused = { code: 1, stdout: '', stderr: expect.stringMatching(/^The last administrator cannot /) };
    expect(await users(['demote', email])).toEqual(refused);
    await service.database.query(`UPDATE users SET role = 'admin' WHERE id = $1`, [
      (await service.signUp()).account.userId,
    ]);
    expect(await users(['demote', email])).toMatchObject({ code: 0 });
    expectProblem(await ada.get('/admin/users'), 404);
  });
});

describe('users list', () => {
  it('prints e-mail address, role, state, time and id, a line each', async () => {
    const bob = await service.signUp();
    await service.database.query('UPDATE users SET disabled_at = now() WHERE id = $1', [bob.account.userId]);
    const { code, stdout, stderr } = await users(['list']);
    expect([code, stderr]).toEqual([0, '']);
    const [first, second] = stdout.split('\n');
    expect(first!.split('\t')).toEqual([
      bob.account.email,
      'user',
      'disabled',
      expect.stringMatching(/Z$/),
      bob.account.userId,
    ]);
    expect(second).toMatch(new RegExp(`^${ada.account.email}\tuser\tenabled\t`));
    expect((await users(['list', ada.account.email.toUpperCase()])).stdout).toBe(`${second}\n`);
  });
});

describe('users disable and enable', () => {
  it('end the sessions of a running service within a second, and let the user in again', async () => {
    const { email } = ada.account;
    expect((await ada.get('/users/me')).status).toBe(200);
    expect(await users(['disable', email])).toMatchObject({ code: 0, stdout: '' });
    const ended = Date.now();
    expect((await lastAccepted(ada)) - ended).toBeLessThan(1000);
    expectProblem(await logIn(ada), 403);
    expect(await users(['enable', email])).toMatchObject({ code: 0 });
    const again = await ada.logIn();
    expect((await eventsOf(again)).map(({ type }) => type)).toEqual([
      'sign-in',
      'enabled',
      'disabled',
      'registered',
    ]);
  });
});

describe('users reset-password', () => {
  const newPassword = 'another horse battery';
  const reset = (link: string) =>
    service.anonymous.post('/auth/reset-password', { token: link.split('#token=')[1], newPassword });

  it('prints a link that sets a password once, and ends all sessions and the old password', async () => {
    const { email, refreshToken } = ada.account;
    const { code, stdout, stderr } = await users(['reset-password', email], {
      PUBLIC_URL: 'https://app.example.org',
    });
    const link = stdout.trimEnd();
    expect([code, link]).toEqual([
      0,
      expect.stringMatching(/^https:\/\/app\.example\.org\/reset-password#token=[\w-]{43}$/),
    ]);
    expect(stderr).not.toContain(link.split('=')[1]);
    expectProblem(await logIn(ada), 401);
    expectProblem(await service.anonymous.post('/auth/refresh', { refreshToken }), 401);
    expect((await reset(link)).status).toBe(204);
    expectProblem(await reset(link), 400);
    const { body } = await logIn(ada, newPassword);
    // The operator may have given the link to anyone.
    expect(body.user.emailVerifiedAt).toBeNull();
    const events = await eventsOf(ada.withToken(body.accessToken));
    expect(events.filter(({ type }) => type !== 'sign-in-failed')).toMatchObject([
      { type: 'sign-in' },
      { type: 'password-reset', details: {} },
      { type: 'password-reset', details: { by: 'operator' } },
      { type: 'registered' },
    ]);
  });

  it('prints the link alone in development, where mails are printed too; it expires and verifies no address', async () => {
    const { email, userId } = ada.account;
    const { stdout, stderr } = await users(['reset-password', email], { NODE_ENV: 'development' });
    expect(stdout).toMatch(/^http\S+\/reset-password#token=[\w-]{43}\n$/);
    expect(stderr).toContain(`Mail to ${email}\nYour password was removed\n`);
    const token = stdout.trimEnd().split('=')[1];
    expectProblem(await service.anonymous.post('/auth/verify-email', { token }), 400);
    const [lifetime] = await service.database.query(
      `SELECT (expires_at - requested_at)::text AS lifetime FROM account_tokens WHERE user_id = $1`,
      [userId],
    );
    expect(lifetime).toEqual({ lifetime: '01:00:00' });
    await service.database.query('UPDATE account_tokens SET expires_at = now() WHERE user_id = $1', [userId]);
    expectProblem(await reset(stdout.trimEnd()), 400);
  });
});

describe('users remove-second-factor', () => {
  it('lets the password alone sign in', async () => {
    const { email, userId } = ada.account;
    await service.database.query(
      `INSERT INTO second_factors (user_id, secret, enabled_at) VALUES ($1, '\\x00', now())`,
      [userId],
    );
    expectProblem(await logIn(ada), 401, 'Second Factor Required');
    expect(await users(['remove-second-factor', email])).toMatchObject({ code: 0, stdout: '' });
    expect((await eventsOf(await ada.logIn()))[1]).toMatchObject({
      type: 'second-factor-disabled',
      details: { by: 'operator' },
    });
  });
});

describe('users erase', () => {
  it('erases the user with --yes, and not without', async () => {
    await ada.post('/entries', { text: 'gone', mood: 5 });
    const { email, userId } = ada.account;
    const refused = await users(['erase', email]);
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('--yes') });
    expect(await users(['erase', '--yes', email])).toEqual({
      code: 0,
      stdout: '',
      stderr: `${email} is erased\n`,
    });
    expectProblem(await logIn(ada), 401);
    for (const table of ['entries', 'sessions', 'security_events'])
      expect(await service.database.query(`SELECT 1 FROM ${table} WHERE user_id = $1`, [userId])).toEqual([]);
  });
});

describe('a command on users', () => {
  it('fails with a plain message: unknown user, no address, configuration, pending migrations', async () => {
    expect(await users(['promote', 'nobody@example.org'])).toEqual({
      code: 1,
      stdout: '',
      stderr: 'no user has the e-mail address nobody@example.org\n',
    });
    expect(await users(['promote', 'nobody'])).toMatchObject({ code: 2 });
    const misconfigured = await users(['list'], { JWT_SECRET: '' });
    expect(misconfigured).toMatchObject({ code: 78, stderr: expect.stringContaining('JWT_SECRET') });
    const empty = await createDatabase();
    try {
      const { code, stderr } = await users(['list'], { DATABASE_URL: empty.url });
      expect({ code, stderr }).toEqual({
        code: 1,
        stderr: expect.stringMatching(/^the database has pending migrations \(/),
      });
    } finally {
      await empty.drop();
    }
  });
});
