import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import * as module from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { ROOT } from '../scripts/environment.js';
import { createDatabase } from './database.js';
import { asMarkdown, asText, median, range, whole } from './report.js';
import { Server } from './server.js';

/**
 * How long a start takes, and how much memory the service has at rest: `npm run bundle && node bench/start.js`.
 *
 *   --rounds <n>   starts of each (7), by turns
 *   --compose      `docker compose up` as well, its images built: to the first 200 of /health, new volumes and kept ones
 *   --markdown
 *
 * The first start of each, which finds neither files nor compile cache warm, is not counted.
 */
const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '7' },
    compose: { type: 'boolean', default: false },
    markdown: { type: 'boolean', default: false },
  },
});
const ROUNDS = Number(values.rounds);

/** Enough for what V8 does by itself once nothing runs any more. */
const AT_REST_MS = 10_000;

const COMPOSE_PROJECT = 'entries-bench';
const COMPOSE_PORT = '18081';

const folder = mkdtempSync(join(tmpdir(), 'entries-bench-'));
const database = await createDatabase();
try {
  const tables = [await benchPrograms()];
  if (values.compose) tables.push(await benchCompose());
  const format = values.markdown ? asMarkdown : asText;
  console.log([`Node ${process.versions.node}, ${database.description}`, ...tables.map(format)].join('\n\n'));
} finally {
  Server.killAll();
  await database.remove();
  rmSync(folder, { recursive: true });
}
process.exit();

async function benchPrograms() {
  const environment = {
    DATABASE_URL: database.url,
    JWT_SECRET: 'a secret for 1 benchmark, 32 bytes and more',
    NODE_ENV: 'production',
    LOG_LEVEL: 'warn',
    LOG_FORMAT: 'json',
  };
  if (!existsSync(join(ROOT, 'bundle'))) throw new Error('there is no bundle: run npm run bundle');
  // Where it finds no node_modules but its own.
  cpSync(join(ROOT, 'bundle'), join(folder, 'bundle'), { recursive: true });
  const bundle = join(folder, 'bundle/dist/main.js');
  const cached = { ...environment, NODE_COMPILE_CACHE: join(folder, 'compile-cache') };
  const programs = [
    { name: 'compiled', file: join(ROOT, 'dist/main.js'), environment },
    { name: 'bundled', file: bundle, environment },
    // From Node 22.1 on.
    ...('enableCompileCache' in module
      ? [{ name: 'bundled, compile cache', file: bundle, environment: cached }]
      : []),
    { name: 'peer', file: join(ROOT, 'bench/peer.js'), environment: { ...environment, DB_POOL_SIZE: '10' } },
  ];
  const results = programs.map(({ name }) => ({
    name,
    /** @type {number[]} */ ms: [],
    /** @type {number[]} */ cpuMs: [],
    rssMiB: NaN,
  }));
  const { signal } = new AbortController();
  for (let round = 0; round <= ROUNDS; round += 1) {
    for (const [index, { file, environment }] of programs.entries()) {
      const server = await Server.start(file, environment, { signal });
      const cpuMs = server.cpuMs();
      const result = results[index];
      if (result && round > 0) {
        result.ms.push(server.bootMs);
        result.cpuMs.push(cpuMs);
      }
      if (result && round === ROUNDS) {
        await sleep(AT_REST_MS);
        result.rssMiB = server.rssMiB();
      }
      await server.stop();
    }
  }
  return [
    ['start', '', 'ms to /health 200', '(starts)', 'CPU ms', 'RSS at rest MiB'],
    ...results.map(({ name, ms, cpuMs, rssMiB }) => [
      name,
      '',
      whole(median(ms)),
      range(ms),
      whole(median(cpuMs)),
      whole(rssMiB),
    ]),
  ];
}

async function benchCompose() {
  /** @param {string[]} args */
  const compose = (...args) =>
    execFileSync('docker', ['compose', '-p', COMPOSE_PROJECT, ...args], {
      cwd: ROOT,
      env: { ...process.env, PORT: COMPOSE_PORT },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
  compose('build');
  /** @type {number[]} */ const fresh = [];
  /** @type {number[]} */ const again = [];
  try {
    for (let round = 0; round < ROUNDS; round += 1) {
      compose('down', '--volumes');
      for (const times of [fresh, again]) {
        const started = performance.now();
        compose('up', '--detach');
        while (!(await healthy(`http://127.0.0.1:${COMPOSE_PORT}/health`))) await sleep(5);
        times.push(performance.now() - started);
        compose('down');
      }
    }
  } finally {
    compose('down', '--volumes', '--rmi', 'local');
  }
  return [
    ['docker compose up', '', 'ms to /health 200', '(starts)'],
    ...Object.entries({ 'new volumes': fresh, 'volumes kept': again }).map(([name, times]) => [
      name,
      '',
      whole(median(times)),
      range(times),
    ]),
  ];
}

/** @param {string} url */
async function healthy(url) {
  try {
    return (await fetch(url, { signal: AbortSignal.timeout(5000) })).ok;
  } catch {
    return false;
  }
}
