import { constants } from 'node:os';
import { performance } from 'node:perf_hooks';
import type { INestApplication } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import type { Logger } from 'pino';
import { OpenRequests } from './http/connections/open-requests.js';
import { messageOf } from './observability/error-description.js';
import { exitOnceWritten } from './observability/logger.js';

const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;
type StopSignal = (typeof SIGNALS)[number];

export interface Stoppable {
  /** Resolves when what was in progress has finished and every connection is closed. */
  close(): Promise<void>;
  /** What {@link close} still waits for. */
  stillOpen(): string[];
}

export interface Shutdown {
  /** What a signal closes from now on. Before, a signal ends the process at once. */
  onSignal(service: Stoppable): void;
  /** Whether a signal has arrived. */
  readonly begun: boolean;
}

/**
 * At the first signal the service closes, by Nest's hooks, and the process exits 0. After `timeoutMs`, or at a second signal,
 * it exits 1 and logs what is still open. As process 1 of a container it would otherwise ignore these signals.
 *
 * Not close-with-grace 2.5, which calls `process.exit` by itself: when the reader of stdout had stopped, the process was
 * still there 8 s later, and of 10 exits 5 under heavy logging wrote other lines after the last one. It also
 * has no exit code of its own for a signal at start.
 */
export function listenForShutdown(timeoutMs: number, logger: Logger): Shutdown {
  let service: Stoppable | undefined;
  let closing = false;
  const stop = (signal: StopSignal) => {
    if (!service) {
      exitOnceWritten(logger, 128 + constants.signals[signal]);
      return;
    }
    const stopping = service;
    const giveUp = (reason: string) => {
      const open = stopping.stillOpen();
      logger.error(`${reason}: exiting anyway${open.length > 0 ? `; still open: ${open.join(', ')}` : ''}`);
      exitOnceWritten(logger, 1);
    };
    if (closing) {
      giveUp(`${signal} again`);
      return;
    }
    closing = true;
    logger.info(`${signal}: shutting down`);
    setTimeout(() => giveUp(`not finished within ${timeoutMs} ms`), timeoutMs).unref();
    stopping.close().then(
      () => {
        logger.info('stopped');
        exitOnceWritten(logger, 0);
      },
      (error: unknown) => {
        logger.error({ err: error }, `shutdown failed: ${messageOf(error)}`);
        exitOnceWritten(logger, 1);
      },
    );
  };
  for (const signal of SIGNALS) process.on(signal, stop);
  // Started by `npm start`: when that is killed, nobody is left to send a signal.
  if (process.send) process.once('disconnect', () => stop('SIGTERM'));
  return {
    onSignal: (then) => (service = then),
    get begun() {
      return closing;
    },
  };
}

/** The application as {@link listenForShutdown} closes it. */
export function stoppable(app: INestApplication): Stoppable {
  const requests = app.get(OpenRequests);
  const stopping = watchStopping(app);
  return {
    close: () => app.close(),
    stillOpen: () => [...requests.describe(), ...stopping()],
  };
}

/**
 * Wraps the shutdown hooks of all providers (background jobs, pools), because Nest does not say which one it waits for.
 *
 * @returns lists those that have not finished: `TrashPurge (87 ms)`
 */
function watchStopping(app: INestApplication): () => string[] {
  const stopping = new Map<string, number>();
  const seen = new Set<object>();
  for (const { providers } of app.get(ModulesContainer).values()) {
    for (const { instance } of providers.values()) {
      if (!canStop(instance) || seen.has(instance)) continue;
      seen.add(instance);
      const { name } = instance.constructor;
      const stop = instance.onApplicationShutdown.bind(instance);
      instance.onApplicationShutdown = async (signal) => {
        stopping.set(name, performance.now());
        await stop(signal);
        stopping.delete(name);
      };
    }
  }
  return () => [...stopping].map(([name, since]) => `${name} (${Math.round(performance.now() - since)} ms)`);
}

function canStop(
  instance: unknown,
): instance is { onApplicationShutdown(signal?: string): Promise<void> | void } {
  return (
    typeof instance === 'object' &&
    instance !== null &&
    typeof (instance as { onApplicationShutdown?: unknown }).onApplicationShutdown === 'function'
  );
}
