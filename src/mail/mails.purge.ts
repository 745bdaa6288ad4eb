import { Injectable, Logger } from '@nestjs/common';
import { BatchPurge } from '../jobs/batch-purge.js';
import { Metrics } from '../observability/metrics.js';
import { KEPT_HOURS, MailsRepository } from './mails.repository.js';

const EVERY_MS = 3_600_000;

/** Drops mails that could not be delivered in time. */
@Injectable()
export class MailsPurge extends BatchPurge {
  constructor(
    private readonly mails: MailsRepository,
    private readonly metrics: Metrics,
  ) {
    super(new Logger('Mail'), EVERY_MS);
  }

  protected override async purge(): Promise<void> {
    const dropped = await this.inBatches((batch) => this.mails.purge(batch));
    if (dropped === 0) return;
    this.metrics.countMails('dropped', dropped);
    this.logger.error(`${dropped} mails were dropped: not delivered within ${KEPT_HOURS} hours`);
  }
}
