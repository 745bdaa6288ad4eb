import { Logger as NestLogger } from '@nestjs/common';
import type { Logger } from 'typeorm';

/** Hands TypeORM's warnings to the application's log. Queries are left out: their parameters are diary pages. */
export class TypeOrmLogger implements Logger {
  private readonly logger = new NestLogger('TypeORM');

  log(level: 'log' | 'info' | 'warn', message: unknown): void {
    if (level === 'warn') this.logger.warn(String(message));
    else this.logger.debug(String(message));
  }

  logQueryError(error: string | Error): void {
    this.logger.debug(`query failed: ${typeof error === 'string' ? error : error.message}`);
  }

  logQuery(): void {}
  logQuerySlow(): void {}
  logSchemaBuild(): void {}
  logMigration(): void {}
}
