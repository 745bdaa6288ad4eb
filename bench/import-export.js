import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream, createWriteStream, existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { request } from 'node:http';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { ROOT } from '../scripts/environment.js';
import { createDatabase, fill, query } from './database.js';
import { Server } from './server.js';
import { signUp } from './sign-up.js';

/**
 * `node bench/import-export.js [--entries 1000000] [--program dist/main.js] [--node-option=…]`: one user's entries exported and imported
 * back over HTTP, in each format. Fails where the second export differs from the first by a byte, or where the service's
 * memory grew by more than 64 MiB. Prints a table for docs/performance.md; it takes about two minutes.
 */

const MAX_GROWTH_MIB = 64;

/** As much as warms the code up, so that what is measured after it is what the entries cost. */
const WARM_UP_ENTRIES = 50_000;

const SAMPLE_MS = 50;

const MEDIA_TYPES = /** @type {const} */ ({ ndjson: 'application/x-ndjson', csv: 'text/csv' });
/** @typedef {keyof typeof MEDIA_TYPES} Format */

/** @typedef {import('./sign-up.js').Account} Account */

/**
 * @typedef {object} Phase
 * @property {number} seconds
 * @property {number} peakMiB resident memory of the service
 * @property {number} cpuMs the processor time of the service
 * @property {number} liveMs the longest answer of /health/live meanwhile
 */

const { values: options } = parseArgs({
  options: {
    entries: { type: 'string', default: '1000000' },
    program: { type: 'string', default: join(ROOT, 'dist', 'main.js') },
    'node-option': { type: 'string', multiple: true, default: [] },
  },
});
const entries = Number(options.entries);
if (!Number.isInteger(entries) || entries < 1) throw new Error('--entries must be a whole number');
if (!existsSync(options.program)) throw new Error(`${options.program} does not exist: run npm run build`);

const interruption = new AbortController();
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(name, () => interruption.abort(name));
process.once('exit', () => Server.killAll());

const folder = mkdtempSync(join(tmpdir(), 'entries-bench-'));
say('starting a database…');
const database = await createDatabase();
try {
  const server = await Server.start(options.program, environment(database.url), {
    signal: interruption.signal,
    nodeOptions: options['node-option'],
  });
  try {
    console.log(await bench(server));
  } finally {
    await server.stop();
  }
} finally {
  await database.remove();
  rmSync(folder, { recursive: true, force: true });
}
process.exit();

