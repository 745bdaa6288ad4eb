import { Injectable, type OnModuleInit } from '@nestjs/common';
import type { CursorPosition } from '../http/paging/cursor.js';
import { PersonalDataService, type PersonalData } from '../users/personal-data.service.js';
import { SecurityEventsRepository } from './security-events.repository.js';
import { toSecurityEventBody } from './security-events.schemas.js';

const EXPORT_BATCH = 500;

/** Newest first. Deleting the user deletes their rows. */
@Injectable()
export class SecurityEventsPersonalData implements PersonalData, OnModuleInit {
  readonly section = 'securityEvents';

  constructor(
    private readonly events: SecurityEventsRepository,
    private readonly personalData: PersonalDataService,
  ) {}

  onModuleInit(): void {
    this.personalData.register(this);
  }

  async *export(userId: string): AsyncGenerator<string> {
    let after: CursorPosition | undefined;
    for (let rows = EXPORT_BATCH; rows === EXPORT_BATCH;) {
      const batch = await this.events.list(userId, EXPORT_BATCH, after);
      for (const event of batch.map(toSecurityEventBody)) {
        after = { key: event.createdAt, id: event.id };
        yield JSON.stringify(event);
      }
      rows = batch.length;
    }
  }
}
