import { AsyncLocalStorage } from 'node:async_hooks';
import { Logger, ServiceUnavailableException } from '@nestjs/common';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { PROBE_ROUTES } from '../probe-routes.js';
import { whenRequestEnds } from '../connections/request-end.js';

/** Requests at work at once for each connection to the database, so that none of these is idle. */
const RUNNING_PER_CONNECTION = 2;
/** How many requests may wait for their turn, and how long, ms. */
const WAITING_AT_MOST = 500;
const WAIT_AT_MOST_MS = 700;

/**
 * Bounds how many requests are at work, from when the body has arrived to when the answer is made: a slow client takes
 * no place. The others wait: while there are few, the oldest is next. When more wait than are at work, not all can be
 * answered in time, and the newest is next, as its client is the likeliest to be still there. One that has waited too
 * long, or is the oldest of too many, is answered with 503 and `Retry-After`.
 *
 * @param connections to the database
 */
export function queueRequests(fastify: FastifyInstance, connections: number): void {
  const logger = new Logger('Overload');
  const running = new WeakSet<FastifyRequest>();
  const line: Record<'run' | 'refuse', () => void>[] = [];
  const places = connections * RUNNING_PER_CONNECTION;
  let free = places;
  let refusals = 0;
  const leave = (request: FastifyRequest) => {
    if (!running.delete(request)) return;
    free += 1;
    // A loop: what waits takes no place when its client has gone.
    while (free > 0 && line.length > 0) (line.length > places ? line.pop() : line.shift())?.run();
    if (line.length > 0 || refusals === 0) return;
    logger.log(`overload is over: ${refusals} requests were refused`);
    refusals = 0;
  };
  fastify.addHook('preHandler', (request, reply, done) => {
    const run = () => {
      free -= 1;
      running.add(request);
      whenRequestEnds(reply, () => leave(request));
      done();
    };
    const refuse = () => {
      if (refusals === 0) logger.warn(`overload: requests are refused, ${line.length} are waiting`);
      refusals += 1;
      reply.header('retry-after', 1);
      done(new ServiceUnavailableException('The service is overloaded; try again shortly'));
    };
    const { url = '', config } = request.routeOptions;
    if (PROBE_ROUTES.has(url) || 'unqueued' in config) done();
    else if (free > 0) run();
    else {
      // The timer, or another request, is what continues this one. A snapshot costs 17 µs: only those that wait have one.
      const inOwnContext = AsyncLocalStorage.snapshot();
      const continueBy = (step: () => void) => () => {
        clearTimeout(timer);
        if (!request.raw.socket.destroyed) inOwnContext(step);
      };
      const waiting = { run: continueBy(run), refuse: continueBy(refuse) };
      const timer = setTimeout(() => line.splice(line.indexOf(waiting), 1)[0]?.refuse(), WAIT_AT_MOST_MS);
      if (line.push(waiting) > WAITING_AT_MOST) line.shift()?.refuse();
    }
  });
  fastify.addHook('onSend', (request, _reply, payload, done) => {
    leave(request);
    done(null, payload);
  });
}
