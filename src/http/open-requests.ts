import { performance } from 'node:perf_hooks';
import { Injectable } from '@nestjs/common';
import type { FastifyInstance, FastifyRequest } from 'fastify';

/** The requests that are being served, and whether no more are wanted. */
@Injectable()
export class OpenRequests {
  private readonly since = new Map<FastifyRequest, number>();
  private announced = false;

  /** From {@link announceEnd} on: requests are still served, and clients are asked to take the next ones elsewhere. */
  get ending(): boolean {
    return this.announced;
  }

  announceEnd(): void {
    this.announced = true;
  }

  observe(fastify: FastifyInstance): void {
    fastify.addHook('onRequest', (request, reply, done) => {
      this.since.set(request, performance.now());
      // Not the hook onResponse: it does not run where the client has gone.
      reply.raw.once('close', () => this.since.delete(request));
      done();
    });
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
