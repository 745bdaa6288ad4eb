import { beforeAll, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { HealthIndicatorService } from '@nestjs/terminus';
import type { RedisConnection } from '../cache/redis-connection.js';
import type { MigrationStatus } from '../database/migration-status.js';
import { OpenRequests } from '../http/connections/open-requests.js';
import { HealthIndicators } from './health.indicators.js';

function indicatorsOf(pending: () => Promise<string[]>): HealthIndicators {
  return new HealthIndicators(
    new HealthIndicatorService(),
    { pending } as unknown as MigrationStatus,
    { configured: false } as RedisConnection,
    new OpenRequests(),
  );
}

beforeAll(() => {
  Logger.overrideLogger(false);
});

describe('databaseAndMigrations', () => {
  it('queries the database once for all probes that arrive before its reply', async () => {
    const pending = jest.fn(() => Promise.resolve([]));
    const indicators = indicatorsOf(pending);
    const results = await Promise.all([1, 2, 3].map(() => indicators.databaseAndMigrations()));
    expect(results.map(({ database }) => database.status)).toEqual(['up', 'up', 'up']);
    expect(pending).toHaveBeenCalledTimes(1);
  });

  it('asks again for the next probe, also after a failure', async () => {
    const pending = jest
      .fn<() => Promise<string[]>>()
      .mockRejectedValueOnce(new Error('connection lost'))
      .mockResolvedValue([]);
    const indicators = indicatorsOf(pending);
    expect((await indicators.databaseAndMigrations()).database.status).toBe('down');
    expect((await indicators.databaseAndMigrations()).database.status).toBe('up');
    expect(pending).toHaveBeenCalledTimes(2);
  });
});
