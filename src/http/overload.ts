import { AsyncResource } from 'node:async_hooks';
import { Logger, ServiceUnavailableException } from '@nestjs/common';
import type { FastifyInstance } from 'fastify';
import { PROBE_ROUTES } from './probe-routes.js';

/** Requests at work at once for each connection to the database: enough to keep all of them busy. */
const RUNNING_PER_CONNECTION = 8;

/** How many requests may wait for their turn, and how long, ms. */
const WAITING_AT_MOST = 5000;
const WAIT_AT_MOST_MS = 1000;

/**
 * Bounds how many requests are at work. The others wait, and the newest is next, as its client is the likeliest to be
 * still there. One that has waited too long is answered with 503 and `Retry-After`. Probes never wait.
 *
 * @param connections to the database
 */
export function queueRequests(fastify: FastifyInstance, connections: number): void {
  const logger = new Logger('Overload');
  const waiting: (() => void)[] = [];
  let free = connections * RUNNING_PER_CONNECTION;
  let refusals = 0;

  fastify.addHook('onRequest', (request, reply, done) => {
    const { url = '', config } = request.routeOptions;
    if (PROBE_ROUTES.has(url) || 'unqueued' in config) {
      done();
      return;
    }
    const run = () => {
      free -= 1;
      reply.raw.once('close', () => {
        free += 1;
        waiting.pop()?.();
        if (waiting.length > 0 || refusals === 0) return;
        logger.log(`no more requests are refused: ${refusals} were`);
        refusals = 0;
      });
      done();
    };
    // In the request's own context, not in that of the timer or of another request.
    const refuse = AsyncResource.bind(() => {
      if (refusals === 0) logger.warn(`requests are refused: ${waiting.length} are waiting`);
      refusals += 1;
      reply.header('retry-after', 1);
      done(new ServiceUnavailableException('The service is overloaded; try again shortly'));
    });
    if (free > 0) run();
    else if (waiting.length >= WAITING_AT_MOST) refuse();
    else {
      const turn = AsyncResource.bind(() => {
        clearTimeout(timer);
        if (!reply.raw.destroyed) run();
        // The client has gone, and its connection will emit no other `close`.
        else waiting.pop()?.();
      });
      const timer = setTimeout(() => {
        waiting.splice(waiting.indexOf(turn), 1);
        refuse();
      }, WAIT_AT_MOST_MS);
      waiting.push(turn);
    }
  });
}
