import { createHistogram, performance } from 'node:perf_hooks';
import autocannon from 'autocannon';

/**
 * A process that loads one server for a while: takes a {@link Task} by IPC, says `measuring` when the warm-up is over
 * and `measured` when the time is up, and answers with an {@link Outcome}.
 *
 * Counts and latencies are taken here: autocannon's clock starts before it has built its requests, and its histogram
 * knows whole milliseconds alone.
 *
 * @typedef {object} Task
 * @property {string} url
 * @property {number} connections
 * @property {number} warmUpSeconds
 * @property {number} seconds
 * @property {import('autocannon').Request[]} requests
 * @property {number} status of every answer that is right
 *
 * @typedef {object} Outcome
 * @property {number} requests answered while it was measured
 * @property {number} seconds that it took
 * @property {number} p50Ms
 * @property {number} p99Ms
 * @property {number} failures: errors, time-outs and answers of another status, warm-up included
 */

/** Long enough to see that nothing works, short enough not to wait for it. */
const FAILURES_AT_MOST = 100;

process.once('disconnect', () => process.exit(1));
process.once('message', (task) => {
  void load(/** @type {Task} */ (task)).then((outcome) => process.send?.(outcome, () => process.exit(0)));
});

/**
 * @param {Task} task
 * @returns {Promise<Outcome>}
 */
async function load({ url, connections, warmUpSeconds, seconds, requests, status }) {
  const latencies = createHistogram({ lowest: 1, highest: 60_000_000, figures: 3 });
  let connection = 0;
  let wrong = 0;
  let started = Infinity;
  let first = NaN;
  let last = NaN;
  let count = 0;
  let over = false;

  const instance = autocannon({
    url,
    connections,
    duration: 3600,
    bailout: FAILURES_AT_MOST,
    // Every connection begins elsewhere in the list, so that they do not ask for the same at the same time.
    setupClient: (client) => client.setRequests(share(requests, connection++, connections)),
  });
  instance.on('response', (_client, statusCode, _bytes, durationMs) => {
    if (statusCode !== status && (wrong += 1) >= FAILURES_AT_MOST) instance.stop();
    const now = performance.now();
    if (started === Infinity) started = now;
    if (now < started + warmUpSeconds * 1000) return;
    if (Number.isNaN(first)) {
      first = now;
      process.send?.('measuring');
      return;
    }
    if (now > first + seconds * 1000) {
      if (!over) process.send?.('measured');
      over = true;
      instance.stop();
      return;
    }
    last = now;
    count += 1;
    latencies.record(Math.max(1, Math.round(durationMs * 1000)));
  });
  const { errors } = await instance;
  return {
    requests: count,
    seconds: (last - first) / 1000,
    p50Ms: latencies.percentile(50) / 1000,
    p99Ms: latencies.percentile(99) / 1000,
    failures: errors + wrong,
  };
}

/**
 * What one of many connections asks for: a share of its own of a long list, the whole of a short one.
 *
 * @template T
 * @param {T[]} all
 * @param {number} index
 * @param {number} count
 * @returns {T[]}
 */
function share(all, index, count) {
  const from = Math.floor((all.length * index) / count);
  const size = Math.floor(all.length / count);
  if (size >= 100) return all.slice(from, from + size).map((request) => ({ ...request }));
  return [...all.slice(from), ...all.slice(0, from)].map((request) => ({ ...request }));
}
