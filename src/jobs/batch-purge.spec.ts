import { Logger } from '@nestjs/common';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { until } from '../../test/harness/until.js';
import { BatchPurge } from './batch-purge.js';

/** Of a purge that finds more than it can ever delete, and whose statements end when the test says so. */
class EndlessPurge extends BatchPurge {
  batches = 0;
  end: () => void = () => {};

  protected override async purge(): Promise<void> {
    await this.inBatches(async (batch) => {
      this.batches += 1;
      await new Promise<void>((resolve) => (this.end = resolve));
      return batch;
    });
  }
}

class FailingPurge extends BatchPurge {
  rounds = 0;

  protected override purge(): Promise<void> {
    this.rounds += 1;
    return Promise.reject(Object.assign(new Error('the database is gone'), { code: '57P01' }));
  }
}

describe('BatchPurge', () => {
  const log = { log: jest.fn(), warn: jest.fn(), error: jest.fn() };
  beforeEach(() => Logger.overrideLogger(log));
  afterEach(() => {
    Logger.overrideLogger(true);
    jest.clearAllMocks();
  });

  it('stops after the current batch at shutdown', async () => {
    const purge = new EndlessPurge(new Logger('Trash'), 5);
    purge.onApplicationBootstrap();
    await until('the first batch is under way', () => purge.batches === 1);
    purge.end();
    await until('so is the second', () => purge.batches === 2);
    let stopped = false;
    const stop = purge.onApplicationShutdown().then(() => (stopped = true));
    await new Promise((resolve) => setTimeout(resolve, 30));
    // The statement that was sent is waited for, so that no pool is closed under it.
    expect(stopped).toBe(false);
    purge.end();
    await stop;
    expect(purge.batches).toBe(2);
  });

  it('runs at most once at a time', async () => {
    const purge = new EndlessPurge(new Logger('Trash'), 1);
    purge.onApplicationBootstrap();
    await until('a batch is under way', () => purge.batches === 1);
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(purge.batches).toBe(1);
    const stop = purge.onApplicationShutdown();
    purge.end();
    await stop;
  });

  it('logs failures and retries in the next run', async () => {
    const purge = new FailingPurge(new Logger('Trash'), 5);
    purge.onApplicationBootstrap();
    await until('it has tried twice', () => purge.rounds >= 2);
    await purge.onApplicationShutdown();
    expect(log.warn.mock.calls[0]).toEqual([
      expect.stringContaining('purge failed'),
      expect.objectContaining({ code: '57P01' }),
      'Trash',
    ]);
  });
});
