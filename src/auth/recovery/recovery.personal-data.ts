import { Injectable, type OnModuleInit } from '@nestjs/common';
import { MailService } from '../../mail/mail.service.js';
import { PersonalDataService } from '../../users/personal-data.service.js';
import { AccountTokensRepository } from './account-tokens.repository.js';

/** Links that were sent to the user, and mails that wait for their delivery. Both are erased with the account. */
@Injectable()
export class RecoveryPersonalData implements OnModuleInit {
  constructor(
    private readonly tokens: AccountTokensRepository,
    private readonly mails: MailService,
    private readonly personalData: PersonalDataService,
  ) {}

  onModuleInit(): void {
    const { tokens, mails } = this;
    this.personalData.register({
      section: 'accountTokens',
      async *export(userId) {
        for (const token of await tokens.list(userId)) yield JSON.stringify(token);
      },
    });
    this.personalData.register({
      section: 'mails',
      async *export(userId) {
        for (const mail of await mails.list(userId)) yield JSON.stringify(mail);
      },
    });
  }
}
