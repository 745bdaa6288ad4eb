import { performance } from 'node:perf_hooks';
import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';

import { SERVICE_NAME } from '../config/release.js';
import { Config } from '../config/config.js';
import type { createClient } from './redis-client.js';

type RedisClient = ReturnType<typeof createClient>;

/** ms. A healthy Redis on the same network answers in less than one. */
export const COMMAND_TIMEOUT_MS = 30;

/** How long Redis is skipped after a timeout, ms. */
const PAUSE_MS = 1000;

const CONNECT_TIMEOUT_MS = 2000;
const LONGEST_RECONNECT_PAUSE_MS = 1000;

export class RedisUnavailableError extends Error {
  override readonly name = 'RedisUnavailableError';
}

/**
 * The connection to Redis, shared by cache and rate limits. It reconnects in the background, so neither start nor requests
 * wait for an unavailable Redis.
 */
@Injectable()
export class RedisConnection implements OnApplicationShutdown {
  /** Undefined when no Redis is configured. */
  readonly client: RedisClient | undefined;

  private readonly logger = new Logger('Redis');
  private outageLogged = false;
  /** Monotonic: the wall clock may be set back. */
  private pausedUntil = 0;

  static async open({ redis }: Config): Promise<RedisConnection> {
    if (!redis) return new RedisConnection();
    // Imported only here: it costs 30 ms and 20 MB at start.
    const { createClient } = await import('./redis-client.js');
    const client = createClient({
      ...(redis.username !== undefined && { username: redis.username }),
      ...(redis.password !== undefined && { password: redis.password }),
      database: redis.database,
      name: SERVICE_NAME,
      // Fail commands at once while Redis is unavailable.
      disableOfflineQueue: true,
      socket: {
        host: redis.host,
        port: redis.port,
        ...(redis.tls && { tls: true as const }),
        connectTimeout: CONNECT_TIMEOUT_MS,
        reconnectStrategy: (retries) => Math.min(50 * 2 ** Math.min(retries, 10), LONGEST_RECONNECT_PAUSE_MS),
      },
    });
    return new RedisConnection(client, `${redis.host}:${redis.port}`);
  }

  private constructor(client?: RedisClient, where = '') {
    this.client = client;
    // Without a listener, error events end the process.
    client?.on('error', (error: Error) => {
      if (this.outageLogged) return;
      this.outageLogged = true;
      this.logger.warn(`${where} is unavailable, working without it: ${error.message || error.name}`);
    });
    client?.on('ready', () => {
      this.outageLogged = false;
      this.logger.log(`connected to ${where}`);
    });
    client?.connect().catch(() => {});
  }

  get configured(): boolean {
    return this.client !== undefined;
  }

  get available(): boolean {
    return this.client !== undefined && this.client.isReady && performance.now() >= this.pausedUntil;
  }

  /**
   * Runs one command for at most {@link COMMAND_TIMEOUT_MS}. Not with p-timeout: it makes an error, with its stack trace, for
   * every call, which takes 33 µs where this takes 5, and its timer starts before the command is sent.
   *
   * @throws {RedisUnavailableError} at once if Redis is known to be unavailable
   */
  async attempt<T>(command: () => Promise<T>): Promise<T> {
    if (!this.available) throw new RedisUnavailableError('Redis is unavailable');
    let stop: (() => void) | undefined;
    const timeout = new Promise<never>((_resolve, reject) => {
      stop = afterSending(COMMAND_TIMEOUT_MS, () => {
        this.pausedUntil = performance.now() + PAUSE_MS;
        reject(new RedisUnavailableError(`Redis did not answer within ${COMMAND_TIMEOUT_MS} ms`));
      });
    });
    try {
      return await Promise.race([command(), timeout]);
    } catch (error) {
      if (error instanceof RedisUnavailableError) throw error;
      throw new RedisUnavailableError(error instanceof Error ? error.message : String(error), {
        cause: error,
      });
    } finally {
      stop?.();
    }
  }

  async ping(): Promise<boolean> {
    const { client } = this;
    if (!client) return false;
    return this.attempt(() => client.ping()).then(
      () => true,
      () => false,
    );
  }

  async onApplicationShutdown(): Promise<void> {
    // quit() would wait for a Redis that hangs.
    await this.client?.disconnect().catch(() => {});
  }
}

/**
 * Calls back after `ms`, counted from the end of this turn of the event loop, when commands are sent, and after a poll of
 * the sockets, so that a busy process does not look like a slow Redis.
 *
 * @returns a function that cancels it
 */
export function afterSending(ms: number, callback: () => void): () => void {
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;
  setImmediate(() => {
    const sentAt = performance.now();
    const check = () => {
      if (stopped) return;
      // A timer counts from the start of its turn, which may have been long.
      const left = sentAt + ms - performance.now();
      if (left > 0) timer = setTimeout(check, Math.ceil(left));
      else setImmediate(() => stopped || callback());
    };
    check();
  });
  return () => {
    stopped = true;
    clearTimeout(timer);
  };
}
