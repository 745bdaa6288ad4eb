import { performance } from 'node:perf_hooks';
import { Logger } from '@nestjs/common';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { loadConfig } from '../../config/config.js';
import { EndedSessionsService } from './ended-sessions.service.js';
import type { SessionsRepository } from './sessions.repository.js';

const config = loadConfig({
  DATABASE_URL: 'postgres://localhost/entries',
  JWT_SECRET: 'a-secret-for-tests-0123456789abcdefghij',
});

describe('EndedSessions', () => {
  /** ms: of the clock that can be set, and of the one that cannot. */
  const clock = { wall: Date.now(), steady: performance.now() };
  const pass = (ms: number) => {
    clock.wall += ms;
    clock.steady += ms;
  };

  /** Of a table whose row of the session has been purged. */
  const sessions = {
    hasEnded: jest.fn(() => Promise.resolve(true)),
    endedWithin: () => Promise.resolve([]),
  };
  let ended: EndedSessionsService;

  beforeEach(() => {
    jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => {});
    jest.spyOn(Date, 'now').mockImplementation(() => clock.wall);
    jest.spyOn(performance, 'now').mockImplementation(() => clock.steady);
    ended = new EndedSessionsService(sessions as unknown as SessionsRepository, config);
  });
  afterEach(async () => {
    await ended.onApplicationShutdown();
    jest.restoreAllMocks();
    sessions.hasEnded.mockClear();
  });

  it('reads no session from the database while the clock is steady', async () => {
    await ended.onModuleInit();
    for (let turn = 0; turn < 8; turn += 1) {
      expect(await ended.has('a')).toBe(false);
      pass(100);
      // As by NTP.
      clock.wall -= 10;
    }
    expect(sessions.hasEnded).not.toHaveBeenCalled();
  });

  it('reads every session from the database after the clock was set back', async () => {
    await ended.onModuleInit();
    clock.wall -= 600_000;
    expect(await ended.has('a')).toBe(true);
    expect(sessions.hasEnded).toHaveBeenCalledTimes(1);
    // Until what was issued before has expired again.
    pass(600_000);
    expect(await ended.has('a')).toBe(true);
    pass(ended.retentionMs + 1);
    await ended.onModuleInit();
    expect(await ended.has('a')).toBe(false);
  });

  it('detects a clock that is set back in small steps', async () => {
    await ended.onModuleInit();
    for (let turn = 0; turn < 6; turn += 1) {
      await ended.has('a');
      clock.wall -= 1000;
    }
    expect(await ended.has('a')).toBe(true);
  });

  it('detects a clock that is set forward and back again', async () => {
    await ended.onModuleInit();
    clock.wall += 3_600_000;
    await ended.has('a');
    clock.wall -= 3_600_000;
    expect(await ended.has('a')).toBe(true);
  });
});
