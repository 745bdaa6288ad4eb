import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { FAILURES_PER_DAY } from '../../src/security-events/security-events.repository.js';
import { SecurityEventsPurge } from '../../src/security-events/security-events.purge.js';
import { SecurityEventsService } from '../../src/security-events/security-events.service.js';
import { startApp, type TestApp } from '../harness/http/app.js';
import { randomEmail, type ApiClient } from '../harness/http/client.js';
import { INSTANT, UUID } from '../harness/http/formats.js';
import { expectProblem } from '../harness/http/problem.js';
import { SmtpServer, smtpEnvironment } from '../harness/servers/smtp-server.js';
import { until } from '../harness/until.js';

let service: TestApp;
let anonymous: ApiClient;
let smtp: SmtpServer;
beforeAll(async () => {
  smtp = await SmtpServer.start();
  service = await startApp({ TRUST_PROXY: 'on', ...smtpEnvironment(smtp.port) });
  anonymous = service.anonymous;
});
afterAll(async () => {
  await service.close();
  await smtp.stop();
});

interface Event {
  readonly id: string;
  readonly type: string;
  readonly createdAt: string;
  readonly network: string | null;
  readonly userAgent: string | null;
  readonly details: Readonly<Record<string, unknown>>;
}

async function eventsOf(client: ApiClient, query = '?limit=100'): Promise<Event[]> {
  return (await client.get(`/users/me/security-events${query}`)).body.securityEvents;
}

const typesOf = async (client: ApiClient) => (await eventsOf(client)).map(({ type }) => type);

const PHONE = { 'user-agent': 'a phone', 'x-forwarded-for': '2001:db8:1:2:3:4:5:6' };
const WRONG = 'a wrong password';

/** Responses do not wait for them. */
const failuresAreWritten = () => service.app.get(SecurityEventsService).onApplicationShutdown();

/** A user who can still read the list after another session was ended. */
async function signUpTwice(): Promise<[ApiClient, ApiClient]> {
  const ada = await service.signUp();
  return [ada, await ada.logIn(PHONE)];
}

async function currentOf(client: ApiClient): Promise<string> {
  const { sessions } = (await client.get('/auth/sessions')).body;
  return sessions.find(({ current }: { current: boolean }) => current).id;
}

