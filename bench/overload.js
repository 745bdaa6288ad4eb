import { randomBytes } from 'node:crypto';
import { Agent, request } from 'node:http';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { ROOT } from '../scripts/environment.js';
import { createDatabase, fill, query } from './database.js';
import { cpuMsOfChildren, Server } from './server.js';
import { signUp } from './sign-up.js';

/**
 * Ten times as many requests as the service can answer, for 20 s: `npm run build && node bench/overload.js`. Requests
 * arrive by the clock, whether or not those before were answered, as those of many users do. Goodput is what is answered
 * rightly within a second, as users do not wait for longer. Exits 1 where it falls below 80 % of the peak, has not
 * recovered 2 s after, or says meanwhile that it is not ready.
 *
 * Asked for is a search of two letters, which costs PostgreSQL some milliseconds, as else the load generator, on the same
 * machine, would be what is overloaded.
 */
const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '20' },
    factor: { type: 'string', default: '10' },
    'pool-size': { type: 'string', default: '4' },
  },
});
const GOOD_MS = 1000;
const PEAK_CONNECTIONS = 16;
const PEAK_SECONDS = 5;

process.once('exit', () => Server.killAll());
const database = await createDatabase();
try {
  const server = await Server.start(
    join(ROOT, 'dist', 'main.js'),
    {
      DATABASE_URL: database.url,
      DB_POOL_SIZE: values['pool-size'],
      JWT_SECRET: randomBytes(48).toString('base64url'),
      NODE_ENV: 'production',
      LOG_LEVEL: 'fatal',
      LOG_FORMAT: 'json',
      RATE_LIMIT_ENABLED: 'false',
    },
    { signal: new AbortController().signal },
  );
  const { userId, accessToken } = await signUp(server.url, 'rush@example.org');
  await fill(database.url, [userId], 20_000);
  const agent = new Agent({ keepAlive: true });
  const ask = () => send(`${server.url}/entries?limit=1&q=zq`, accessToken, agent);

  const postmaster = await postmasterOf(database.url);
  const processors = () => processorTimes(server, postmaster);
  let from = processors();
  const peak = await closedLoop(ask, PEAK_CONNECTIONS, PEAK_SECONDS);
  console.log(
    `peak: ${peak.toFixed(0)} answers/s to ${PEAK_CONNECTIONS} clients; ${shares(from, processors(), peak * PEAK_SECONDS)}`,
  );
  const rate = peak * Number(values.factor);
  from = processors();
  const probes = watchReadiness(server.url);
  const overload = await openLoop(ask, rate, Number(values.seconds));
  const { probed, ready, longestMs } = await probes.stop();
  const share = overload.good / Number(values.seconds) / peak;
  console.log(
    `overload: ${rate.toFixed(0)} requests/s for ${values.seconds} s: ${(overload.good / Number(values.seconds)).toFixed(0)} good/s, ` +
      `${(share * 100).toFixed(0)} % of the peak; p50 ${overload.p50.toFixed(0)} ms, p99 ${overload.p99.toFixed(0)} ms of those; ` +
      `${overload.shed} shed, ${overload.late} late, ${overload.failed} failed; ` +
      shares(from, processors(), overload.good + overload.late),
  );
  console.log(
    `meanwhile ${ready} of ${probed} probes of /health said 200, within ${longestMs.toFixed(0)} ms`,
  );
  await sleep(2000);
  const after = await closedLoop(ask, PEAK_CONNECTIONS, 2);
  console.log(`2 s later: ${after.toFixed(0)} answers/s, ${((after / peak) * 100).toFixed(0)} % of the peak`);
  if (share < 0.8 || after / peak < 0.8 || ready < probed) process.exitCode = 1;
  agent.destroy();
  await server.stop();
} finally {
  await database.remove();
}
process.exit();

/**
 * Asks as a balancer does, which takes the service out of its rotation where it is told 503.
 *
 * @param {string} url
 */
function watchReadiness(url) {
  let stopped = false;
  const seen = { probed: 0, ready: 0, longestMs: 0 };
  const watching = (async () => {
    while (!stopped) {
      const begun = performance.now();
      const { status } = await fetch(`${url}/health`);
      seen.probed += 1;
      if (status === 200) seen.ready += 1;
      seen.longestMs = Math.max(seen.longestMs, performance.now() - begun);
      await sleep(250);
    }
  })();
  const stop = async () => {
    stopped = true;
    await watching;
    return seen;
  };
  return { stop };
}

