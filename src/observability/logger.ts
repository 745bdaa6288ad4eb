import type { LoggerService } from '@nestjs/common';
import { destination, pino, type Logger } from 'pino';
import type { Config } from '../config/config.js';
import { describeError, messageOf } from './error-description.js';
import { requestContext } from './request-context.js';

/** Nest contexts that log every module and route at start. */
const WIRING = new Set([
  'NestFactory',
  'InstanceLoader',
  'RoutesResolver',
  'RouterExplorer',
  'NestApplication',
]);

/** The injection token of the logger. */
export const PINO = Symbol('pino');

const REQUEST_FORMAT =
  '{if method} {method} {route}{end}{if status} {status}{end}{if durationMs} {durationMs} ms{end}';

/** Time to flush buffered lines at exit, ms. The reader of stdout may be gone. */
const LAST_LINES_MS = 1000;

/** Bytes of buffered lines; more are dropped, so that the process does not run out of memory. */
const WAITING_AT_MOST = 16 * 1024 * 1024;

/** Asynchronous standard output. */
class Output {
  private readonly stream = destination({ dest: 1, sync: false, maxLength: WAITING_AT_MOST });
  private ended = false;
  private lost = 0;

  /** Calls back with the number of dropped lines, when the buffer is written. */
  onLoss(report: (lines: number) => void): void {
    this.stream.on('drop', () => (this.lost += 1));
    this.stream.on('drain', () => {
      if (this.lost === 0) return;
      report(this.lost);
      this.lost = 0;
    });
  }

  write(line: string): void {
    if (!this.ended) this.stream.write(line);
  }

  /** Calls back when the buffer is written. */
  end(written: () => void): void {
    this.stream.once('close', written);
    if (!this.ended) this.stream.end();
    this.ended = true;
  }
}

/** The outputs of asynchronous loggers. */
const outputs = new WeakMap<Logger, Output>();

export async function createLogger({
  LOG_LEVEL,
  LOG_FORMAT,
}: Pick<Config, 'LOG_LEVEL' | 'LOG_FORMAT'>): Promise<Logger> {
  const options = {
    level: LOG_LEVEL,
    base: { pid: process.pid },
    mixin: () => {
      const context = requestContext.getStore();
      if (!context) return {};
      const { requestId, userId } = context;
      return userId === undefined ? { requestId } : { requestId, userId };
    },
    // Without the driver's parameters, which are user data.
    serializers: { err: serializeError },
    formatters: { level: (label: string) => ({ level: label }) },
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
  };
  if (LOG_FORMAT === 'json') {
    const output = new Output();
    const logger = pino(options, output);
    outputs.set(logger, output);
    output.onLoss((lines) =>
      logger.warn(`${lines} log lines were dropped because stdout was not read in time`),
    );
    return logger;
  }
  const { default: pretty } = await import('pino-pretty');
  return pino(
    options,
    pretty({
      sync: true,
      translateTime: 'HH:MM:ss.l',
      singleLine: true,
      ignore: 'pid,context,method,route,status,durationMs',
      messageFormat: `{if context}{context}: {end}{msg}${REQUEST_FORMAT}`,
    }),
  );
}

/** Exits when the log is written. `process.exit` alone can lose or reorder the line that is being written. */
export function exitOnceWritten(logger: Logger, code: number): void {
  const output = outputs.get(logger);
  if (!output) {
    process.exit(code);
    return;
  }
  // A normal exit waits for a blocked write. Process 1 of a container cannot kill itself (pid_namespaces(7)), but it
  // can abort.
  setTimeout(() => {
    process.kill(process.pid, 'SIGKILL');
    process.abort();
  }, LAST_LINES_MS);
  output.end(() => process.exit(code));
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
    // main.ts logs it.
    if (context === 'ExceptionHandler') return;
    const stack = rest.length > 1 && typeof rest[0] === 'string' ? rest[0] : undefined;
    this.write('error', message, context, stack !== undefined && { stack });
  }

  /** Takes an error after the message, as `debug` does: `logger.warn('not purged', error)`. */
  warn(message: unknown, ...rest: unknown[]): void {
    this.writeWithError('warn', message, rest);
  }

  debug(message: unknown, ...rest: unknown[]): void {
    this.writeWithError('debug', message, rest);
  }

  verbose(message: unknown, context?: string): void {
    this.write('trace', message, context);
  }

  fatal(message: unknown, context?: string): void {
    this.write('fatal', message, context);
  }

  /** @param rest an optional error, then the context that Nest adds */
  private writeWithError(level: 'warn' | 'debug', message: unknown, rest: readonly unknown[]): void {
    const context = rest.at(-1);
    this.write(
      level,
      message,
      typeof context === 'string' ? context : undefined,
      rest.length > 1 && { err: rest[0] },
    );
  }

  private write(
    level: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal',
    message: unknown,
    context: string | undefined,
    more: { readonly stack: string } | { readonly err: unknown } | false = false,
  ): void {
    this.pino[level](
      {
        ...(context !== undefined && { context }),
        ...more,
        ...(message instanceof Error && { err: message }),
      },
      messageOf(message),
    );
  }
}
