import { randomUUID } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { Client } from 'pg';
import { DataSource } from 'typeorm';
import { Sql } from '../../src/database/sql.js';
import { MailDelivery } from '../../src/mail/mail-delivery.js';
import { MailService } from '../../src/mail/mail.service.js';
import { MailsPurge } from '../../src/mail/mails.purge.js';
import { createDatabase, type TestDatabase } from '../harness/database/database.js';
import { startApp, type TestApp } from '../harness/http/app.js';
import { randomEmail } from '../harness/http/client.js';
import { Program } from '../harness/programs/program.js';
import { SmtpServer, smtpEnvironment, type ReceivedMail } from '../harness/servers/smtp-server.js';
import { TcpProxy } from '../harness/servers/tcp-proxy.js';
import { until } from '../harness/until.js';

const DATA = { time: '1 May 2026, 12:00 UTC', ip: '203.0.113.7' };

let smtp: SmtpServer;
let proxy: TcpProxy;
beforeAll(async () => {
  smtp = await SmtpServer.start();
  proxy = await TcpProxy.to('127.0.0.1', smtp.port);
});
afterEach(() => {
  proxy.open();
  smtp.refused.clear();
  smtp.beforeAccept = async () => {};
});
afterAll(async () => {
  await proxy.close();
  await smtp.stop();
});

describe('a queued mail', () => {
  let service: TestApp;
  let mails: MailService;
  beforeAll(async () => {
    service = await startApp(smtpEnvironment(proxy.port));
    mails = service.app.get(MailService, { strict: false });
  });
  afterAll(() => service.close());

  const queue = (to: string, data = DATA) =>
    service.app
      .get(DataSource)
      .transaction((manager) => mails.queue(manager, { template: 'password-changed', to, data }));
  const rowOf = async (recipient: string) => {
    const [row] = await service.database.query<{ attempts: number }>(
      'SELECT attempts FROM mails WHERE recipient = $1',
      [recipient],
    );
    return row;
  };
  /** As if the pause before the next attempt were over. */
  const retryNow = async () => {
    await service.database.query('UPDATE mails SET next_attempt_at = now()');
    service.app.get(MailDelivery, { strict: false }).wake();
  };
  const arrival = async (to: string): Promise<ReceivedMail> => {
    await until('it arrives', () => smtp.to(to).length > 0);
    await until('its row is deleted', async () => (await rowOf(to)) === undefined);
    return smtp.to(to)[0]!;
  };

  it('arrives after the commit, as text and HTML, once', async () => {
    const to = randomEmail();
    const id = await queue(to);
    const mail = await arrival(to);
    expect(mail).toMatchObject({
      from: '"Entries" <entries@example.org>',
      subject: 'Your password was changed',
      messageId: `<${id}@example.org>`,
      text: expect.stringContaining('changed on 1 May 2026, 12:00 UTC, from the address 203.0.113.7.'),
      html: expect.stringContaining('<p>The password of your journal was changed on 1 May 2026'),
    });
    expect(mail.headers.get('auto-submitted')).toBe('auto-generated');
    expect(smtp.to(to)).toHaveLength(1);
  });

  it('is not sent if the transaction rolls back', async () => {
    const [lost, kept] = [randomEmail(), randomEmail()];
    const rolledBack = service.app.get(DataSource).transaction(async (manager) => {
      await mails.queue(manager, { template: 'password-changed', to: lost, data: DATA });
      throw new Error('rolled back');
    });
    await expect(rolledBack).rejects.toThrow('rolled back');
    await queue(kept);
    await arrival(kept);
    expect(smtp.to(lost)).toEqual([]);
  });

  it('has no markup of its data in the HTML', async () => {
    const to = randomEmail();
    await queue(to, { time: 'now', ip: '<a href="https://example.org">"&\'' });
    const { html, text } = await arrival(to);
    expect(html).toContain('&#60;a href=&#34;https://example.org&#34;&#62;&#34;&#38;&#39;');
    expect(text).toContain('<a href="https://example.org">"&\'');
  });

  it('waits while SMTP is down, which neither health nor requests notice, and arrives when it is back', async () => {
    proxy.cut();
    const to = randomEmail();
    await queue(to);
    await until('an attempt has failed', async () => ((await rowOf(to))?.attempts ?? 0) > 0);
    expect((await service.anonymous.get('/health')).status).toBe(200);
    await retryNow();
    await until('another has failed', async () => ((await rowOf(to))?.attempts ?? 0) > 1);
    expect(smtp.to(to)).toEqual([]);
    proxy.open();
    await retryNow();
    await arrival(to);
    expect(smtp.to(to)).toHaveLength(1);
  });

  it('is not held up by another mail that SMTP takes long to accept', async () => {
    const [slow, quick] = [randomEmail(), randomEmail()];
    let accept = () => {};
    smtp.beforeAccept = ({ to }) =>
      to === slow ? new Promise((resolve) => (accept = resolve)) : Promise.resolve();
    await queue(slow);
    await until('it is claimed', async () => (await rowOf(slow))?.attempts === 1);
    await queue(quick);
    await arrival(quick);
    expect(smtp.to(slow)).toEqual([]);
    accept();
    await arrival(slow);
    expect(smtp.to(slow)).toHaveLength(1);
  });

  it('waits alone if its recipient is refused, and is dropped after 24 hours', async () => {
    const [refused, other] = [randomEmail(), randomEmail()];
    smtp.refused.add(refused);
    await queue(refused);
    await until('an attempt has failed', async () => ((await rowOf(refused))?.attempts ?? 0) > 0);
    await queue(other);
    await arrival(other);
    const purge = service.app.get(MailsPurge, { strict: false });
    await purge.run();
    expect(await rowOf(refused)).toBeDefined();
    smtp.refused.clear();
    await service.database.query(
      `UPDATE mails SET created_at = now() - interval '24 hours' WHERE recipient = $1`,
      [refused],
    );
    await retryNow();
    await queue(other);
    await until('the other arrives again', () => smtp.to(other).length === 2);
    expect(smtp.to(refused)).toEqual([]);
    await purge.run();
    expect(await rowOf(refused)).toBeUndefined();
    const { text } = await service.anonymous.get('/metrics');
    expect(text).toMatch(/^mails_total\{outcome="dropped"\} 1$/m);
    expect(text).toMatch(/^mails_total\{outcome="failed"\} [1-9]/m);
    expect(text).toMatch(/^mails_total\{outcome="delivered"\} [1-9]/m);
    expect(text).toMatch(/^mails_waiting \d+$/m);
  });

  it("arrives although the database's clock was set back by an hour", async () => {
    proxy.cut();
    const to = randomEmail();
    await queue(to);
    await until('an attempt has failed', async () => ((await rowOf(to))?.attempts ?? 0) > 0);
    await service.database.query(
      `UPDATE mails SET created_at = created_at + interval '1 hour', next_attempt_at = next_attempt_at + interval '1 hour'`,
    );
    proxy.open();
    service.app.get(MailDelivery, { strict: false }).wake();
    await arrival(to);
  });
});

