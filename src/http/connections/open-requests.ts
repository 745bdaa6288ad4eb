import { setMaxListeners } from 'node:events';
import type { Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import { Injectable, ServiceUnavailableException } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { whenRequestEnds } from './request-end.js';

@Injectable()
export class OpenRequests {
  /** An array and no `Map` for the reason given in request-end.ts. */
  private readonly open: { readonly request: FastifyRequest; readonly since: number }[] = [];
  private readonly streams = new AbortController();
  private isDraining = false;

  constructor() {
    // Each stream adds a listener.
    setMaxListeners(0, this.streams.signal);
  }

  /** Whether the shutdown has begun: requests are still served, but responses close their connection. */
  get draining(): boolean {
    return this.isDraining;
  }

  beginDrain(): void {
    this.isDraining = true;
  }

  /** Aborted when no time is left for streams. The reason is a 503. */
  get abortSignal(): AbortSignal {
    return this.streams.signal;
  }

  abortStreams(): void {
    this.streams.abort(
      new ServiceUnavailableException(
        'The service is shutting down; saved entries are kept, and the request can be retried',
      ),
    );
  }

  add(reply: FastifyReply): void {
    const { request } = reply;
    const added = { request, since: performance.now() };
    this.open.push(added);
    // The onResponse hook does not run if the client has disconnected.
    whenRequestEnds(reply, () => this.open.splice(this.open.indexOf(added), 1));
  }

  sockets(): ReadonlySet<Socket> {
    return new Set(this.open.map(({ request }) => request.raw.socket));
  }

  /** `POST /entries (312 ms)`, oldest first. Route patterns, because paths may contain user data. */
  describe(): string[] {
    const now = performance.now();
    return this.open.map(
      ({ request: { method, routeOptions }, since }) =>
        `${method} ${routeOptions.url ?? 'unmatched'} (${Math.round(now - since)} ms)`,
    );
  }
}
