import { Injectable, Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { Config } from '../config/config.js';
import { Metrics } from '../observability/metrics.js';
import type { ClaimedMail } from './mail.entity.js';
import { MailTransport } from './mail-transport.js';
import { MailsRepository } from './mails.repository.js';
import { render } from './templates/render.js';
import { isTemplate, TEMPLATES, type MailData, type TemplateName } from './templates/templates.js';

/** How often a replica looks for mails of others and for due retries: 10 queries a minute. */
const POLL_MS = 6000;

/** Mails in delivery at once, each on a connection of its own. */
const CONCURRENCY = 5;

/** How long a shutdown waits for mails in delivery, ms. */
const SHUTDOWN_GRACE_MS = 3000;

/** Runs before each attempt. @returns what the text needs beyond the row's data; undefined drops the mail */
export type PrepareMail = (mail: ClaimedMail) => Promise<MailData | undefined>;

/**
 * Delivers queued mails. A replica takes a mail by a lease, so no transaction is open while SMTP is slow, and a mail whose
 * process was killed is tried again. docs/decisions/mail-queue.md says when a mail can arrive twice.
 */
@Injectable()
export class MailDelivery implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger('Mail');
  private readonly prepare = new Map<string, PrepareMail>();
  private readonly sending = new Set<Promise<void>>();
  /** Accepted by SMTP, but still in the table: they are not sent again. */
  private readonly accepted = new Set<string>();
  private readonly abort = new AbortController();
  private timer: NodeJS.Timeout | undefined;
  private claiming: Promise<void> | undefined;
  private isDue = false;
  private isStopping = false;
  private waiting = 0;

  constructor(
    private readonly mails: MailsRepository,
    private readonly transport: MailTransport,
    private readonly metrics: Metrics,
    private readonly config: Config,
  ) {
    metrics.gauge(
      'mails_waiting',
      'Mails that wait for their delivery, by the last poll',
      () => this.waiting,
    );
  }

  onApplicationBootstrap(): void {
    if (!this.transport.isEnabled) {
      if (this.config.NODE_ENV === 'production')
        this.logger.warn('SMTP_URL is not set: no mail is sent, and accounts cannot be recovered by mail');
      return;
    }
    this.timer = setInterval(() => this.wake(), POLL_MS).unref();
    this.wake();
  }

  async onApplicationShutdown(): Promise<void> {
    this.isStopping = true;
    clearInterval(this.timer);
    await this.claiming;
    const graceMs = Math.min(SHUTDOWN_GRACE_MS, this.config.SHUTDOWN_TIMEOUT_MS / 2);
    const grace = setTimeout(() => this.abort.abort(), graceMs);
    await Promise.all(this.sending);
    clearTimeout(grace);
  }

  register(template: TemplateName, prepare: PrepareMail): void {
    this.prepare.set(template, prepare);
  }

  /** Delivers due mails. Returns at once. */
  wake(): void {
    this.isDue = true;
    if (this.isStopping || this.sending.size === CONCURRENCY) return;
    this.claiming ??= this.claim().finally(() => (this.claiming = undefined));
  }

  private async claim(): Promise<void> {
    while (this.isDue && !this.isStopping && this.sending.size < CONCURRENCY) {
      this.isDue = false;
      try {
        const { mails, waiting } = await this.mails.claim(CONCURRENCY - this.sending.size);
        this.waiting = waiting;
        for (const mail of mails) this.start(mail);
      } catch (error) {
        this.logger.warn(`cannot read the mails to deliver, next try in ${POLL_MS / 1000} s`, error);
      }
    }
  }

  private start(mail: ClaimedMail): void {
    const sending = this.deliver(mail).finally(() => {
      this.sending.delete(sending);
      this.wake();
    });
    this.sending.add(sending);
  }

  private async deliver(mail: ClaimedMail): Promise<void> {
    const { id, template, attempts } = mail;
    try {
      const outcome = this.accepted.has(id) ? 'delivered' : await this.send(mail);
      if (outcome === 'delivered') this.accepted.add(id);
      await this.mails.remove(id);
      this.accepted.delete(id);
      this.metrics.countMails(outcome);
    } catch (error) {
      this.metrics.countMails('failed');
      // Not the message, which may name the recipient.
      const { code, responseCode, command } = error as Record<string, unknown>;
      const reason = [code, command, responseCode].filter(Boolean).join(' ');
      this.logger[attempts === 1 ? 'warn' : 'debug'](
        `mail ${id} (${template}) is not delivered, attempt ${attempts}: ${reason || 'unknown reason'}`,
      );
      // If this fails too, the lease ends.
      await this.mails.postpone(id).catch(() => {});
    }
  }

  private async send(mail: ClaimedMail): Promise<'delivered' | 'obsolete'> {
    const { id, template, recipient: to } = mail;
    if (!isTemplate(template)) throw Object.assign(new Error(), { code: 'UNKNOWN_TEMPLATE' });
    const prepare = this.prepare.get(template);
    const prepared = prepare ? await prepare(mail) : {};
    if (!prepared) return 'obsolete';
    const content = TEMPLATES[template]({ ...mail.data, ...prepared });
    await this.transport.send({ id, to, ...render(content) }, this.abort.signal);
    return 'delivered';
  }
}
