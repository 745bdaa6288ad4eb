import type { LoggerService } from '@nestjs/common';
import { pino, type Logger } from 'pino';
import pretty from 'pino-pretty';
import type { Config } from '../config/config.js';
import { describeError, messageOf } from './error-description.js';
import { requestContext } from './request-context.js';

/** What Nest tells of every module and route at boot: of interest to those who debug the wiring. */
const WIRING = new Set([
  'NestFactory',
  'InstanceLoader',
  'RoutesResolver',
  'RouterExplorer',
  'NestApplication',
]);

export function createLogger({ level, format }: Config['log']): Logger {
  const options = {
    level,
    base: { pid: process.pid },
    mixin: () => {
      const context = requestContext.getStore();
      if (!context) return {};
      const { requestId, userId } = context;
      return userId === undefined ? { requestId } : { requestId, userId };
    },
    // The message of a driver's error is for the log; its parameters (diary pages) are not.
    serializers: { err: serializeError },
    formatters: { level: (label: string) => ({ level: label }) },
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
  };
  if (format === 'json') return pino(options);
  return pino(
    options,
    pretty({
      sync: true,
      translateTime: 'HH:MM:ss.l',
      ignore: 'pid,context',
      messageFormat: '{if context}{context}: {end}{msg}',
    }),
  );
}

function serializeError(error: unknown): object {
  return error instanceof Error ? describeError(error) : { message: String(error) };
}

/** Nest's logger over pino. */
export class PinoLogger implements LoggerService {
  constructor(readonly pino: Logger) {}

  log(message: unknown, context?: string): void {
    if (context !== undefined && WIRING.has(context)) this.write('debug', message, context);
    else this.write('info', message, context);
  }

  error(message: unknown, ...rest: unknown[]): void {
    const context = rest.length > 0 ? String(rest.at(-1)) : undefined;
    // Why a boot failed is told by main.ts, once.
    if (context === 'ExceptionHandler') return;
    const stack = rest.length > 1 && typeof rest[0] === 'string' ? rest[0] : undefined;
    this.write('error', message, context, stack);
  }

  warn(message: unknown, context?: string): void {
    this.write('warn', message, context);
  }

  debug(message: unknown, context?: string): void {
    this.write('debug', message, context);
  }

  verbose(message: unknown, context?: string): void {
    this.write('trace', message, context);
  }

  fatal(message: unknown, context?: string): void {
    this.write('fatal', message, context);
  }

  private write(
    level: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal',
    message: unknown,
    context: string | undefined,
    stack?: string,
  ): void {
    this.pino[level](
      {
        ...(context !== undefined && { context }),
        ...(message instanceof Error ? { err: message } : stack !== undefined && { stack }),
      },
      messageOf(message),
    );
  }
}
