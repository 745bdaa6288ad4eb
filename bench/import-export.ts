import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream, createWriteStream, mkdtempSync, rmSync, statSync } from 'node:fs';
import { request, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { json } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { ApiClient } from '../test/harness/http/client.js';
import { query } from '../test/harness/database/database.js';
import { bench } from './harness/bench.js';
import { fill } from './harness/database.js';
import { sampling } from './harness/load.js';
import { options } from './harness/options.js';
import { printTable } from './harness/report.js';
import { startService, type Server } from './harness/server.js';

/**
 * One user's entries are exported and imported back over HTTP, in each format. Fails where the second export differs from
 * the first by a byte, or where the service's memory grows by more than 64 MiB.
 */
const { entries } = options({ entries: 1_000_000 });

const MAX_GROWTH_MIB = 64;
/** The heap that Node allows itself in a container of 512 MiB, as in docker-compose.yml. With more, it collects less often. */
const HEAP_OF_CONTAINER = { NODE_OPTIONS: '--max-old-space-size=256' };
/** Warms up code and heap: growth is counted from the memory that these take. */
const WARM_UP_ENTRIES = Math.min(50_000, entries);
const SAMPLE_MS = 50;
const MEDIA_TYPES = { ndjson: 'application/x-ndjson', csv: 'text/csv' };
type Format = keyof typeof MEDIA_TYPES;

interface Phase {
  readonly name: string;
  readonly seconds: number;
  readonly cpuMs: number;
  readonly peakMiB: number;
  /** The longest response of /health/live meanwhile. */
  readonly liveMs: number;
}

const folder = mkdtempSync(join(tmpdir(), 'entries-bench-'));
await bench(async (database) => {
  const server = await startService(database.url, HEAP_OF_CONTAINER);
  const user = await new ApiClient(server.url).signUp();
  const prepare = async (count: number) => {
    await query(database.url, 'TRUNCATE entries');
    await fill(database.url, [user.account.userId], count);
  };

  console.error('warming up…');
  await prepare(WARM_UP_ENTRIES);
  let before = 0;
  for (const format of ['ndjson', 'csv'] as const) {
    const { phases } = await roundTrip(database.url, server, user, format, WARM_UP_ENTRIES);
    before = Math.max(before, ...phases.map(({ peakMiB }) => peakMiB));
  }

  console.error(`writing ${entries} entries…`);
  await prepare(entries);
  const rows: string[][] = [];
  let peak = 0;
  for (const format of ['ndjson', 'csv'] as const) {
    const { megabytes, phases } = await roundTrip(database.url, server, user, format, entries);
    for (const { name, seconds, cpuMs, peakMiB, liveMs } of phases) {
      peak = Math.max(peak, peakMiB);
      rows.push([
        `${name}, ${format}`,
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
  printTable(
    ['', 'MB', 's', 'entries/s', 'CPU µs/entry', 'peak RSS MiB', 'growth MiB', 'longest /health/live ms'],
    rows,
  );
  if (peak - before > MAX_GROWTH_MIB) {
    console.error(`memory grew by ${(peak - before).toFixed(0)} MiB, more than ${MAX_GROWTH_MIB}`);
    process.exitCode = 1;
  }
});
rmSync(folder, { recursive: true, force: true });

/** Exports, deletes, imports, and exports again. */
async function roundTrip(
  databaseUrl: string,
  server: Server,
  user: ApiClient,
  format: Format,
  count: number,
) {
  const file = join(folder, `entries.${format}`);
  const exported = await watch('export', server, () => download(user, format, file));
  await query(databaseUrl, 'TRUNCATE entries');
  const imported = await watch('import', server, () => upload(user, format, file));
  const report = JSON.stringify(imported.result);
  if (
    report !== JSON.stringify({ format, imported: count, skipped: 0, failed: 0, errors: [], ignored: {} })
  ) {
    throw new Error(`the import answered ${report}`);
  }
  await query(databaseUrl, 'VACUUM ANALYZE entries');
  if (exported.result !== (await download(user, format, `${file}.again`))) {
    throw new Error(`${format}: the second export differs from the first`);
  }
  return { megabytes: statSync(file).size / 1e6, phases: [exported.phase, imported.phase] };
}

async function watch<T>(
  name: string,
  server: Server,
  work: () => Promise<T>,
): Promise<{ result: T; phase: Phase }> {
  let peakMiB = 0;
  let liveMs = 0;
  const sample = async () => {
    const asked = performance.now();
    await (await fetch(`${server.url}/health/live`)).arrayBuffer();
    liveMs = Math.max(liveMs, performance.now() - asked);
    peakMiB = Math.max(peakMiB, server.rssMiB());
  };
  const started = performance.now();
  const cpuBefore = server.cpuMs();
  const result = await sampling(SAMPLE_MS, sample, work);
  const seconds = (performance.now() - started) / 1000;
  const cpuMs = server.cpuMs() - cpuBefore;
  return { result, phase: { name, seconds, cpuMs, peakMiB, liveMs } };
}

/** @returns the digest of what was received */
async function download({ url, account }: ApiClient, format: Format, file: string): Promise<string> {
  const response = await fetch(`${url}/entries/export?format=${format}`, {
    headers: { authorization: `Bearer ${account.accessToken}` },
  });
  if (!response.ok || !response.body) throw new Error(`export: ${response.status}`);
  await pipeline(response.body, createWriteStream(file));
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}

/** @returns the report */
async function upload({ url, account }: ApiClient, format: Format, file: string): Promise<unknown> {
  const post = request(`${url}/entries/import`, {
    method: 'POST',
    headers: { authorization: `Bearer ${account.accessToken}`, 'content-type': MEDIA_TYPES[format] },
  });
  const responded = once(post, 'response') as Promise<[IncomingMessage]>;
  await pipeline(createReadStream(file), post);
  const [response] = await responded;
  return json(response);
}
