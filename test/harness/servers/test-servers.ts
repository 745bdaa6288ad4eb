import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { makeStateFolder, ROOT } from '../../../scripts/environment.js';
import { startEphemeralCluster } from '../../../scripts/postgres/embedded-postgres.js';
import { createDatabase, type TestDatabase } from '../database/database.js';
import { RedisServer } from './redis-server.js';

/** A folder in memory, where PostgreSQL creates a database about ten times as fast as on a disk; and the room it needs. */
const MEMORY = '/dev/shm';
const ROOM_BYTES = 4 * 1024 ** 3;

declare global {
  /** For jest/global-teardown.js. */
  var stopTestServers: () => Promise<void>;
}

/**
 * Starts what all suites share: a PostgreSQL server, in which each suite creates a database of its own, and a Redis server
 * if one is installed; builds and bundles the service, for the suites that start processes; and migrates a database, for
 * suites to copy. Suites find them by environment variables, which Jest's workers inherit.
 */
export async function startTestServers(): Promise<void> {
  const bundle = buildService();
  const stops: (() => unknown)[] = [() => rmSync(bundle, { recursive: true, force: true })];
  if (!process.env['TEST_DATABASE_URL']) {
    const cluster = await startEphemeralCluster({ parent: hasRoomInMemory() ? MEMORY : tmpdir() });
    process.env['TEST_DATABASE_URL'] = cluster.url('postgres');
    stops.push(() => cluster.stop());
  }
  const migrated = await createDatabase();
  stops.unshift(() => migrated.drop());
  migrate(migrated);
  if (!process.env['TEST_REDIS_URL'] && RedisServer.isInstalled()) {
    const redis = await RedisServer.start();
    process.env['TEST_REDIS_URL'] = redis.url;
    stops.push(() => redis.remove());
  }
  globalThis.stopTestServers = async () => {
    for (const stop of stops) await stop();
  };
}

function migrate({ name, url }: TestDatabase): void {
  const program = join(dirname(process.env['TEST_PROGRAM']!), 'database/migrate.js');
  const env = { PATH: process.env['PATH'], NODE_ENV: 'test', DATABASE_URL: url };
  execFileSync(process.execPath, [program, 'up'], { env, stdio: ['ignore', 'ignore', 'inherit'] });
  process.env['TEST_MIGRATED_DATABASE'] = name;
}

function hasRoomInMemory(): boolean {
  if (!existsSync(MEMORY)) return false;
  const { bavail, bsize } = statfsSync(MEMORY);
  return bavail * bsize > ROOM_BYTES;
}

/**
 * As in the image: compiled, then bundled. Not into `dist`, which an `npm start` may be running from; and the bundle not
 * below this folder, whose node_modules it would find.
 *
 * @returns the bundle's folder
 */
function buildService(): string {
  makeStateFolder();
  const outDir = join(ROOT, '.data', 'test-dist');
  rmSync(outDir, { recursive: true, force: true });
  const bundle = mkdtempSync(join(tmpdir(), 'entries-bundle-'));
  const node = (...args: string[]) => execFileSync(process.execPath, args, { cwd: ROOT, stdio: 'inherit' });
  // `npm run typecheck` checks the types, which takes half the time of a build.
  node('node_modules/typescript7/bin/tsc', '-p', 'tsconfig.build.json', '--noCheck', '--outDir', outDir);
  node('--import', 'tsx', 'scripts/bundle.ts', outDir, bundle);
  process.env['TEST_BUILD'] = outDir;
  process.env['TEST_PROGRAM'] = join(bundle, 'dist', 'main.js');
  return bundle;
}
