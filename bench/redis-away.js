import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { Agent, request as httpRequest } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { ROOT } from '../scripts/environment.js';
import { freePort } from '../scripts/free-port.js';
import { createDatabase } from './database.js';
import { Server } from './server.js';
import { signUp } from './sign-up.js';

/**
 * What a request takes while Redis is there, is killed, and hangs: `node bench/redis-away.js` after `npm run build`. Needs
 * a `redis-server`. One request after the other, on one connection; of a Redis that hangs also with such pauses that each
 * request is the one which finds out.
 */

const REQUESTS = 300;
const FINDING_OUT = 12;

/** Longer than the service leaves a Redis alone that did not answer. */
const PAUSE_MS = 1100;

const agent = new Agent({ keepAlive: true, maxSockets: 1 });

/** @param {string} url @param {string} method @param {string} token @param {string} [body] */
function send(url, method, token, body) {
  return /** @type {Promise<{ status: number | undefined, text: string }>} */ (
    new Promise((resolve, reject) => {
      const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
      const request = httpRequest(url, { method, agent, headers }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk) => (text += String(chunk)));
        response.once('end', () => resolve({ status: response.statusCode, text }));
      });
      request.once('error', reject);
      request.end(body);
    })
  );
}

/** @param {number} port @param {string} folder */
async function startRedis(port, folder) {
  const redis = spawn(
    'redis-server',
    ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--save', '', '--appendonly', 'no'],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  await /** @type {Promise<void>} */ (
    new Promise((resolve, reject) => {
      redis.once('exit', () => reject(new Error('redis-server did not start')));
      redis.stdout.on('data', (/** @type {Buffer} */ chunk) => {
        if (chunk.includes('Ready to accept connections')) resolve();
      });
    })
  );
  redis.removeAllListeners('exit');
  return redis;
}

const folder = mkdtempSync(join(tmpdir(), 'entries-bench-redis-'));
const redisPort = await freePort();
let redis = await startRedis(redisPort, folder);
const database = await createDatabase();
try {
  const environment = {
    NODE_ENV: 'production',
    DATABASE_URL: database.url,
    REDIS_URL: `redis://127.0.0.1:${redisPort}`,
    JWT_SECRET: 'the-secret-of-this-benchmark-and-no-other',
    RATE_LIMIT_USER_PER_MINUTE: '1000000',
    LOG_LEVEL: 'error',
  };
  const { signal } = new AbortController();
  const server = await Server.start(join(ROOT, 'dist', 'main.js'), environment, { signal });
  const { accessToken } = await signUp(server.url, 'ada@example.org');
  const body = JSON.stringify({ text: 'Walked by the river and wrote it down.', mood: 7 });
  const write = () => send(`${server.url}/entries`, 'POST', accessToken, body);
  const { id } = JSON.parse((await write()).text);
  const read = () => send(`${server.url}/entries/${id}`, 'GET', accessToken);

  /** @param {string} state @param {number} [count] @param {number} [pauseMs] */
  const measure = async (state, count = REQUESTS, pauseMs = 0) => {
    for (const [name, ask, status] of /** @type {const} */ ([
      ['GET /entries/:id', read, 200],
      ['POST /entries', write, 201],
    ])) {
      /** @type {number[]} */
      const times = [];
      for (let turn = 0; turn < count; turn += 1) {
        if (pauseMs > 0) await sleep(pauseMs);
        const started = performance.now();
        const answer = await ask();
        times.push(performance.now() - started);
        if (answer.status !== status) throw new Error(`${name}: ${answer.status} ${answer.text}`);
      }
      times.sort((a, b) => a - b);
      const at = (/** @type {number} */ share) => times[Math.min(count - 1, Math.floor(share * count))];
      const [p50, p99, most] = [at(0.5), at(0.99), times.at(-1)].map((ms) => ms?.toFixed(1));
      console.log(`| ${state} | ${name} | ${p50} | ${p99} | ${most} |`);
    }
  };
  // For the compiler.
  for (let turn = 0; turn < REQUESTS; turn += 1) await Promise.all([read(), write()]);
  console.log('| Redis | ms | p50 | p99 | most |\n| - | - | -: | -: | -: |');
  await measure('there');
  await measure('there, a request a second', FINDING_OUT, PAUSE_MS);
  redis.kill('SIGSTOP');
  await measure('hangs');
  await measure('hangs, and the request finds out', FINDING_OUT, PAUSE_MS);
  redis.kill('SIGKILL');
  await once(redis, 'exit');
  await measure('killed');
  redis = await startRedis(redisPort, folder);
  await sleep(PAUSE_MS);
  await measure('back');
  await server.stop();
} finally {
  agent.destroy();
  redis.kill('SIGKILL');
  Server.killAll();
  await database.remove();
  rmSync(folder, { recursive: true, force: true });
}