describe('an idle service', () => {
  it('sends at most 12 queries a minute for mails', async () => {
    const others = ['Date', 'hrtime', 'nextTick', 'performance', 'queueMicrotask'] as const;
    const real = ['setImmediate', 'clearImmediate', 'setTimeout', 'clearTimeout'] as const;
    // Of the real timers, only setInterval is replaced: a minute of it passes at once.
    jest.useFakeTimers({ doNotFake: [...others, ...real] });
    const idle = await startApp(smtpEnvironment(proxy.port));
    try {
      const sent = jest.spyOn(idle.app.get(Sql), 'query');
      for (let second = 0; second < 60; second += 1) {
        jest.advanceTimersByTime(1000);
        await Promise.all(sent.mock.results.map(({ value }) => value));
        await setImmediate();
      }
      const queries = sent.mock.calls.filter(([name]) => name?.startsWith('mails-'));
      expect(queries.length).toBeGreaterThan(0);
      expect(queries.length).toBeLessThanOrEqual(12);
    } finally {
      jest.useRealTimers();
      await idle.close();
    }
  });
});

describe('mails of several processes', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createDatabase();
    // Migrates it.
    await (await startApp({}, database)).close();
  });
  afterEach(() => database.query('DELETE FROM mails'));
  afterAll(() => database.drop());

  const start = () => Program.start({ DATABASE_URL: database.url, ...smtpEnvironment(proxy.port) });
  const insert = async (...recipients: string[]) => {
    await database.query(
      `INSERT INTO mails (id, template, recipient, data)
       SELECT gen_random_uuid(), 'password-changed', recipient, $2 FROM unnest($1::text[]) AS recipient`,
      [recipients, DATA],
    );
  };
  const waiting = async () => {
    const [row] = await database.query<{ mails: number; attempts: number }>(
      'SELECT count(*)::int AS mails, max(attempts) AS attempts FROM mails',
    );
    return row!;
  };
  /** As if it ended: a dead process has left the mail to it. */
  const endLease = () => database.query('UPDATE mails SET next_attempt_at = now()');

  it('arrive once each if two replicas deliver them', async () => {
    const recipients = Array.from({ length: 100 }, randomEmail);
    await insert(...recipients);
    const programs = [start(), start()];
    await until('all are delivered', async () => (await waiting()).mails === 0, 20_000);
    await Promise.all(programs.map((program) => program.stop()));
    expect(recipients.map((to) => smtp.to(to).length)).toEqual(recipients.map(() => 1));
  });

  it('arrive once if the process is killed between commit and delivery', async () => {
    proxy.hold();
    const to = randomEmail();
    await insert(to);
    const first = start();
    await until('it is claimed', async () => (await waiting()).attempts === 1, 20_000);
    await first.stop('SIGKILL');
    proxy.open();
    await endLease();
    const second = start();
    await until('it is delivered', async () => (await waiting()).mails === 0, 20_000);
    await second.stop();
    expect(smtp.to(to)).toHaveLength(1);
  });

  it('arrive twice, with one Message-ID, if it is killed after SMTP accepted and before the row is deleted', async () => {
    const to = randomEmail();
    await insert(to);
    const lock = new Client({ connectionString: database.url });
    await lock.connect();
    try {
      smtp.beforeAccept = async () => {
        await lock.query('BEGIN; SELECT 1 FROM mails FOR UPDATE');
      };
      const first = start();
      const deletions = () =>
        database.query<{ pid: number }>(
          `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
        );
      await until('the row is about to be deleted', async () => (await deletions()).length > 0, 20_000);
      await first.stop('SIGKILL');
      for (const { pid } of await deletions()) await database.query('SELECT pg_terminate_backend($1)', [pid]);
      await lock.query('ROLLBACK');
      smtp.beforeAccept = async () => {};
      await endLease();
      const second = start();
      await until('it is delivered', async () => (await waiting()).mails === 0, 20_000);
      await second.stop();
    } finally {
      await lock.end();
    }
    const ids = smtp.to(to).map(({ messageId }) => messageId);
    expect(ids).toHaveLength(2);
    expect(new Set(ids).size).toBe(1);
  });

  it('stay in the table at SIGTERM while SMTP hangs; the process exits 0', async () => {
    proxy.hold();
    await insert(randomEmail());
    const program = start();
    await until('it is claimed', async () => (await waiting()).attempts === 1, 20_000);
    await program.listening();
    expect(await program.stop()).toEqual({ code: 0, signal: null });
    expect(program.lines.at(-1)?.msg).toBe('stopped');
    expect(await waiting()).toEqual({ mails: 1, attempts: 1 });
  });
});

describe('without SMTP_URL', () => {
  const settings = { LOG_LEVEL: 'info', JWT_SECRET: 'kP3vX9qLz7Rw2Tb8Ny5Hc1Jd4Fg6Ms0A' };

  it.each([
    [
      'development prints mails to the terminal',
      'development',
      /^Mail to \S+\nYour password was changed\n\nThe password/m,
    ],
    [
      'production warns at start',
      'production',
      /SMTP_URL is not set: no mail is sent, and accounts cannot be recovered/,
    ],
  ])('%s', async (_what, NODE_ENV, output) => {
    const database = await createDatabase();
    await (await startApp({}, database)).close();
    await database.query(
      `INSERT INTO mails (id, template, recipient, data) VALUES ($1, 'password-changed', 'ada@example.org', $2)`,
      [randomUUID(), DATA],
    );
    const program = Program.start({ DATABASE_URL: database.url, NODE_ENV, ...settings });
    await program.said(output);
    await program.stop();
    await database.drop();
  });
});