describe('a security event', () => {
  it('is written at registration and at each sign-in, with time, network and user agent', async () => {
    const [ada, phone] = await signUpTwice();
    const common = {
      id: expect.stringMatching(UUID),
      createdAt: expect.stringMatching(INSTANT),
      actorId: null,
    };
    expect(await eventsOf(ada)).toEqual([
      {
        ...common,
        type: 'sign-in',
        network: '2001:db8:1:2::/64',
        userAgent: 'a phone',
        details: { sessionId: await currentOf(phone) },
      },
      {
        ...common,
        type: 'registered',
        network: '127.0.0.1',
        userAgent: 'node',
        details: { sessionId: await currentOf(ada) },
      },
    ]);
  });

  it('is written for a failed sign-in, and for a wrong password of a signed-in user', async () => {
    const ada = await service.signUp();
    const { email } = ada.account;
    expectProblem(await anonymous.post('/auth/login', { email, password: WRONG }, PHONE), 401);
    const change = { currentPassword: WRONG, newPassword: 'another horse battery' };
    expectProblem(await ada.put('/users/me/password', change), 403);
    expectProblem(await ada.request('DELETE', '/users/me', { body: { password: WRONG } }), 403);
    await failuresAreWritten();
    expect(await eventsOf(ada)).toMatchObject([
      { type: 'reauthentication-failed', network: '127.0.0.1' },
      { type: 'reauthentication-failed', network: '127.0.0.1' },
      { type: 'sign-in-failed', network: '2001:db8:1:2::/64', userAgent: 'a phone', details: {} },
      { type: 'registered' },
    ]);
  });

  it('is written when a password is changed', async () => {
    const ada = await service.signUp();
    const change = { currentPassword: ada.account.password, newPassword: 'another horse battery' };
    expect((await ada.put('/users/me/password', change, PHONE)).status).toBe(204);
    expect(await eventsOf(ada)).toMatchObject([
      { type: 'password-changed', userAgent: 'a phone' },
      { type: 'registered' },
    ]);
  });

  it('is written when a used refresh token ends its session, with the client that sent it', async () => {
    const [ada, phone] = await signUpTwice();
    const { refreshToken } = phone.account;
    const sessionId = await currentOf(phone);
    await (await phone.refresh()).refresh();
    const thief = { 'x-forwarded-for': '203.0.113.9', 'user-agent': 'a thief' };
    expectProblem(await anonymous.post('/auth/refresh', { refreshToken }, thief), 401);
    // The session has ended already: nothing more happens.
    expectProblem(await anonymous.post('/auth/refresh', { refreshToken }, thief), 401);
    expect((await eventsOf(ada)).slice(0, 2)).toMatchObject([
      { type: 'refresh-token-reused', network: '203.0.113.9', userAgent: 'a thief', details: { sessionId } },
      { type: 'sign-in' },
    ]);
  });

  it('is written when a session ends: by itself, from another one, and all at once', async () => {
    const [ada, phone] = await signUpTwice();
    const [first, second] = [await currentOf(phone), await currentOf(ada)];
    await phone.post('/auth/logout');
    const tablet = await ada.logIn();
    await tablet.delete(`/auth/sessions/${second}`);
    expectProblem(await tablet.delete(`/auth/sessions/${second}`), 404);
    await tablet.post('/auth/logout-all');
    expect(await eventsOf(await ada.logIn())).toMatchObject([
      { type: 'sign-in' },
      { type: 'sessions-ended', details: {} },
      { type: 'session-ended', details: { sessionId: second } },
      { type: 'sign-in' },
      { type: 'session-ended', details: { sessionId: first } },
      { type: 'sign-in' },
      { type: 'registered' },
    ]);
  });

  it('is written in the transaction of what happened: without it, nothing happens', async () => {
    const [ada, phone] = await signUpTwice();
    const before = await typesOf(ada);
    const { email, password } = ada.account;
    await service.database.query('ALTER TABLE security_events RENAME TO gone');
    try {
      const change = { currentPassword: password, newPassword: 'another horse battery' };
      expectProblem(await phone.put('/users/me/password', change), 500);
      expectProblem(await phone.post('/auth/logout'), 500);
      expectProblem(await anonymous.post('/auth/login', { email, password }), 500);
      expectProblem(await anonymous.post('/auth/register', { email: randomEmail(), password }), 500);
      // A failed sign-in changes nothing, so it does not need its event.
      expectProblem(await anonymous.post('/auth/login', { email, password: WRONG }), 401);
      await failuresAreWritten();
    } finally {
      await service.database.query('ALTER TABLE gone RENAME TO security_events');
    }
    expect((await ada.get('/auth/sessions')).body.sessions).toHaveLength(2);
    expect((await phone.get('/users/me')).status).toBe(200);
    expect(await typesOf(ada)).toEqual(before);
    await ada.logIn();
  });

  it('cuts a user agent at 512 characters', async () => {
    const ada = await (await service.signUp()).logIn({ 'user-agent': 'x'.repeat(2000) });
    expect((await eventsOf(ada))[0]!.userAgent).toBe('x'.repeat(512));
  });
});

/** Not the mail of the registration. */
const noticesTo = (email: string) =>
  smtp.to(email).filter(({ subject }) => subject === 'New sign-in to your journal');

