import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEphemeralCluster } from '../../scripts/embedded-postgres.js';
import { ROOT, makeStateFolder } from '../../scripts/environment.js';
import { freePort } from '../../scripts/free-port.js';

/**
 * What all suites share: a PostgreSQL server (in which each suite makes a database of its own), a Redis server where
 * there is one, and the compiled program, also bundled, for the suites that start processes. The suites find them by environment
 * variables, which Jest's workers inherit.
 */
export default async function globalSetup() {
  const bundle = compileProgram();
  /** @type {(() => unknown)[]} */
  const stops = [() => rmSync(bundle, { recursive: true, force: true })];
  if (!process.env['TEST_DATABASE_URL']) {
    const cluster = await startEphemeralCluster();
    process.env['TEST_DATABASE_URL'] = cluster.url('postgres');
    stops.push(() => cluster.stop());
  }
  if (!process.env['TEST_REDIS_URL']) {
    const redis = await startRedis();
    if (redis) {
      process.env['TEST_REDIS_URL'] = redis.url;
      stops.push(redis.stop);
    }
  }
  /** @type {{ stopTestServers?: () => Promise<void> }} */ (globalThis).stopTestServers = async () => {
    for (const stop of stops) await stop();
  };
}

/**
 * As the image has it: compiled, then bundled. Not into `dist`, which an `npm start` may be running from, and the bundle not
 * below this folder, whose node_modules it would find.
 *
 * @returns {string} the bundle's folder
 */
function compileProgram() {
  makeStateFolder();
  const outDir = join(ROOT, '.data', 'test-dist');
  forgetRenamedMigrations(join(outDir, 'database', 'migrations'));
  const bundle = mkdtempSync(join(tmpdir(), 'entries-bundle-'));
  const tsc = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
  const buildInfo = join(outDir, '.tsbuildinfo');
  execFileSync(
    process.execPath,
    [tsc, '-p', 'tsconfig.build.json', '--outDir', outDir, '--tsBuildInfoFile', buildInfo],
    { cwd: ROOT, stdio: 'inherit' },
  );
  execFileSync(process.execPath, [join(ROOT, 'scripts', 'migration-manifest.js'), outDir], {
    stdio: 'inherit',
  });
  execFileSync(process.execPath, [join(ROOT, 'scripts', 'bundle.js'), outDir, bundle], { stdio: 'inherit' });
  process.env['TEST_BUILD'] = outDir;
  process.env['TEST_PROGRAM'] = join(bundle, 'dist', 'main.js');
  return bundle;
}

/**
 * Compiling afresh takes thrice as long as compiling what has changed, which leaves what is no more.
 *
 * @param {string} folder of compiled migrations
 */
function forgetRenamedMigrations(folder) {
  if (!existsSync(folder)) return;
  for (const file of readdirSync(folder).filter((name) => /\.js(\.map)?$/.test(name))) {
    const source = file.replace(/\.js(\.map)?$/, '.ts');
    if (!existsSync(join(ROOT, 'src', 'database', 'migrations', source))) rmSync(join(folder, file));
  }
}

/** @returns {Promise<{ url: string, stop: () => Promise<void> } | undefined>} undefined where there is no Redis */
async function startRedis() {
  try {
    execFileSync('redis-server', ['--version'], { stdio: 'ignore' });
  } catch {
    return undefined;
  }
  const port = await freePort();
  const directory = mkdtempSync(join(tmpdir(), 'entries-redis-'));
  const options = { port, bind: '127.0.0.1', dir: directory, save: '', appendonly: 'no' };
  const server = spawn(
    'redis-server',
    Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]),
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  process.once('exit', () => server.kill('SIGKILL'));
  await new Promise((resolve, reject) => {
    server.once('exit', () => reject(new Error('redis-server did not start')));
    server.stdout.on('data', (/** @type {Buffer} */ chunk) => {
      if (chunk.includes('Ready to accept connections')) resolve(undefined);
    });
  });
  return {
    url: `redis://127.0.0.1:${port}`,
    stop: () =>
      new Promise((resolve) => {
        server.removeAllListeners('exit');
        server.once('exit', () => {
          rmSync(directory, { recursive: true, force: true });
          resolve();
        });
        server.kill();
      }),
  };
}