/** @param {Server} server */
async function bench(server) {
  const account = await signUp(server.url, 'bench@example.org');
  const atRest = server.rssMiB();
  say(`warming up with ${WARM_UP_ENTRIES} entries…`);
  await fill(database.url, [account.userId], WARM_UP_ENTRIES);
  // What the heap takes before it is collected, whatever the number of entries.
  let before = 0;
  for (const format of formats()) {
    const { phases } = await roundTrip(server, account, format, WARM_UP_ENTRIES);
    before = Math.max(before, phases.export.peakMiB, phases.import.peakMiB);
  }

  await query(database.url, 'TRUNCATE entries');
  say(`writing ${entries} entries…`);
  await fill(database.url, [account.userId], entries);
  /** @type {string[][]} */
  const rows = [];
  let peak = 0;
  for (const format of formats()) {
    const { megabytes, phases } = await roundTrip(server, account, format, entries);
    for (const [name, { seconds, peakMiB, cpuMs, liveMs }] of Object.entries(phases)) {
      peak = Math.max(peak, peakMiB);
      rows.push([
        name,
        format,
        megabytes.toFixed(0),
        seconds.toFixed(1),
        Math.round(entries / seconds).toLocaleString('en-US'),
        ((cpuMs * 1000) / entries).toFixed(1),
        peakMiB.toFixed(0),
        (peakMiB - before).toFixed(0),
        liveMs.toFixed(0),
      ]);
    }
  }
  if (peak - before > MAX_GROWTH_MIB) {
    say(`memory grew by ${(peak - before).toFixed(0)} MiB, more than ${MAX_GROWTH_MIB}`);
    process.exitCode = 1;
  }
  const head = [
    '',
    'format',
    'MB',
    's',
    'entries/s',
    'CPU µs/entry',
    'peak RSS MiB',
    'growth MiB',
    'longest /health/live ms',
  ];
  const conditions =
    `${entries.toLocaleString('en-US')} entries of one user; RSS ${atRest.toFixed(0)} MiB at rest, and ` +
    `${before.toFixed(0)} at most with ${WARM_UP_ENTRIES.toLocaleString('en-US')} entries, from where growth is counted; the second export is the first, byte for byte; ` +
    `Node ${process.versions.node}, ${database.description}; everything on the same ${availableParallelism()} cores.`;
  const lines = [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`);
  return `${conditions}\n\n${lines.join('\n')}`;
}

/**
 * Exports, deletes, imports, and exports again.
 *
 * @param {Server} server
 * @param {Account} account
 * @param {Format} format
 * @param {number} count
 */
async function roundTrip(server, account, format, count) {
  const file = join(folder, `entries.${format}`);
  const first = await watched(server, () => download(server, account, format, file));
  await query(database.url, 'TRUNCATE entries');
  const written = await watched(server, () => upload(server, account, format, file));
  const expected = { imported: count, skipped: 0, failed: 0, errors: [] };
  if (JSON.stringify(written.result) !== JSON.stringify(expected)) {
    throw new Error(`the import answered ${JSON.stringify(written.result)}`);
  }
  await query(database.url, 'VACUUM ANALYZE entries');
  const second = await watched(server, () => download(server, account, format, `${file}.again`));
  if (first.result !== second.result) throw new Error(`${format}: the second export differs from the first`);
  const megabytes = statSync(file).size / 1e6;
  say(
    `${format}: exported in ${first.phase.seconds.toFixed(1)} s, imported in ${written.phase.seconds.toFixed(1)} s`,
  );
  return { megabytes, phases: { export: first.phase, import: written.phase } };
}

/**
 * @template T
 * @param {Server} server
 * @param {() => Promise<T>} work
 * @returns {Promise<{ result: T, phase: Phase }>}
 */
async function watched(server, work) {
  let over = false;
  let peakMiB = 0;
  let liveMs = 0;
  const watching = (async () => {
    while (!over) {
      const asked = performance.now();
      await (await fetch(`${server.url}/health/live`)).arrayBuffer();
      liveMs = Math.max(liveMs, performance.now() - asked);
      peakMiB = Math.max(peakMiB, server.rssMiB());
      await sleep(SAMPLE_MS);
    }
  })();
  const started = performance.now();
  const cpuBefore = server.cpuMs();
  try {
    const result = await work();
    const cpuMs = server.cpuMs() - cpuBefore;
    const seconds = (performance.now() - started) / 1000;
    over = true;
    await watching;
    return { result, phase: { seconds, peakMiB, cpuMs, liveMs } };
  } finally {
    over = true;
  }
}

/**
 * @param {Server} server
 * @param {Account} account
 * @param {Format} format
 * @param {string} file
 * @returns {Promise<string>} the digest of what was received
 */
async function download(server, { accessToken }, format, file) {
  const response = await fetch(`${server.url}/entries/export?format=${format}`, {
    headers: { authorization: `Bearer ${accessToken}` },
  });
  if (!response.ok || !response.body) throw new Error(`export: ${response.status} ${await response.text()}`);
  const hash = createHash('sha256');
  const hashing = new Transform({
    transform(chunk, _encoding, done) {
      hash.update(chunk);
      done(null, chunk);
    },
  });
  await pipeline(response.body, hashing, createWriteStream(file));
  return hash.digest('hex');
}

/**
 * @param {Server} server
 * @param {Account} account
 * @param {Format} format
 * @param {string} file
 * @returns {Promise<unknown>} the report
 */
async function upload(server, { accessToken }, format, file) {
  const post = request(`${server.url}/entries/import`, {
    method: 'POST',
    headers: { authorization: `Bearer ${accessToken}`, 'content-type': MEDIA_TYPES[format] },
  });
  const answered = once(post, 'response');
  await pipeline(createReadStream(file), post);
  const [answer] = /** @type {[import('node:http').IncomingMessage]} */ (await answered);
  let text = '';
  for await (const chunk of answer.setEncoding('utf8')) text += chunk;
  return JSON.parse(text);
}

function formats() {
  return /** @type {Format[]} */ (Object.keys(MEDIA_TYPES));
}

/** @param {string} url */
function environment(url) {
  return {
    DATABASE_URL: url,
    JWT_SECRET: randomBytes(48).toString('base64url'),
    JWT_ACCESS_TTL: '1d',
    NODE_ENV: 'production',
    LOG_LEVEL: 'warn',
    LOG_FORMAT: 'json',
    RATE_LIMIT_ENABLED: 'false',
  };
}

/** @param {string} line progress: apart from the report, which may be redirected */
function say(line) {
  console.error(`bench: ${line}`);
}
