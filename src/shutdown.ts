import { constants } from 'node:os';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import type { INestApplication } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import type { Logger } from 'pino';
import { OpenRequests } from './http/connections/open-requests.js';
import { messageOf } from './observability/error-description.js';
import { exitOnceWritten } from './observability/logger.js';

const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;
const DRAIN_STEPS = 10;

/** ms of the time limit, or half of what the drain leaves of it, in which all else ends once streams are broken off. */
const AFTER_STREAMS_MS = 2000;

type StopSignal = (typeof SIGNALS)[number];

/** What is to be ended in good order. */
export interface Stoppable {
  /** Makes the readiness probe fail; all else goes on. */
  announce(): void;
  /** Ends what streams in or out, and would not end in time by itself. */
  breakOff(): void;
  /** Resolves when what was under way is done and every connection is closed. */
  close(): Promise<void>;
  /** What keeps {@link close} from resolving. */
  stillOpen(): string[];
}

/** ms */
export interface ShutdownTimes {
  readonly shutdownTimeoutMs: number;
  readonly shutdownDrainMs: number;
}

export interface Shutdown {
  /** Says what to do at a signal from now on. Until then a signal ends the process at once. */
  onSignal(service: Stoppable): void;
  /** Whether there was a signal. */
  readonly begun: boolean;
}

/**
 * Listens for the signals that ask the process to end. As process 1 of a container it would otherwise not even notice
 * them. The end is announced, `shutdownDrainMs` later the service closes, and the process exits 0. Streams may use what time
 * there is, but for the last two seconds. `shutdownTimeoutMs` after the signal, or at a second one, it exits 1 and tells what
 * was still open.
 */
export function listenForShutdown(
  { shutdownTimeoutMs: timeoutMs, shutdownDrainMs: drainMs }: ShutdownTimes,
  logger: Logger,
): Shutdown {
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
      logger.error(
        `${reason}: ending all the same${open.length > 0 ? `; still open: ${open.join(', ')}` : ''}`,
      );
      exitOnceWritten(logger, 1);
    };
    if (closing) {
      giveUp(`${signal} again`);
      return;
    }
    closing = true;
    logger.info(`${signal}: finishing what is under way`);
    setTimeout(() => giveUp(`not finished within ${timeoutMs} ms`), timeoutMs).unref();
    const reserveMs = Math.min(AFTER_STREAMS_MS, (timeoutMs - drainMs) / 2);
    setTimeout(() => stopping.breakOff(), timeoutMs - reserveMs).unref();
    stopping.announce();
    drain(drainMs)
      .then(() => stopping.close())
      .then(
        () => {
          logger.info('stopped');
          exitOnceWritten(logger, 0);
        },
        (error: unknown) => {
          logger.error({ err: error }, `could not stop in good order: ${messageOf(error)}`);
          exitOnceWritten(logger, 1);
        },
      );
  };
  for (const signal of SIGNALS) process.on(signal, stop);
  // Started by scripts/start.js: when that is killed, nobody is left to send a signal.
  if (process.send) process.once('disconnect', () => stop('SIGTERM'));
  return {
    onSignal: (then) => (service = then),
    get begun() {
      return closing;
    },
  };
}

/** In steps: where the process gets no processor for a while, the time to answer probes is made longer, not used up. */
async function drain(ms: number): Promise<void> {
  if (ms === 0) return;
  for (let step = 0; step < DRAIN_STEPS; step += 1) await sleep(ms / DRAIN_STEPS);
}

/** The application, as a shutdown ends it. */
export function stoppable(app: INestApplication): Stoppable {
  const requests = app.get(OpenRequests);
  const stopping = watchStopping(app);
  return {
    announce: () => requests.announceEnd(),
    breakOff: () => requests.breakOff(),
    close: () => app.close(),
    stillOpen: () => [...requests.describe(), ...stopping()],
  };
}

/**
 * Watches the providers that Nest tells to stop (background jobs, pools), whichever there are.
 *
 * @returns tells which have been told and have not finished: `TrashPurge (87 ms)`
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
