import { setTimeout as sleep } from 'node:timers/promises';
import { Injectable, type BeforeApplicationShutdown } from '@nestjs/common';
import { Config } from '../../config/config.js';
import { OpenRequests } from './open-requests.js';

const DRAIN_STEPS = 10;

/** ms at the end of the time limit, when streams are already broken off; or half of the time after the drain if less. */
const AFTER_STREAMS_MS = 2000;

/**
 * Prepares open requests for the shutdown. Readiness fails at once, and for SHUTDOWN_DRAIN_MS, before Nest closes the port,
 * requests are served as before.
 */
@Injectable()
export class RequestDrain implements BeforeApplicationShutdown {
  constructor(
    private readonly requests: OpenRequests,
    private readonly config: Config,
  ) {}

  async beforeApplicationShutdown(): Promise<void> {
    const { SHUTDOWN_TIMEOUT_MS: timeoutMs, SHUTDOWN_DRAIN_MS: drainMs } = this.config;
    this.requests.beginDrain();
    const reserveMs = Math.min(AFTER_STREAMS_MS, (timeoutMs - drainMs) / 2);
    setTimeout(() => this.requests.abortStreams(), timeoutMs - reserveMs).unref();
    if (drainMs === 0) return;
    // In steps: if the process gets no CPU for a while, the time to answer probes becomes longer.
    for (let step = 0; step < DRAIN_STEPS; step += 1) await sleep(drainMs / DRAIN_STEPS);
  }
}
