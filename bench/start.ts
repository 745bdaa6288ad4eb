import { execFileSync } from 'node:child_process';
import { copyFileSync, cpSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ROOT } from '../scripts/environment.js';
import { bench } from './harness/bench.js';
import { options } from './harness/options.js';
import { buildPeer } from './harness/peers.js';
import { median, medianAndRange, printTable } from './harness/report.js';
import { Server, serviceSettings, type Settings } from './harness/server.js';

/**
 * How long our image's program takes to start, and its memory at rest, beside a bare Nest, Fastify and TypeORM application:
 * as Nest builds it, and bundled as ours is; in turns, on one migrated database. The first start of each, with cold files
 * and caches, does not count.
 */
const { rounds } = options({ rounds: 9 });
const AT_REST_MS = 5000;
const bundle = join(ROOT, 'bundle');
if (!existsSync(bundle)) throw new Error('no bundle: run npm run bundle');
// As in the image, no node_modules is to be found: @nestjs/typeorm would load all of an unbundled TypeORM too.
const folder = mkdtempSync(join(tmpdir(), 'entries-bench-'));
cpSync(bundle, join(folder, 'entries'), { recursive: true });
const ours = [process.execPath, join(folder, 'entries', 'dist', 'main.js')];
const [, bareFile = ''] = await buildPeer('nest-fastify-bare', 'bundle');
copyFileSync(bareFile, join(folder, 'bare.mjs'));
const bare = [process.execPath, join(folder, 'bare.mjs')];
const bareWithPackages = await buildPeer('nest-fastify-bare', 'external');

const program = (name: string, command: readonly string[], settings: Settings = {}) => ({
  name,
  command,
  settings,
  bootMs: [] as number[],
  rssMiB: [] as number[],
});
const cacheIn = (name: string): Settings => ({ NODE_COMPILE_CACHE: join(folder, name) });
const shipped = program('entries, bundle and compile cache', ours, cacheIn('entries'));
const bareBuilt = program('bare, from node_modules', bareWithPackages);
const bareShipped = program('bare, bundle and compile cache', bare, cacheIn('bare'));
const bundled = program('entries, bundle', ours);
const bareBundled = program('bare, bundle', bare);
const programs = [shipped, bareBuilt, bareShipped, bundled, bareBundled];

await bench(async (database) => {
  for (let round = 0; round <= rounds; round += 1) {
    for (const { command, settings, bootMs, rssMiB } of programs) {
      const server = await Server.start(command, serviceSettings(database.url, settings));
      await sleep(AT_REST_MS);
      if (round > 0) {
        bootMs.push(server.bootMs);
        rssMiB.push(server.rssMiB());
      }
      await server.stop();
    }
  }
});
rmSync(folder, { recursive: true, force: true });

printTable(
  ['program', 'ms to /health 200 (least–most)', 'RSS at rest, MiB'],
  programs.map(({ name, bootMs, rssMiB }) => [name, medianAndRange(bootMs), median(rssMiB).toFixed(0)]),
);
for (const [own, other] of [
  [shipped, bareBuilt],
  [shipped, bareShipped],
  [bundled, bareBundled],
] as const) {
  console.log(`${own.name}: ${(median(own.bootMs) / median(other.bootMs)).toFixed(2)} × ${other.name}`);
}
const bytes = execFileSync('du', ['-sb', join(ROOT, 'bundle')], { encoding: 'utf8' }).split('\t')[0];
console.log(`bundle: ${(Number(bytes) / 1e6).toFixed(1)} MB`);
