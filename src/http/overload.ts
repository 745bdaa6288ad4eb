import { AsyncResource } from 'node:async_hooks';
import { Logger, ServiceUnavailableException } from '@nestjs/common';
import type { FastifyInstance } from 'fastify';
import { PROBE_ROUTES } from './probe-routes.js';

/** Requests at work at once for each connection to the database, so that none of these is idle. */
const RUNNING_PER_CONNECTION = 4;
/** How many requests may wait for their turn, and how long, ms. */
const WAITING_AT_MOST = 500;
const WAIT_AT_MOST_MS = 1000;

/**
 * Bounds how many requests are at work. The others wait, and the newest is next, as its client is the likeliest to be
 * still there. One that has waited too long, or is the oldest of too many, is answered with 503 and `Retry-After`.
 *
 * @param connections to the database
 */
export function queueRequests(fastify: FastifyInstance, connections: number): void {
  const logger = new Logger('Overload');
  const line: Record<'run' | 'refuse', () => void>[] = [];
  let free = connections * RUNNING_PER_CONNECTION;
  let refusals = 0;
  fastify.addHook('onRequest', (request, reply, done) => {
    const run = () => {
      free -= 1;
      reply.raw.once('close', () => {
        free += 1;
        line.pop()?.run();
        if (line.length > 0 || refusals === 0) return;
        logger.log(`no more requests are refused: ${refusals} were`);
        refusals = 0;
      });
      done();
    };
    const { url = '', config } = request.routeOptions;
    if (PROBE_ROUTES.has(url) || 'unqueued' in config) {
      done();
      return;
    }
    if (free > 0) {
      run();
      return;
    }
    // Each in the request's own context, not in that of the timer or of another request.
    const waiting = {
      run: AsyncResource.bind(() => {
        clearTimeout(timer);
        // Of a client that has gone, the connection will emit no other `close`.
        if (reply.raw.destroyed) line.pop()?.run();
        else run();
      }),
      refuse: AsyncResource.bind(() => {
        clearTimeout(timer);
        if (refusals === 0) logger.warn(`requests are refused: ${line.length} are waiting`);
        refusals += 1;
        reply.header('retry-after', 1);
        done(new ServiceUnavailableException('The service is overloaded; try again shortly'));
      }),
    };
    const timer = setTimeout(() => {
      line.splice(line.indexOf(waiting), 1);
      waiting.refuse();
    }, WAIT_AT_MOST_MS);
    if (line.push(waiting) > WAITING_AT_MOST) line.shift()?.refuse();
  });
}
