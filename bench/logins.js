import { performance } from 'node:perf_hooks';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { ROOT } from '../scripts/environment.js';
import { createDatabase } from './database.js';
import { Server } from './server.js';

/**
 * What a flood of logins costs everybody else, and what their time tells: `node bench/logins.js` after `npm run build`.
 *
 * - the latency of /health/live while nobody signs in, and while 200 at once do, over and over
 * - the time of a login with an e-mail that nobody has, and with a wrong password: 200 tries of each, by turns
 */

const PASSWORD = 'correct horse battery';
const EMAIL = 'ada@example.org';

/** Between two looks at /health/live. */
const PROBE_MS = 5;

if (isMainThread) await main();
else await flood(/** @type {Flood} */ (workerData));

/** @typedef {{ url: string, atOnce: number, seconds: number }} Flood */

async function main() {
  const { values } = parseArgs({
    options: {
      'at-once': { type: 'string', default: '200' },
      seconds: { type: 'string', default: '10' },
      tries: { type: 'string', default: '200' },
    },
  });
  const atOnce = Number(values['at-once']);
  const seconds = Number(values.seconds);
  const database = await createDatabase();
  const stop = new AbortController();
  try {
    const server = await Server.start(
      join(ROOT, 'dist', 'main.js'),
      {
        ...Object.fromEntries(Object.entries(process.env).filter(([name]) => /^(ARGON2|UV)_/.test(name))),
        NODE_ENV: 'production',
        DATABASE_URL: database.url,
        JWT_SECRET: 'the-secret-of-this-benchmark-and-no-other',
        RATE_LIMIT_ENABLED: 'false',
        LOG_LEVEL: 'warn',
      },
      { signal: stop.signal },
    );
    try {
      await post(server.url, '/auth/register', { email: EMAIL, password: PASSWORD });
      const quiet = await probe(server.url, sleep(seconds * 1000));
      const restMiB = server.rssMiB();
      const worker = new Worker(new URL(import.meta.url), {
        workerData: { url: server.url, atOnce, seconds },
      });
      /** @type {Record<string, number>} */
      let statuses = {};
      worker.on('message', (message) => (statuses = message));
      const busy = await probe(server.url, new Promise((resolve) => worker.once('exit', resolve)));
      const logins = statuses['200'] ?? 0;
      print(`GET /health/live, ms, asked every ${PROBE_MS} ms`, {
        'nobody signs in': quiet,
        [`${atOnce} at once sign in`]: busy,
      });
      console.log(
        `${(logins / seconds).toFixed(0)} logins/s; statuses ${JSON.stringify(statuses)}; ` +
          `memory ${restMiB.toFixed(0)} MiB before, ${server.rssMiB().toFixed(0)} MiB after\n`,
      );
      print('POST /auth/login, ms, one after another', await timings(server.url, Number(values.tries)));
    } finally {
      await server.stop();
    }
  } finally {
    await database.remove();
  }
  process.exit();
}

/** @param {string} url @param {Promise<unknown>} until */
async function probe(url, until) {
  let over = false;
  void until.then(() => (over = true));
  /** @type {number[]} */
  const times = [];
  while (!over) {
    const started = performance.now();
    const response = await fetch(`${url}/health/live`);
    await response.arrayBuffer();
    if (!response.ok) throw new Error(`/health/live answered ${response.status}`);
    times.push(performance.now() - started);
    await sleep(PROBE_MS);
  }
  return times;
}

/** Each of `atOnce` signs in again as soon as it is answered. @param {Flood} options */
async function flood({ url, atOnce, seconds }) {
  const deadline = performance.now() + seconds * 1000;
  /** @type {Record<string, number>} */
  const statuses = {};
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      while (performance.now() < deadline) {
        const status = await post(url, '/auth/login', { email: EMAIL, password: PASSWORD });
        statuses[status] = (statuses[status] ?? 0) + 1;
      }
    }),
  );
  parentPort?.postMessage(statuses);
}

/** @param {string} url @param {number} tries */
async function timings(url, tries) {
  /** @type {Record<string, number[]>} */
  const times = { 'unknown e-mail': [], 'wrong password': [] };
  for (let n = 0; n < tries; n++) {
    for (const [name, email] of n % 2
      ? [
          ['unknown e-mail', `n${n}@example.org`],
          ['wrong password', EMAIL],
        ]
      : [
          ['wrong password', EMAIL],
          ['unknown e-mail', `n${n}@example.org`],
        ]) {
      const started = performance.now();
      const status = await post(url, '/auth/login', { email, password: `a wrong password ${n}` });
      if (status !== 401) throw new Error(`a wrong login was answered ${status}`);
      times[/** @type {string} */ (name)]?.push(performance.now() - started);
    }
  }
  return times;
}

/** @param {string} url @param {string} path @param {unknown} body @returns {Promise<number>} the status */
async function post(url, path, body) {
  const response = await fetch(url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  await response.arrayBuffer();
  return response.status;
}

/** @param {string} title @param {Readonly<Record<string, number[]>>} columns */
function print(title, columns) {
  console.log(`${title}\n`);
  const shares = [5, 25, 50, 75, 95, 99];
  console.log(`| | n | mean | ${shares.map((share) => `p${share}`).join(' | ')} | max |`);
  console.log(`| --- |${' ---: |'.repeat(shares.length + 3)}`);
  for (const [name, times] of Object.entries(columns)) {
    const sorted = [...times].sort((a, b) => a - b);
    const mean = times.reduce((sum, time) => sum + time, 0) / times.length;
    const at = (/** @type {number} */ share) =>
      sorted[Math.min(sorted.length - 1, Math.floor((share / 100) * sorted.length))] ?? NaN;
    const cells = [mean, ...shares.map(at), sorted.at(-1) ?? NaN].map((ms) => ms.toFixed(1));
    console.log(`| ${name} | ${times.length} | ${cells.join(' | ')} |`);
  }
  console.log();
}
