import type { Logger } from 'pino';
import { messageOf } from './error-description.js';
import { exitOnceWritten } from './logger.js';

/** Logs uncaught errors before the process exits, and handles SIGUSR1 and SIGUSR2. */
export function handleProcessEvents(logger: Logger): void {
  stepLevelBySignal(logger);
  refuseDebuggerBySignal(logger);
  // Node would print all properties of the error, such as a query's parameters.
  process.on('uncaughtException', (error: unknown) => {
    logger.fatal({ err: error }, `uncaught: ${messageOf(error)}`);
    exitOnceWritten(logger, 1);
  });
}

/**
 * The next level: info, debug, trace, then back to the configured level.
 *
 * @param configured a level of pino, or `silent`
 */
export function nextLevel(current: string, configured: string): string {
  const quiet = !['info', 'debug', 'trace'].includes(configured);
  const steps = [...(quiet ? [configured] : []), 'info', 'debug', 'trace'];
  return steps[(steps.indexOf(current) + 1) % steps.length] ?? 'info';
}

/** Changes the log level at each SIGUSR2. */
function stepLevelBySignal(logger: Logger): void {
  const configured = logger.level;
  process.on('SIGUSR2', () => {
    const before = logger.level;
    const after = nextLevel(before, configured);
    // Logged at the more verbose of the two levels, because the other may be silent.
    if (after !== configured) logger.level = after;
    logger.info(`SIGUSR2: log level ${after}, was ${before}`);
    logger.level = after;
  });
}

/**
 * By default Node opens a debugger port at SIGUSR1. A listener prevents that
 * (https://nodejs.org/api/process.html#signal-events); `node --inspect` still works.
 */
function refuseDebuggerBySignal(logger: Logger): void {
  process.on('SIGUSR1', () => {
    logger.warn('SIGUSR1: the debugger is disabled; SIGUSR2 changes the log level');
  });
}
