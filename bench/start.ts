import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { ROOT } from '../scripts/environment.js';
import { bundlePeer } from './bundle.js';
import { createDatabase } from './database.js';
import { Server } from './server.js';

/**
 * `npm run bench:start`: how long our bundle takes to start, and what memory it has at rest, beside a bare Nest, Fastify and
 * TypeORM application that is bundled with esbuild too; by turns, on one database that is up to date. The first start of
 * each, which finds neither files nor compile cache warm, is not counted.
 */
const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '9' },
    node: { type: 'string', default: process.execPath },
  },
});
const AT_REST_MS = 5000;
const bundle = join(ROOT, 'bundle', 'dist', 'main.js');
if (!existsSync(bundle)) throw new Error('there is no bundle: run npm run bundle');

const folder = mkdtempSync(join(tmpdir(), 'entries-bench-'));
const bare = join(ROOT, '.data', 'bench', 'nest-fastify-bare.js');
mkdirSync(join(ROOT, '.data', 'bench'), { recursive: true });
writeFileSync(join(ROOT, '.data', 'bench', 'package.json'), '{ "type": "module" }');
await bundlePeer(join(ROOT, 'bench', 'peers', 'nest-fastify-bare', 'main.ts'), bare);
const database = await createDatabase();
process.once('exit', () => Server.killAll());

const PROGRAMS = [
  { name: 'entries', program: bundle, cache: false },
  { name: 'bare', program: bare, cache: false },
  { name: 'entries, compile cache', program: bundle, cache: true },
  { name: 'bare, compile cache', program: bare, cache: true },
];
const figures = new Map(
  PROGRAMS.map(({ name }) => [name, { bootMs: [] as number[], rssMiB: [] as number[] }]),
);
try {
  for (let round = 0; round <= Number(values.rounds); round += 1) {
    for (const { name, program, cache } of PROGRAMS) {
      const server = await Server.start(
        program,
        {
          PATH: process.env['PATH'] ?? '',
          NODE_ENV: 'production',
          DATABASE_URL: database.url,
          JWT_SECRET: 'a-secret-of-the-benchmark-0123456789abcdef',
          LOG_LEVEL: 'warn',
          LOG_FORMAT: 'json',
          ...(cache && { NODE_COMPILE_CACHE: join(folder, name) }),
        },
        { signal: new AbortController().signal, command: [values.node] },
      );
      await sleep(AT_REST_MS);
      if (round > 0) {
        figures.get(name)?.bootMs.push(server.bootMs);
        figures.get(name)?.rssMiB.push(server.rssMiB());
      }
      await server.stop();
    }
  }
} finally {
  await database.remove();
  rmSync(folder, { recursive: true, force: true });
}

console.log('| program | ms to /health 200 (least–most) | RSS at rest, MiB |\n| --- | ---: | ---: |');
for (const [name, { bootMs, rssMiB }] of figures) {
  const range = `${Math.min(...bootMs).toFixed(0)}–${Math.max(...bootMs).toFixed(0)}`;
  console.log(`| ${name} | ${median(bootMs).toFixed(0)} (${range}) | ${median(rssMiB).toFixed(0)} |`);
}
const ratio = (suffix: string) =>
  (
    median(figures.get(`entries${suffix}`)?.bootMs ?? []) / median(figures.get(`bare${suffix}`)?.bootMs ?? [])
  ).toFixed(2);
console.log(
  `\nboot: ${ratio('')} × the bare application, ${ratio(', compile cache')} × with a compile cache`,
);
const size = execFileSync('du', ['-sb', join(ROOT, 'bundle')], { encoding: 'utf8' }).split('\t')[0];
console.log(`bundle: ${(Number(size) / 1e6).toFixed(1)} MB`);

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? NaN;
}
