import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { Logger } from 'pino';
import { until } from '../test/harness/until.js';
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
      announce: jest.fn(),
      breakOff: jest.fn(),
      close: () => new Promise<void>(() => {}),
      stillOpen: () => [],
      ...service,
    };
  }

  it.each([
    [10_000, 0, 8000],
    [1000, 0, 500],
    [1000, 600, 800],
  ])(
    'of %i ms, with a drain of %i, leaves streams %i, and ends at the limit',
    async (timeoutMs, drainMs, ms) => {
      const service = stoppable();
      listenForShutdown(
        { shutdownTimeoutMs: timeoutMs, shutdownDrainMs: drainMs },
        logger as unknown as Logger,
      ).onSignal(service);
      process.emit('SIGTERM', 'SIGTERM');
      expect(service.announce).toHaveBeenCalledTimes(1);
      await jest.advanceTimersByTimeAsync(ms - 1);
      expect(service.breakOff).not.toHaveBeenCalled();
      await jest.advanceTimersByTimeAsync(1);
      expect(service.breakOff).toHaveBeenCalledTimes(1);
      await jest.advanceTimersByTimeAsync(timeoutMs - ms - 1);
      expect(exit).not.toHaveBeenCalled();
      await jest.advanceTimersByTimeAsync(1);
      expect(exit.mock.calls).toEqual([[1]]);
      expect(told('error')).toEqual([`not finished within ${timeoutMs} ms: ending all the same`]);
    },
  );

  it('closes only after the drain, and exits 0', async () => {
    // The drain's timers are of node:timers/promises, which Jest leaves alone.
    const close = jest.fn(() => Promise.resolve());
    const shutdown = listenForShutdown(
      { shutdownTimeoutMs: 10_000, shutdownDrainMs: 200 },
      logger as unknown as Logger,
    );
    shutdown.onSignal(stoppable({ close }));
    expect(shutdown.begun).toBe(false);
    process.emit('SIGHUP', 'SIGHUP');
    const began = performance.now();
    expect(shutdown.begun).toBe(true);
    await until('it exits', () => exit.mock.calls.length > 0);
    expect(exit.mock.calls).toEqual([[0]]);
    expect(close).toHaveBeenCalledTimes(1);
    // Timers may be early by a millisecond each.
    expect(performance.now() - began).toBeGreaterThan(180);
    expect(told('info')).toEqual(['SIGHUP: finishing what is under way', 'stopped']);
  });

  it('exits 1 where that fails, and tells why without a value that PostgreSQL quotes', async () => {
    const error = Object.assign(new Error('invalid input syntax: "dear diary"'), { code: '22P02' });
    listenForShutdown({ shutdownTimeoutMs: 5000, shutdownDrainMs: 0 }, logger as unknown as Logger).onSignal(
      stoppable({ close: () => Promise.reject(error) }),
    );
    process.emit('SIGINT', 'SIGINT');
    await jest.advanceTimersByTimeAsync(0);
    expect(exit.mock.calls).toEqual([[1]]);
    expect(told('error')).toEqual([
      'could not stop in good order: a value was refused by PostgreSQL (22P02)',
    ]);
  });
});