describe('a sign-in from an unknown network with an unknown user agent', () => {
  const ELSEWHERE = { 'user-agent': 'a <b>strange</b> program', 'x-forwarded-for': '203.0.113.77' };

  it('sends one mail, with time, address and program', async () => {
    const ada = await service.signUp();
    await service.database.query('UPDATE users SET email_verified_at = now() WHERE id = $1', [
      ada.account.userId,
    ]);
    await ada.logIn(ELSEWHERE);
    // Known from now on.
    await ada.logIn(ELSEWHERE);
    await ada.logIn(PHONE);
    const { email } = ada.account;
    await until('two mails arrive', () => noticesTo(email).length === 2);
    const [mail] = noticesTo(email).filter(({ text }) => text.includes('203.0.113.77'));
    expect(mail).toMatchObject({
      subject: 'New sign-in to your journal',
      text: expect.stringMatching(/ on \d+ \w+ \d{4} at \d\d:\d\d UTC, .+: a <b>strange<\/b> program/),
      html: expect.stringContaining('a &#60;b&#62;strange&#60;/b&#62; program'),
    });
  });

  it('sends no text of the client to an address that is not verified: it may be a stranger', async () => {
    const ada = await service.signUp();
    const { email } = ada.account;
    await ada.logIn({ 'user-agent': 'visit example.org', 'x-forwarded-for': 'visit example.org' });
    await until('it arrives', () => noticesTo(email).length === 1);
    const [mail] = noticesTo(email);
    expect(mail!.text).toContain('from the address unknown, with a program that you have not used before\n');
    for (const text of [mail!.text, mail!.html]) expect(text).not.toContain('example.org');
    const { sessions } = (await ada.get('/auth/sessions')).body;
    expect(sessions.map(({ ip }: { ip: string }) => ip)).toEqual(['unknown', '127.0.0.1']);
  });

  it('sends no mail if one of them is known, at registration, and without earlier sign-ins', async () => {
    const ada = await service.signUp();
    await ada.logIn({ ...ELSEWHERE, 'x-forwarded-for': '127.0.0.1' });
    await ada.logIn({ 'x-forwarded-for': '203.0.113.78' });
    // As of an account that is older than its events.
    await service.database.query('DELETE FROM security_events WHERE user_id = $1', [ada.account.userId]);
    await ada.logIn({ 'user-agent': 'another', 'x-forwarded-for': '203.0.113.79' });
    expect(
      await service.database.query(`SELECT 1 FROM mails WHERE user_id = $1 AND template = 'new-sign-in'`, [
        ada.account.userId,
      ]),
    ).toEqual([]);
    expect(noticesTo(ada.account.email)).toEqual([]);
  });
});

describe('failed sign-ins of one account', () => {
  it(`are stored up to ${FAILURES_PER_DAY} a day, and do not push out anything else`, async () => {
    const ada = await service.signUp();
    await service.database.query(
      `INSERT INTO security_events (id, user_id, type, created_at)
       SELECT gen_random_uuid(), $1, 'sign-in-failed', now() - make_interval(secs => n * 60) FROM generate_series(1, $2) AS n`,
      [ada.account.userId, FAILURES_PER_DAY - 1],
    );
    const fail = () => anonymous.post('/auth/login', { email: ada.account.email, password: WRONG });
    const failures = async () =>
      (
        await service.database.query(
          `SELECT 1 FROM security_events WHERE user_id = $1 AND type = 'sign-in-failed'`,
          [ada.account.userId],
        )
      ).length;
    for (let attempt = 0; attempt < 3; attempt += 1) {
      expectProblem(await fail(), 401);
      await failuresAreWritten();
    }
    expect(await failures()).toBe(FAILURES_PER_DAY);
    await service.database.query(
      `UPDATE security_events SET created_at = created_at - interval '1 day' WHERE user_id = $1`,
      [ada.account.userId],
    );
    await fail();
    await failuresAreWritten();
    expect(await failures()).toBe(FAILURES_PER_DAY + 1);
    await ada.logIn();
    expect((await typesOf(ada)).slice(0, 2)).toEqual(['sign-in', 'sign-in-failed']);
  });
});

