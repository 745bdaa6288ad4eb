import { Injectable, type OnModuleInit } from '@nestjs/common';
import { Sql } from '../../database/sql.js';
import { RateLimiterService } from '../../http/rate-limit/rate-limiter.service.js';
import { PersonalDataService, type PersonalData } from '../../users/personal-data.service.js';

/** A user's sessions without token hashes. Deleting the user deletes their rows. */
@Injectable()
export class SessionsPersonalData implements PersonalData, OnModuleInit {
  readonly section = 'sessions';

  constructor(
    private readonly sql: Sql,
    private readonly limiter: RateLimiterService,
    private readonly personalData: PersonalDataService,
  ) {}

  onModuleInit(): void {
    this.personalData.register(this);
  }

  async *export(userId: string): AsyncGenerator<string> {
    const { rows } = await this.sql.query<Record<string, unknown>>(
      'sessions-export',
      `SELECT id, created_at AS "createdAt", last_used_at AS "lastUsedAt", expires_at AS "expiresAt",
              ended_at AS "endedAt", ip, user_agent AS "userAgent"
         FROM sessions WHERE user_id = $1 ORDER BY id`,
      [userId],
    );
    for (const row of rows) yield JSON.stringify(row);
  }

  /** Requests are counted by user id. */
  eraseTraces(userId: string): Promise<void> {
    return this.limiter.forget('user', userId);
  }
}
