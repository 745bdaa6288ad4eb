import { setTimeout as sleep } from 'node:timers/promises';
import { ApiClient } from '../test/harness/http/client.js';
import { bench } from './harness/bench.js';
import { fill } from './harness/database.js';
import { closedLoop, get, openLoop, sampling, type Reply } from './harness/load.js';
import { options } from './harness/options.js';
import { percentile } from './harness/report.js';
import { startService } from './harness/server.js';

/**
 * Ten times as many requests as the service can answer. Goodput counts the right responses within a second, as users do
 * not wait for longer. Exits 1 where goodput falls below 80 % of the peak, where the peak has not recovered 2 s later, or
 * where the service says meanwhile that it is not ready.
 *
 * Each request searches for two letters, which costs PostgreSQL some milliseconds: with anything cheaper, the load
 * generator on the same machine would be overloaded instead.
 */
const { seconds, factor, pool } = options({ seconds: 20, factor: 10, pool: 4 });
const GOOD_MS = 1000;
const PEAK_CLIENTS = 16;
const PEAK_SECONDS = 5;

const isGood = ({ status, ms }: Reply) => status === 200 && ms <= GOOD_MS;
const isShed = ({ status }: Reply) => status === 503;

await bench(async (database) => {
  const { url } = await startService(database.url, { DB_POOL_SIZE: String(pool), LOG_LEVEL: 'fatal' });
  const user = await new ApiClient(url).signUp();
  await fill(database.url, [user.account.userId], 20_000);
  const search = [get(user, '/entries?limit=1&q=zq')];
  const peakOf = async (duration: number) =>
    (await closedLoop(url, search, PEAK_CLIENTS, duration)).filter(({ status }) => status === 200).length /
    duration;

  const peak = await peakOf(PEAK_SECONDS);
  console.log(`peak: ${peak.toFixed(0)} answers/s to ${PEAK_CLIENTS} clients`);

  const probes = { sent: 0, ready: 0, longestMs: 0 };
  // As a load balancer asks, which takes a service that says 503 out of its rotation.
  const probe = async () => {
    const started = performance.now();
    const { status } = await fetch(`${url}/health`);
    probes.sent += 1;
    if (status === 200) probes.ready += 1;
    probes.longestMs = Math.max(probes.longestMs, performance.now() - started);
  };
  const replies = await sampling(250, probe, () => openLoop(url, search, peak * factor, seconds));
  const times = replies.filter(isGood).map(({ ms }) => ms);
  const shed = replies.filter(isShed).length;
  const late = replies.filter(({ status, ms }) => status === 200 && ms > GOOD_MS).length;
  const share = times.length / seconds / peak;
  console.log(
    `overload: ${(peak * factor).toFixed(0)} requests/s for ${seconds} s: ${(times.length / seconds).toFixed(0)} good/s, ` +
      `${(share * 100).toFixed(0)} % of the peak, p50 ${percentile(times, 50).toFixed(0)} ms, p99 ${percentile(times, 99).toFixed(0)} ms; ` +
      `${shed} shed, ${late} late, ${replies.length - times.length - shed - late} failed`,
  );
  console.log(
    `/health: 200 for ${probes.ready} of ${probes.sent} probes, within ${probes.longestMs.toFixed(0)} ms`,
  );

  await sleep(2000);
  const after = await peakOf(2);
  console.log(`2 s later: ${after.toFixed(0)} answers/s, ${((after / peak) * 100).toFixed(0)} % of the peak`);
  if (share < 0.8 || after / peak < 0.8 || probes.ready < probes.sent) process.exitCode = 1;
});
