import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { Config } from '../../config/config.js';
import { OpenRequests } from './open-requests.js';
import { RequestDrain } from './request-drain.js';

function drainOf(shutdownTimeoutMs: number, shutdownDrainMs: number) {
  const requests = new OpenRequests();
  const drain = new RequestDrain(requests, {
    SHUTDOWN_TIMEOUT_MS: shutdownTimeoutMs,
    SHUTDOWN_DRAIN_MS: shutdownDrainMs,
  } as Config);
  return { requests, drain };
}

describe('RequestDrain', () => {
  beforeEach(() => {
    jest.useFakeTimers({ doNotFake: ['performance'] });
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  it.each([
    [10_000, 0, 8000],
    [1000, 0, 500],
    [1000, 600, 800],
  ])(
    'with a limit of %i ms and a drain of %i breaks off streams after %i',
    async (timeoutMs, drainMs, ms) => {
      const { requests, drain } = drainOf(timeoutMs, drainMs);
      expect(requests.draining).toBe(false);
      const drained = drain.beforeApplicationShutdown();
      expect(requests.draining).toBe(true);
      jest.advanceTimersByTime(ms - 1);
      expect(requests.abortSignal.aborted).toBe(false);
      jest.advanceTimersByTime(1);
      expect(requests.abortSignal.aborted).toBe(true);
      await drained;
    },
  );

  it('returns only after the drain', async () => {
    // The drain uses node:timers/promises, which Jest does not fake.
    const { drain } = drainOf(10_000, 200);
    const began = performance.now();
    await drain.beforeApplicationShutdown();
    // Each timer may be early by a millisecond.
    expect(performance.now() - began).toBeGreaterThan(180);
  });
});
