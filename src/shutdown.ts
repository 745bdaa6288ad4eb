import { constants } from 'node:os';

const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;
type StopSignal = (typeof SIGNALS)[number];

export interface Shutdown {
  /** Says what to do at a signal from now on. Until then a signal ends the process at once. */
  onSignal(close: () => Promise<void>): void;
}

/**
 * Listens for the signals that ask the process to end. As process 1 of a container it would otherwise not even notice
 * them. `close` has `timeoutMs` to finish, then the process exits 0; past that, or at a second signal, it exits 1.
 */
export function listenForShutdown(timeoutMs: number, log: (line: string) => void): Shutdown {
  let close: (() => Promise<void>) | undefined;
  let closing = false;
  const stop = (signal: StopSignal) => {
    if (!close) process.exit(128 + constants.signals[signal]);
    if (closing) {
      log(`${signal} again: ending at once`);
      process.exit(1);
    }
    closing = true;
    log(`${signal}: finishing what is under way`);
    setTimeout(() => {
      log(`not finished within ${timeoutMs} ms: ending all the same`);
      process.exit(1);
    }, timeoutMs).unref();
    close().then(
      () => {
        log('stopped');
        process.exit(0);
      },
      (error: unknown) => {
        log(
          `could not stop in good order: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
        );
        process.exit(1);
      },
    );
  };
  for (const signal of SIGNALS) process.on(signal, stop);
  // Started by scripts/start.js: when that is killed, nobody is left to send a signal.
  if (process.send) process.once('disconnect', () => stop('SIGTERM'));
  return { onSignal: (then) => (close = then) };
}
