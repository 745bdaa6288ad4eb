import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, type EntityManager, type EntitySubscriberInterface } from 'typeorm';
import type { TransactionCommitEvent } from 'typeorm/subscriber/event/TransactionCommitEvent.js';
import { newRowId } from '../database/row-id.js';
import { MailDelivery, type PrepareMail } from './mail-delivery.js';
import type { Mail } from './mail.entity.js';
import { MailTransport } from './mail-transport.js';
import { MailsRepository } from './mails.repository.js';
import type { MailData, TemplateName } from './templates/templates.js';

export interface NewMail {
  readonly template: TemplateName;
  readonly to: string;
  readonly userId?: string;
  /** No secrets: it is stored as it is. */
  readonly data?: MailData;
}

/** Queues mails. They are written in the transaction of what they are about, and sent after its commit. */
@Injectable()
export class MailService implements EntitySubscriberInterface {
  constructor(
    @InjectDataSource() dataSource: DataSource,
    private readonly mails: MailsRepository,
    private readonly delivery: MailDelivery,
    private readonly transport: MailTransport,
  ) {
    dataSource.subscribers.push(this);
  }

  /** False in production without SMTP_URL. */
  get isEnabled(): boolean {
    return this.transport.isEnabled;
  }

  /**
   * @param manager of the transaction
   * @returns the mail's id; undefined if this service sends no mail
   */
  async queue(
    manager: EntityManager,
    { template, to, userId, data = {} }: NewMail,
  ): Promise<string | undefined> {
    if (!this.transport.isEnabled) return undefined;
    const id = newRowId();
    await this.mails.insert({ id, template, recipient: to, userId: userId ?? null, data }, manager);
    if (manager.queryRunner) manager.queryRunner.data['hasMail'] = true;
    else this.delivery.wake();
    return id;
  }

  /** @param prepare runs before each attempt to deliver such a mail */
  register(template: TemplateName, prepare: PrepareMail): void {
    this.delivery.register(template, prepare);
  }

  /** Deletes the waiting mails of a user, and those to their address. */
  erase(userId: string, email: string, manager: EntityManager): Promise<void> {
    return this.mails.erase(userId, email, manager);
  }

  /** The waiting mails of a user. */
  list(userId: string): Promise<Pick<Mail, 'id' | 'template' | 'recipient' | 'data' | 'createdAt'>[]> {
    return this.mails.list(userId);
  }

  /** Called by TypeORM after every commit. */
  afterTransactionCommit({ queryRunner }: TransactionCommitEvent): void {
    if (queryRunner.data['hasMail']) this.delivery.wake();
  }
}