describe('GET /users/me/security-events', () => {
  it('returns pages, newest first, without a gap while events are added', async () => {
    const ada = await service.signUp();
    // Many have the same instant, so that a page ends between two of them.
    await service.database.query(
      `INSERT INTO security_events (id, user_id, type, created_at)
       SELECT gen_random_uuid(), $1, 'sign-in', now() - make_interval(days => n / 5) FROM generate_series(1, 25) AS n`,
      [ada.account.userId],
    );
    const all = await eventsOf(ada);
    expect(all).toHaveLength(26);
    const seen: Event[] = [];
    let cursor: string | null = '';
    for (let pages = 0; cursor !== null; pages += 1) {
      const query: string = cursor === '' ? '' : `&cursor=${cursor}`;
      const { status, body } = await ada.get(`/users/me/security-events?limit=13${query}`);
      expect([status, body.limit, pages < 2]).toEqual([200, 13, true]);
      seen.push(...body.securityEvents);
      cursor = body.nextCursor;
      await ada.logIn();
    }
    expect(seen).toEqual(all);
    const times = all.map(({ createdAt }) => createdAt);
    expect(times).toEqual([...times].sort().reverse());
    expect((await ada.get('/users/me/security-events')).body.securityEvents).toHaveLength(20);
  });

  it.each([
    ['an unknown cursor', '?cursor=abc', 'cursor'],
    ['a limit of 0', '?limit=0', 'limit'],
    ['a limit of 101', '?limit=101', 'limit'],
    ['an unknown parameter', '?type=sign-in', 'type'],
  ])('returns 400 for %s', async (_what, query, path) => {
    const ada = await service.signUp();
    expect(expectProblem(await ada.get(`/users/me/security-events${query}`), 400).paths).toEqual([path]);
  });

  it('shows each user only their own events, and refuses the cursor of another user', async () => {
    const [[ada], bob] = await Promise.all([signUpTwice(), service.signUp()]);
    expect(await typesOf(bob)).toEqual(['registered']);
    const { nextCursor } = (await ada.get('/users/me/security-events?limit=1')).body;
    expect((await eventsOf(ada, `?cursor=${nextCursor}`)).map(({ type }) => type)).toEqual(['registered']);
    expectProblem(await bob.get(`/users/me/security-events?cursor=${nextCursor}`), 400);
  });
});

describe('security events', () => {
  it('are all in the export of their user', async () => {
    const ada = await service.signUp();
    await service.database.query(
      `INSERT INTO security_events (id, user_id, type, created_at)
       SELECT gen_random_uuid(), $1, 'sign-in', now() - make_interval(hours => n / 5) FROM generate_series(1, 1001) AS n`,
      [ada.account.userId],
    );
    const { securityEvents } = (await ada.get('/users/me/export')).body;
    expect(new Set(securityEvents.map(({ id }: Event) => id)).size).toBe(1002);
    expect(securityEvents.slice(0, 100)).toEqual(await eventsOf(ada));
  });

  it('are erased with their user', async () => {
    const ada = await service.signUp();
    const { password, userId } = ada.account;
    expect((await ada.request('DELETE', '/users/me', { body: { password } })).status).toBe(204);
    expect(
      await service.database.query('SELECT 1 FROM security_events WHERE user_id = $1', [userId]),
    ).toEqual([]);
  });

  it('are deleted after 180 days, in batches', async () => {
    const ada = await service.signUp();
    await service.database.query(
      `INSERT INTO security_events (id, user_id, type, created_at)
       SELECT gen_random_uuid(), $1, 'sign-in', now() - make_interval(days => CASE WHEN n > 3 THEN 181 ELSE 179 END)
         FROM generate_series(1, 1203) AS n`,
      [ada.account.userId],
    );
    await service.app.get(SecurityEventsPurge).run();
    expect(await typesOf(ada)).toEqual(['registered', 'sign-in', 'sign-in', 'sign-in']);
  });

  it('do not stop an erasure, nor it them, when sessions end and sign-ins fail meanwhile', async () => {
    for (let race = 0; race < 5; race += 1) {
      const [ada, phone] = await signUpTwice();
      const { email, password, userId } = ada.account;
      const responses = await Promise.all([
        ada.request('DELETE', '/users/me', { body: { password } }),
        phone.post('/auth/logout'),
        anonymous.post('/auth/login', { email, password: WRONG }),
        anonymous.post('/auth/login', { email, password }),
      ]);
      expect(responses[0].status).toBe(204);
      expect(responses.filter(({ status }) => status >= 500)).toEqual([]);
      expect(
        await service.database.query('SELECT 1 FROM security_events WHERE user_id = $1', [userId]),
      ).toEqual([]);
    }
  });
});
