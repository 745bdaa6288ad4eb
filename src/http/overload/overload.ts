import { Logger, ServiceUnavailableException } from '@nestjs/common';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { requestContext } from '../../observability/request-context.js';
import { PROBE_ROUTES } from '../probe-routes.js';
import { whenRequestEnds } from '../connections/request-end.js';

/** Running requests per database connection; more than one keeps the connections busy. */
const RUNNING_PER_CONNECTION = 2;
/** Limits of the queue: requests, and ms. */
const WAITING_AT_MOST = 500;
const WAIT_AT_MOST_MS = 700;

/**
 * Limits running requests, from the end of the body until the response is ready, so that a slow client takes no slot.
 * Other requests are queued, oldest first. If more wait than run, not all can be answered in time, so the newest goes
 * first: its client is most likely still waiting. A request that waited too long, or the oldest in a full queue, gets
 * 503 with `Retry-After`.
 *
 * @param connections of the database pool
 */
export function queueRequests(fastify: FastifyInstance, connections: number): void {
  const logger = new Logger('Overload');
  const running = new WeakSet<FastifyRequest>();
  const queue: Record<'run' | 'refuse', () => void>[] = [];
  const slots = connections * RUNNING_PER_CONNECTION;
  let freeSlots = slots;
  let refusals = 0;
  const release = (request: FastifyRequest) => {
    if (!running.delete(request)) return;
    freeSlots += 1;
    // A loop, because a waiting request whose client has disconnected takes no slot.
    while (freeSlots > 0 && queue.length > 0) (queue.length > slots ? queue.pop() : queue.shift())?.run();
    if (queue.length > 0 || refusals === 0) return;
    logger.log(`overload is over: ${refusals} requests were refused`);
    refusals = 0;
  };
  fastify.addHook('preHandler', (request, reply, done) => {
    const run = () => {
      freeSlots -= 1;
      running.add(request);
      whenRequestEnds(reply, () => release(request));
      done();
    };
    const refuse = () => {
      if (refusals === 0) logger.warn(`overload: requests are refused, ${queue.length} are waiting`);
      refusals += 1;
      reply.header('retry-after', 1);
      done(new ServiceUnavailableException('The service is overloaded; try again shortly'));
    };
    const { url = '', config } = request.routeOptions;
    if (PROBE_ROUTES.has(url) || 'unqueued' in config) done();
    else if (freeSlots > 0) run();
    else {
      // A timer or another request resumes this one.
      const context = requestContext.getStore();
      const continueBy = (step: () => void) => () => {
        clearTimeout(timer);
        if (!request.raw.socket.destroyed) requestContext.run(context, step);
      };
      const waiting = { run: continueBy(run), refuse: continueBy(refuse) };
      const timer = setTimeout(() => queue.splice(queue.indexOf(waiting), 1)[0]?.refuse(), WAIT_AT_MOST_MS);
      if (queue.push(waiting) > WAITING_AT_MOST) queue.shift()?.refuse();
    }
  });
  fastify.addHook('onSend', (request, _reply, payload, done) => {
    release(request);
    done(null, payload);
  });
}
