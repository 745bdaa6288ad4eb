import type { Logger } from 'pino';
import { messageOf } from './error-description.js';
import { exitOnceWritten } from './logger.js';

/** Logs what nobody caught, before the process ends with it, and handles the signals that are not for its end. */
export function handleProcessEvents(logger: Logger): void {
  stepLevelBySignal(logger);
  refuseDebuggerBySignal(logger);
  // Node would print the error with all that hangs on it: of a failed query, the parameters.
  process.on('uncaughtException', (error: unknown) => {
    logger.fatal({ err: error }, `uncaught: ${messageOf(error)}`);
    exitOnceWritten(logger, 1);
  });
}

/**
 * The level after this one. Each step tells more, down to trace; the last leads back to the level that was configured, or
 * to info where that tells more.
 *
 * @param configured a level of pino, or `silent`
 */
export function nextLevel(current: string, configured: string): string {
  const quiet = !['info', 'debug', 'trace'].includes(configured);
  const steps = [...(quiet ? [configured] : []), 'info', 'debug', 'trace'];
  return steps[(steps.indexOf(current) + 1) % steps.length] ?? 'info';
}

/** Changes the level of the running process at each SIGUSR2, and says so. */
function stepLevelBySignal(logger: Logger): void {
  const configured = logger.level;
  process.on('SIGUSR2', () => {
    const before = logger.level;
    const after = nextLevel(before, configured);
    // Said while the more talkative of the two is in force: the other may be silent.
    if (after !== configured) logger.level = after;
    logger.info(`SIGUSR2: log level ${after}, was ${before}`);
    logger.level = after;
  });
}

/**
 * Node opens a debugger's port at SIGUSR1, by which whoever reaches it runs code in the process. A listener takes that away
 * (https://nodejs.org/api/process.html#signal-events); `node --inspect` is still there for those who mean it.
 */
function refuseDebuggerBySignal(logger: Logger): void {
  process.on('SIGUSR1', () => {
    logger.warn('SIGUSR1: opens no debugger here; SIGUSR2 changes the log level');
  });
}
