import { AsyncResource } from 'node:async_hooks';
import { performance } from 'node:perf_hooks';
import { Logger, ServiceUnavailableException } from '@nestjs/common';
import type { FastifyInstance } from 'fastify';
import { PROBE_ROUTES } from './probe-routes.js';

/** How often the gate looks how things stand, ms. */
const TICK_MS = 10;

/** So many ticks in turn, each later than this, ms, say that the event loop has more than it can do; one says nothing. */
const LAG_AT_MOST_MS = 200;
const LAGGING_TICKS = 3;

/** How long a request waits at the gate before it is refused, ms, and how many looks at the least. */
const WAIT_AT_MOST_MS = 700;
const WAIT_AT_LEAST_TICKS = 5;

/** So many may wait for longer, ms: a rush that is over needs only time. */
const PATIENT = 200;
const PATIENCE_MS = 5000;

/** Waiting at the gate, at most: some 20 MB with their sockets. Beyond, requests are refused at once. */
const WAITING_AT_MOST = 5000;

/** Queries that may wait for a connection in a rush, which a moment later is over. */
const BURST = 100;

/** A queue that has not been empty for so long, ms, is no rush. It may then be as long as is served in the other time. */
const STANDING_MS = 300;
const QUEUE_AT_MOST_MS = 150;

/** Over which the rate of queries is averaged, ms. */
const AVERAGED_MS = 300;

/** After so long without a refusal, ms, it is told that it is over. */
const CALM_MS = 2000;

interface Waiting {
  readonly since: number;
  readonly untilTick: number;
  admit(): void;
  refuse(): void;
}

/**
 * Sheds load: a gate before all work, which closes while the event loop lags or too many queries wait for a connection.
 * A request waits there for a moment, as most rushes are over in one, and is refused with 503 and `Retry-After` after
 * that, unless few wait. So what is admitted is answered soon, and a client that repeats a refused request at once is slowed down rather
 * than served by the thread that others need: a refusal costs a tenth of an answer, and would otherwise be given a
 * hundred times as often.
 *
 * Own lines rather than `@fastify/under-pressure`: that knows no pool, measures the event loop over a second, and
 * refuses at once, which a burst of logins would not survive.
 *
 * @param load tells how many queries wait for a connection, and how many have got one since the start
 * @param connections how many there are
 */
export function shedOverload(
  fastify: FastifyInstance,
  load: () => { readonly queued: number; readonly served: number },
  connections: number,
): void {
  const logger = new Logger('Overload');
  const line: Waiting[] = [];
  let lastTick = performance.now();
  let lastEmpty = lastTick;
  let lastServed = 0;
  let perMs = 0;
  let budget = BURST;
  let ticks = 0;
  let lagging = 0;
  let lagMs = 0;
  let refusals = 0;
  let firstRefusal = 0;
  let lastRefusal = 0;

  const countRefusal = () => {
    lastRefusal = performance.now();
    if (refusals === 0) {
      firstRefusal = lastRefusal;
      logger.warn(
        `requests are refused: ${line.length} wait at the gate, ${load().queued} queries for a connection; ` +
          `the event loop is ${Math.round(lagMs)} ms late`,
      );
    }
    refusals += 1;
  };

  const tick = () => {
    const now = performance.now();
    lagMs = Math.max(0, now - lastTick - TICK_MS);
    const { queued, served } = load();
    const weight = Math.min(1, (now - lastTick) / AVERAGED_MS);
    perMs += weight * ((served - lastServed) / Math.max(1, now - lastTick) - perMs);
    lastServed = served;
    lastTick = now;
    if (queued === 0) lastEmpty = now;
    const queueAtMost =
      now - lastEmpty < STANDING_MS ? BURST : Math.max(connections, Math.ceil(perMs * QUEUE_AT_MOST_MS));
    ticks += 1;
    lagging = lagMs > LAG_AT_MOST_MS ? lagging + 1 : 0;
    budget = lagging >= LAGGING_TICKS ? 0 : Math.max(0, queueAtMost - queued);
    // The newest first: who has waited the longest is the likeliest to have given up.
    for (; budget > 0 && line.length > 0; budget -= 1) line.pop()?.admit();
    let gone = 0;
    for (let next; (next = line[gone]) && next.untilTick <= ticks; gone += 1) {
      const most = line.length - gone > PATIENT ? WAIT_AT_MOST_MS : PATIENCE_MS;
      if (now - next.since < most) break;
      next.refuse();
    }
    line.splice(0, gone);
    if (refusals > 0 && now - lastRefusal > CALM_MS) {
      const seconds = ((lastRefusal - firstRefusal) / 1000).toFixed(1);
      logger.log(`no more requests are refused: ${refusals} were, within ${seconds} s`);
      refusals = 0;
    }
  };
  const timer = setInterval(tick, TICK_MS).unref();
  fastify.addHook('onClose', (_instance, done) => {
    clearInterval(timer);
    for (const waiting of line.splice(0)) waiting.admit();
    done();
  });

  fastify.addHook('onRequest', (request, reply, done) => {
    // When it is needed most to know how things stand, probes are answered.
    if (PROBE_ROUTES.has(request.routeOptions.url ?? '')) {
      done();
      return;
    }
    if (budget > 0 && line.length === 0) {
      budget -= 1;
      done();
      return;
    }
    const refuse = () => {
      countRefusal();
      reply.header('retry-after', 1);
      done(new ServiceUnavailableException('The service has more to do than it can; try again shortly'));
    };
    if (line.length >= WAITING_AT_MOST) refuse();
    else {
      line.push({
        since: performance.now(),
        untilTick: ticks + WAIT_AT_LEAST_TICKS,
        // In the request's own context, not in that of the timer.
        admit: AsyncResource.bind(() => (request.raw.destroyed ? refuse() : done())),
        refuse: AsyncResource.bind(refuse),
      });
    }
  });
}
