import { setMaxListeners } from 'node:events';
import type { Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import { Injectable, ServiceUnavailableException } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { whenRequestEnds } from './request-end.js';

/** The requests that are being served, and whether no more are wanted. */
@Injectable()
export class OpenRequests {
  private readonly since = new Map<FastifyRequest, number>();
  private readonly streams = new AbortController();
  private announced = false;

  constructor() {
    // Each stream listens.
    setMaxListeners(0, this.streams.signal);
  }

  /** From {@link announceEnd} on: requests are still served, and clients are asked to take the next ones elsewhere. */
  get ending(): boolean {
    return this.announced;
  }

  announceEnd(): void {
    this.announced = true;
  }

  /** Aborted when there is no more time for what streams in or out; the reason is a 503. */
  get brokenOff(): AbortSignal {
    return this.streams.signal;
  }

  breakOff(): void {
    this.streams.abort(
      new ServiceUnavailableException(
        'The service is shutting down; saved entries are kept, and the request can be retried',
      ),
    );
  }

  add(reply: FastifyReply): void {
    const { request } = reply;
    this.since.set(request, performance.now());
    // Not the hook onResponse: it does not run where the client has gone.
    whenRequestEnds(reply, () => this.since.delete(request));
  }

  /** On which they came. */
  sockets(): ReadonlySet<Socket> {
    return new Set([...this.since.keys()].map(({ raw }) => raw.socket));
  }

  /** `POST /entries (312 ms)`, the oldest first: the route's pattern, as a path can tell what is nobody's business. */
  describe(): string[] {
    const now = performance.now();
    return [...this.since].map(
      ([{ method, routeOptions }, since]) =>
        `${method} ${routeOptions.url ?? 'unmatched'} (${Math.round(now - since)} ms)`,
    );
  }
}
