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
    // Not its message, which may quote a value; whoever handles the error tells the rest.
    const { code, constraint } = error as { code?: string; constraint?: string };
    this.logger.debug(`query failed: ${[code ?? 'no code', constraint].filter(Boolean).join(' ')}`);
  }

  logQuery(): void {}
  logQuerySlow(): void {}
  logSchemaBuild(): void {}
  logMigration(): void {}
}
