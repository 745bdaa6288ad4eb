import type { LoggerService } from '@nestjs/common';
import { destination, pino, type Logger } from 'pino';
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

/** For people: of a request, what is looked at first is beside the message, and not in the JSON that follows it. */
const REQUEST_FORMAT =
  '{if method} {method} {route}{end}{if status} {status}{end}{if durationMs} {durationMs} ms{end}';

/** ms for what is still to be written at the end of the process: whoever was to read it may read no more. */
const LAST_LINES_MS = 1000;

/** Bytes of lines that wait until somebody reads; beyond, lines are lost rather than the process. */
const WAITING_AT_MOST = 16 * 1024 * 1024;

/** The standard output, written to beside all else that goes on. */
class Output {
  private readonly stream = destination({ dest: 1, sync: false, maxLength: WAITING_AT_MOST });
  private ended = false;
  private lost = 0;

  /** Calls back with the number of lines that were lost, once all others are written. */
  onLoss(tell: (lines: number) => void): void {
    this.stream.on('drop', () => (this.lost += 1));
    this.stream.on('drain', () => {
      if (this.lost === 0) return;
      tell(this.lost);
      this.lost = 0;
    });
  }

  write(line: string): void {
    if (!this.ended) this.stream.write(line);
  }

  /** Takes no more, and calls back when all of it is written. */
  end(written: () => void): void {
    this.stream.once('close', written);
    if (!this.ended) this.stream.end();
    this.ended = true;
  }
}

/** Of the loggers that do not write at once. */
const outputs = new WeakMap<Logger, Output>();

export async function createLogger({ level, format }: Config['log']): Promise<Logger> {
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
  if (format === 'json') {
    const output = new Output();
    const logger = pino(options, output);
    outputs.set(logger, output);
    output.onLoss((lines) => logger.warn(`${lines} lines are lost that nobody read in time`));
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

/**
 * Ends the process when all that was logged is written. `process.exit` does not wait for the line that is being written,
 * which then is lost, or comes after those that followed it.
 */
export function exitOnceWritten(logger: Logger, code: number): void {
  const output = outputs.get(logger);
  if (!output) {
    process.exit(code);
    return;
  }
  // An ordinary end would wait for a write that nobody reads. As process 1 of a container a process cannot kill itself
  // (pid_namespaces(7)), but it can abort.
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
    // Why a boot failed is logged by main.ts, once.
    if (context === 'ExceptionHandler') return;
    const stack = rest.length > 1 && typeof rest[0] === 'string' ? rest[0] : undefined;
    this.write('error', message, context, stack !== undefined && { stack });
  }

  /** As after {@link debug}, an error may follow the message: `logger.warn('not purged', error)`. */
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

  /** @param rest the context, which Nest adds, and what is before it */
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
