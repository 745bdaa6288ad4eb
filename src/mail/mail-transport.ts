import { Injectable } from '@nestjs/common';
import type { Transporter } from 'nodemailer';
import { Config } from '../config/config.js';
import type { RenderedMail } from './templates/render.js';

/** An attempt that takes longer is ended, ms. RFC 5321 §4.5.3.2 allows a server minutes; few take more than seconds. */
const ATTEMPT_MS = 30_000;

export interface OutgoingMail extends RenderedMail {
  /** Of the row. Every attempt has the same Message-ID, so that a mail server can recognize a repeated mail. */
  readonly id: string;
  readonly to: string;
}

/** Sends mail over SMTP, or prints it in development without `SMTP_URL`. */
@Injectable()
export class MailTransport {
  readonly isEnabled: boolean;
  private transporter: Promise<Transporter> | undefined;

  constructor(private readonly config: Config) {
    this.isEnabled = config.smtp !== undefined || config.NODE_ENV === 'development';
  }

  /**
   * @param signal ends the attempt
   * @throws if the server did not accept the mail
   */
  async send({ id, ...mail }: OutgoingMail, signal: AbortSignal): Promise<void> {
    const { smtp, MAIL_FROM: from = '' } = this.config;
    if (!smtp) {
      print(mail);
      return;
    }
    this.transporter ??= this.connect(smtp);
    const domain = from.replace(/^.*@|>$/g, '');
    await (
      await this.transporter
    ).sendMail({
      ...mail,
      from,
      messageId: `<${id}@${domain}>`,
      // RFC 3834: no vacation notices in return.
      headers: { 'Auto-Submitted': 'auto-generated' },
      signal: AbortSignal.any([signal, AbortSignal.timeout(ATTEMPT_MS)]),
    });
  }

  /** Loaded at the first mail, because many processes send none. */
  private async connect({ user, password, ...server }: NonNullable<Config['smtp']>): Promise<Transporter> {
    const { createTransport } = await import('nodemailer');
    const auth = user === undefined ? undefined : { user, pass: password ?? '' };
    // A password is sent only over TLS.
    return createTransport({ ...server, ...(auth && { auth, requireTLS: true }) });
  }
}

/** For a person at the terminal. Standard output belongs to the log, or to what a command prints. */
function print({ to, subject, text }: Omit<OutgoingMail, 'id'>): void {
  const line = '─'.repeat(72);
  process.stderr.write(`${line}\nMail to ${to}\n${subject}\n\n${text}${line}\n`);
}
