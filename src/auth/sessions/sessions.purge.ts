import { Injectable, Logger } from '@nestjs/common';
import { BatchPurge } from '../../jobs/batch-purge.js';
import { Sql } from '../../database/sql.js';
import { EndedSessionsService } from './ended-sessions.service.js';

const EVERY_MS = 60_000;

/** Deletes expired and ended sessions once their access tokens have expired. Replicas skip each other's rows. */
@Injectable()
export class SessionsPurge extends BatchPurge {
  constructor(
    private readonly sql: Sql,
    private readonly ended: EndedSessionsService,
  ) {
    super(new Logger('Sessions'), EVERY_MS);
  }

  protected override async purge(): Promise<void> {
    await this.purgeTable('sessions', 'expires_at < now() - $1::interval OR ended_at < now() - $1::interval');
    await this.purgeTable('erased_sessions', 'erased_at < now() - $1::interval');
  }

  private async purgeTable(table: 'sessions' | 'erased_sessions', over: string): Promise<void> {
    const age = `${this.ended.retentionMs} milliseconds`;
    await this.inBatches(async (batch) => {
      const { rowCount } = await this.sql.query(
        `${table}-purge`,
        `DELETE FROM ${table} WHERE id IN (
           SELECT id FROM ${table} WHERE ${over} LIMIT $2 FOR UPDATE SKIP LOCKED)`,
        [age, batch],
      );
      return rowCount ?? 0;
    });
  }
}
