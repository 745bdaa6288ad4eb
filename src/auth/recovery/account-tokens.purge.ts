import { Injectable, Logger } from '@nestjs/common';
import { BatchPurge } from '../../jobs/batch-purge.js';
import { AccountTokensRepository } from './account-tokens.repository.js';

const EVERY_MS = 3_600_000;

/** Deletes tokens whose links no longer work. Replicas skip each other's rows. */
@Injectable()
export class AccountTokensPurge extends BatchPurge {
  constructor(private readonly tokens: AccountTokensRepository) {
    super(new Logger('AccountTokens'), EVERY_MS);
  }

  protected override async purge(): Promise<void> {
    await this.inBatches((batch) => this.tokens.purge(batch));
  }
}
