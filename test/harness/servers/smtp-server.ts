import type { AddressInfo } from 'node:net';
import { simpleParser, type ParsedMail } from 'mailparser';
import { SMTPServer } from 'smtp-server';
import { until } from '../until.js';

export interface ReceivedMail {
  readonly to: string;
  readonly from: string;
  readonly subject: string;
  readonly text: string;
  readonly html: string;
  readonly messageId: string;
  readonly headers: ParsedMail['headers'];
}

/** A mail server that keeps what it accepts. */
export class SmtpServer {
  readonly received: ReceivedMail[] = [];
  /** Recipients that are refused with 550. */
  readonly refused = new Set<string>();
  /** Runs when a mail has arrived, before it is accepted. */
  beforeAccept: (mail: ReceivedMail) => Promise<void> = async () => {};

  private readonly server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['AUTH', 'STARTTLS'],
    onRcptTo: ({ address }, _session, done) => {
      if (this.refused.has(address)) done(Object.assign(new Error('No such user'), { responseCode: 550 }));
      else done();
    },
    onData: (stream, { envelope }, done) => {
      const receive = async () => {
        const { from, subject = '', text = '', html, messageId = '', headers } = await simpleParser(stream);
        const to = envelope.rcptTo.map(({ address }) => address).join();
        const mail = { to, from: from?.text ?? '', subject, text, html: html || '', messageId, headers };
        await this.beforeAccept(mail);
        this.received.push(mail);
      };
      receive().then(
        () => done(),
        (error: unknown) => done(error as Error),
      );
    },
  });

  private constructor() {
    // A client that is killed resets its connection.
    this.server.on('error', () => {});
  }

  static async start(): Promise<SmtpServer> {
    const smtp = new SmtpServer();
    await new Promise<void>((resolve) => smtp.server.listen(0, '127.0.0.1', resolve));
    return smtp;
  }

  get port(): number {
    return (this.server.server.address() as AddressInfo).port;
  }

  /** Settings of a service that sends its mail here. */
  get environment() {
    return smtpEnvironment(this.port);
  }

  to(recipient: string): ReceivedMail[] {
    return this.received.filter(({ to }) => to === recipient);
  }

  /** The tokens of the links to a page that a recipient has got, oldest first. */
  tokensTo(recipient: string, page: string): string[] {
    const link = new RegExp(`^https?://\\S+/${page}#token=(\\S+)$`, 'm');
    return this.to(recipient).flatMap(({ text }) => link.exec(text)?.[1] ?? []);
  }

  /** Waits for a link beyond the `known` ones. @returns its token */
  async tokenTo(recipient: string, page: string, known = 0): Promise<string> {
    await until('the link arrives', () => this.tokensTo(recipient, page).length > known);
    return this.tokensTo(recipient, page).at(-1)!;
  }

  stop(): Promise<void> {
    return new Promise((resolve) => this.server.close(() => resolve()));
  }
}

export function smtpEnvironment(port: number) {
  return { SMTP_URL: `smtp://127.0.0.1:${port}`, MAIL_FROM: 'Entries <entries@example.org>' };
}