/**
 * Of a server on this machine.
 *
 * @param {string} url
 * @returns {Promise<number>} its process id
 */
async function postmasterOf(url) {
  const { rows } = await query(
    url,
    String.raw`SELECT split_part(pg_read_file('postmaster.pid'), E'\n', 1) AS pid`,
  );
  return Number(rows[0].pid);
}

/**
 * @typedef {object} Processors processor time so far, ms
 * @property {number} at
 * @property {number} service
 * @property {number} postgres
 * @property {number} generator
 * @property {number} all
 *
 * @param {Server} server
 * @param {number} postmaster
 * @returns {Processors}
 */
function processorTimes(server, postmaster) {
  const { user, system } = process.cpuUsage();
  const busy = cpus().map(({ times }) => times.user + times.nice + times.sys + times.irq);
  return {
    at: performance.now(),
    service: server.cpuMs(),
    postgres: cpuMsOfChildren(postmaster),
    generator: (user + system) / 1000,
    all: busy.reduce((sum, ms) => sum + ms, 0),
  };
}

/**
 * Who had the processors. What others than the three took is noise: with much of it, only what PostgreSQL answered in the
 * time that it had says something.
 *
 * @param {Processors} from
 * @param {Processors} to
 * @param {number} answers meanwhile
 */
function shares(from, to, answers) {
  const share = (/** @type {keyof Processors} */ name) => (to[name] - from[name]) / (to.at - from.at);
  const [postgres, service, generator] = [share('postgres'), share('service'), share('generator')];
  const others = share('all') - postgres - service - generator;
  return (
    `of ${cpus().length} processors PostgreSQL had ${postgres.toFixed(2)}, the service ${service.toFixed(2)}, ` +
    `the load generator ${generator.toFixed(2)}, others ${others.toFixed(2)}: ` +
    `${((answers * 1000) / (to.postgres - from.postgres)).toFixed(1)} answers a second of PostgreSQL's`
  );
}

/**
 * @param {string} url
 * @param {string} token
 * @param {Agent} agent
 * @returns {Promise<number>} the status, 0 where there was no answer
 */
function send(url, token, agent) {
  return new Promise((resolve) => {
    const asked = request(url, { agent, headers: { authorization: `Bearer ${token}` } }, (answer) => {
      answer.resume();
      answer.once('end', () => resolve(answer.statusCode ?? 0));
      answer.once('error', () => resolve(0));
    });
    asked.once('error', () => resolve(0));
    asked.end();
  });
}

/**
 * @param {() => Promise<number>} ask
 * @param {number} clients
 * @param {number} seconds
 * @returns {Promise<number>} right answers a second
 */
async function closedLoop(ask, clients, seconds) {
  const end = performance.now() + seconds * 1000;
  let right = 0;
  const client = async () => {
    while (performance.now() < end) if ((await ask()) === 200) right += 1;
  };
  await Promise.all(Array.from({ length: clients }, client));
  return right / seconds;
}

/**
 * @param {() => Promise<number>} ask
 * @param {number} rate requests a second
 * @param {number} seconds
 */
async function openLoop(ask, rate, seconds) {
  const started = performance.now();
  /** @type {number[]} */
  const good = [];
  /** @type {Promise<void>[]} */
  const asked = [];
  let shed = 0;
  let late = 0;
  let failed = 0;
  const one = async () => {
    const begun = performance.now();
    const status = await ask();
    const ms = performance.now() - begun;
    if (status === 503) shed += 1;
    else if (status !== 200) failed += 1;
    else if (ms > GOOD_MS) late += 1;
    else good.push(ms);
  };
  while (performance.now() - started < seconds * 1000) {
    const due = ((performance.now() - started) / 1000) * rate;
    while (asked.length < due) asked.push(one());
    await sleep(5);
  }
  await Promise.all(asked);
  good.sort((a, b) => a - b);
  const at = (/** @type {number} */ share) => good[Math.floor(good.length * share)] ?? NaN;
  return { good: good.length, shed, late, failed, p50: at(0.5), p99: at(0.99) };
}
