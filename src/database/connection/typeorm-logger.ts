import { Logger as NestLogger } from '@nestjs/common';
import type { Logger } from 'typeorm';

/** Sends TypeORM's warnings to the app's log. Queries are not logged, because their parameters are user data. */
export class TypeOrmLogger implements Logger {
  private readonly logger = new NestLogger('TypeORM');

  log(level: 'log' | 'info' | 'warn', message: unknown): void {
    if (level === 'warn') this.logger.warn(String(message));
    else this.logger.debug(String(message));
  }

  logQueryError(error: string | Error): void {
    // Without the message, which may quote user data. The error handler logs the rest.
    const { code, constraint } = error as { code?: string; constraint?: string };
    this.logger.debug(`query failed: ${[code ?? 'no code', constraint].filter(Boolean).join(' ')}`);
  }

  logQuery(): void {}
  logQuerySlow(): void {}
  logSchemaBuild(): void {}
  logMigration(): void {}
}
