import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { Logger } from 'pino';
import { listenForShutdown, type Stoppable } from './shutdown.js';

const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;

describe('listenForShutdown', () => {
  const logger = { info: jest.fn(), error: jest.fn() };
  const told = (level: 'info' | 'error') => logger[level].mock.calls.map((call) => call.at(-1));
  let before: Map<string, unknown[]>;
  let exit: jest.SpiedFunction<typeof process.exit>;
  beforeEach(() => {
    jest.useFakeTimers({ doNotFake: ['performance', 'Date'] });
    before = new Map(SIGNALS.map((signal) => [signal, process.listeners(signal)]));
    exit = jest.spyOn(process, 'exit').mockImplementation((() => {}) as () => never);
  });
  afterEach(() => {
    for (const signal of SIGNALS) {
      for (const listener of process.listeners(signal))
        if (!before.get(signal)!.includes(listener)) process.off(signal, listener);
    }
    jest.useRealTimers();
    jest.restoreAllMocks();
    jest.clearAllMocks();
  });

  function stoppable(service: Partial<Stoppable> = {}) {
    return {
      close: () => new Promise<void>(() => {}),
      stillOpen: () => [],
      ...service,
    };
  }

  it('exits 1 at the time limit', async () => {
    listenForShutdown(1000, logger as unknown as Logger).onSignal(
      stoppable({ stillOpen: () => ['POST /entries (1000 ms)'] }),
    );
    process.emit('SIGTERM', 'SIGTERM');
    await jest.advanceTimersByTimeAsync(999);
    expect(exit).not.toHaveBeenCalled();
    await jest.advanceTimersByTimeAsync(1);
    expect(exit.mock.calls).toEqual([[1]]);
    expect(told('error')).toEqual([
      'not finished within 1000 ms: exiting anyway; still open: POST /entries (1000 ms)',
    ]);
  });

  it('closes once, and exits 0', async () => {
    const close = jest.fn(() => Promise.resolve());
    const shutdown = listenForShutdown(10_000, logger as unknown as Logger);
    shutdown.onSignal(stoppable({ close }));
    expect(shutdown.begun).toBe(false);
    process.emit('SIGHUP', 'SIGHUP');
    expect(shutdown.begun).toBe(true);
    await jest.advanceTimersByTimeAsync(0);
    expect(exit.mock.calls).toEqual([[0]]);
    expect(close).toHaveBeenCalledTimes(1);
    expect(told('info')).toEqual(['SIGHUP: shutting down', 'stopped']);
  });

  it('exits 1 if closing fails, and logs the reason without a value that PostgreSQL quotes', async () => {
    const error = Object.assign(new Error('invalid input syntax: "dear diary"'), { code: '22P02' });
    listenForShutdown(5000, logger as unknown as Logger).onSignal(
      stoppable({ close: () => Promise.reject(error) }),
    );
    process.emit('SIGINT', 'SIGINT');
    await jest.advanceTimersByTimeAsync(0);
    expect(exit.mock.calls).toEqual([[1]]);
    expect(told('error')).toEqual(['shutdown failed: PostgreSQL rejected a value (22P02)']);
  });
});
